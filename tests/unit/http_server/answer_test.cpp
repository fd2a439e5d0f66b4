#include "common/http/answer.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

TEST(HttpAnswer, OnTheWire) {
  const HttpAnswer answer{413, "too much\n", {{"Content-Type", "text/plain"}}};
  const std::string head =
      "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\nContent-Length: 9\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(on_the_wire(answer), head + "too much\n");
  EXPECT_EQ(on_the_wire(answer, true), head) << "HEAD: the length is that of the body that is left out";
}

TEST(HttpAnswer, RefusalsSayWhy) {
  const HttpAnswer no = refusal(400, "NuropbValidationError", "not \"so\"");
  EXPECT_EQ(no.body, "{\"error\":\"NuropbValidationError\",\"description\":\"not \\\"so\\\"\"}\n");
  EXPECT_EQ(no.headers.size(), 1U);
  const HttpAnswer later = come_again("busy");
  EXPECT_EQ(later.status, 503);
  EXPECT_EQ(later.headers.back(), (std::pair<std::string, std::string>("Retry-After", "1")));
}

}  // namespace
}  // namespace nuropb
