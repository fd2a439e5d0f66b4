#include "meshd/ctl/manual.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nuropb::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Manual, HasWhatTheCommandLineHas) {
  CLI::App app("Does things", "tool");
  std::string text;
  bool flag = false;
  CLI::App* const group = app.add_subcommand("group", "A group");
  CLI::App* const one = group->add_subcommand("one", ".begins with a dot\n'and a quote \\ -");
  one->add_option("place", text, "Where")->required();
  one->add_option("--long-name", text, "How")->default_str("so");
  one->add_flag("--flag", flag, "Whether");
  const std::string page = manual_of_commands(app);
  EXPECT_THAT(page, HasSubstr(".SS group one PLACE\n\\&.begins with a dot\n.br\n\\&'and a quote \\e \\-\n"));
  EXPECT_THAT(page, HasSubstr(".B \\-\\-long\\-name TEXT\nHow (default: so)\n"));
  EXPECT_THAT(page, HasSubstr(".B \\-\\-flag\nWhether\n"));
  EXPECT_THAT(page, Not(HasSubstr(".SS group\n")));
  const std::string shell = bash_completion(app);
  EXPECT_THAT(shell, HasSubstr("'group one') words='"));
  EXPECT_THAT(shell, HasSubstr("--long-name"));
  EXPECT_THAT(zsh_completion(app), HasSubstr(shell));
}

}  // namespace
}  // namespace nuropb::ctl
