#include "common/exposed_secrets.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace nuropb {
namespace {

TEST(ExposedSecrets, FilesThatEveryUserMayRead) {
  std::string folder = "/tmp/nuropb-exposed-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  Config config;
  config.auth.token_file = folder + "/tokens";
  config.jwt.secret_file = folder + "/secret";
  config.backend.key_file = folder + "/missing";
  for (const std::string& file : {config.auth.token_file, config.jwt.secret_file}) std::ofstream(file) << "x";
  ::chmod(config.auth.token_file.c_str(), 0644);
  ::chmod(config.jwt.secret_file.c_str(), 0640);
  EXPECT_EQ(secret_files_of_meshd(config).size(), 3u);
  EXPECT_EQ(readable_by_all(secret_files_of_meshd(config)),
            (std::vector<std::pair<std::string, std::string>>{{"auth.token_file", config.auth.token_file}}));
  ::unlink(config.auth.token_file.c_str());
  ::unlink(config.jwt.secret_file.c_str());
  ::rmdir(folder.c_str());
}

TEST(ExposedSecrets, PasswordsOnTheCommandLine) {
  EXPECT_TRUE(has_password("amqp://user:word@host/"));
  EXPECT_TRUE(has_password("[\"amqp://host\", \"amqps://u:p@host:5671/v\"]"));
  EXPECT_TRUE(has_password("amqp://u:p@ss@host"));
  for (const char* without : {"amqp://host:5672/", "amqp://user@host/a:b@c", "", "user:word@host"})
    EXPECT_FALSE(has_password(without)) << without;
  ConfigSources sources;
  sources.overrides = {{"amqp.urls", "amqp://other/,amqp://user:word@host/"}, {"listen.port", "1"}};
  const auto config = load_config(sources);
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->passwords_on_command_line, std::vector<std::string>{"amqp.urls"});
}

}  // namespace
}  // namespace nuropb
