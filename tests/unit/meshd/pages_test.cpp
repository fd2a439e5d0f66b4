#include "meshd/pages.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

HttpServer::Request request(const std::string& method, const std::string& path) {
  return {method, "192.0.2.1", path, "query", "host", {}, {}};
}

std::string header(const HttpAnswer& answer, const std::string& name) {
  for (const auto& [key, value] : answer.headers) {
    if (key == name) return value;
  }
  return {};
}

TEST(Pages, OfMetricsAndHealth) {
  bool ready = false;
  const Pages pages{[] { return "metrics\n"; }, [&] { return Pages::Health{ready, "{}\n"}; }};
  const auto metrics = answer_page(pages, request("GET", "/metrics"));
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->body, "metrics\n");
  EXPECT_EQ(header(*metrics, "Content-Type"), "text/plain; version=0.0.4");
  EXPECT_EQ(answer_page(pages, request("GET", "/healthz"))->status, 200) << "meshd lives, ready or not";
  EXPECT_EQ(answer_page(pages, request("GET", "/readyz"))->status, 503);
  ready = true;
  EXPECT_EQ(answer_page(pages, request("GET", "/readyz"))->status, 200);
  for (const auto& [method, path] :
       {std::pair("POST", "/metrics"), std::pair("GET", "/"), std::pair("GET", "/metrics/")})
    EXPECT_FALSE(answer_page(pages, request(method, path))) << method << path;
}

TEST(Pages, WhatIsNotThere) {
  EXPECT_EQ(not_there("there is nothing").status, 404);
  const HttpAnswer other = not_there("POST it", "POST");
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(header(other, "Allow"), "POST");
  EXPECT_EQ(other.body, "POST it\n");
}

}  // namespace
}  // namespace nuropb::meshd
