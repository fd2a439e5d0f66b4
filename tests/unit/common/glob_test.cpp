#include "common/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nuropb {
namespace {

TEST(Glob, AStarStandsForAnyText) {
  for (const auto& [pattern, text] :
       {std::pair("", ""), std::pair("*", ""), std::pair("*", "abc"), std::pair("a*c", "ac"), std::pair("a*c", "abcbc"),
        std::pair("*b*", "abc"), std::pair("a**", "a")})
    EXPECT_TRUE(globs(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : {std::pair("", "a"), std::pair("a", ""), std::pair("a*c", "abcb"),
                                      std::pair("reports.*", "reports"), std::pair("a.c", "abc"), std::pair("A", "a")})
    EXPECT_FALSE(globs(pattern, text)) << pattern << " " << text;
}

TEST(Glob, ManyStarsTakeNoTime) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(globs(pattern + "b", std::string(2000, 'a')));
}

}  // namespace
}  // namespace nuropb
