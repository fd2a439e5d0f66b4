#include "meshd/histograms.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuropb::meshd {
namespace {

using nlohmann::json;

TEST(Histograms, AreFoundAmongAllElse) {
  EXPECT_EQ(histograms_of("# TYPE nuropb_gateway_stage_seconds histogram\n"
                          "nuropb_gateway_sessions 3\n"
                          "nuropb_gateway_stage_seconds_bucket{stage=\"ring\",le=\"0.001\"} 5\n"
                          "nuropb_gateway_stage_seconds_bucket{stage=\"ring\",le=\"1e-2\"} 7\n"
                          "nuropb_gateway_stage_seconds_bucket{stage=\"ring\",le=\"+Inf\"} 8\n"
                          "nuropb_gateway_stage_seconds_sum{stage=\"ring\"} 0.5\n"
                          "nuropb_gateway_stage_seconds_bucket{le=\"0.5\",stage=\"broker\"} 1\n"
                          "other_seconds_bucket{le=\"0.5\"} 1\n"),
            json::parse(R"([
              {"name": "stage_seconds", "labels": "stage=\"ring\"", "le": [0.001, 0.01, null], "counts": [5, 7, 8]},
              {"name": "stage_seconds", "labels": "stage=\"broker\"", "le": [0.5], "counts": [1]}])"));
}

TEST(Histograms, WhatIsNoneIsPassedOver) {
  for (const char* page : {"", "\n\n", "nuropb_gateway_x_seconds_bucket", "nuropb_gateway_x_seconds_bucket{",
                           "nuropb_gateway_x_seconds_bucket}{ 1", "nuropb_gateway_x_seconds_bucket{} 1",
                           "nuropb_gateway_x_seconds_bucket{le=\"1\"}", "nuropb_gateway_x_seconds_bucket{le=\"1\"} x",
                           "nuropb_gateway_x_seconds_bucket{le=\"\"} 1", "nuropb_gateway_x_seconds_bucket{le=\"y\"} 1",
                           "nuropb_gateway_x_seconds_bucket{le=\"1} 1", "nuropb_gateway_x_seconds_bucket{le=\"1\"} -1"})
    EXPECT_TRUE(histograms_of(page).empty()) << page;
}

TEST(Histograms, AreBounded) {
  std::string page;
  for (int i = 0; i < 200; ++i)
    for (int bucket = 0; bucket < 100; ++bucket)
      page +=
          "nuropb_gateway_x_seconds_bucket{n=\"" + std::to_string(i) + "\",le=\"" + std::to_string(bucket) + "\"} 1\n";
  const json found = histograms_of(page);
  EXPECT_EQ(found.size(), 64U);
  EXPECT_EQ(found[0]["counts"].size(), 64U);
}

}  // namespace
}  // namespace nuropb::meshd
