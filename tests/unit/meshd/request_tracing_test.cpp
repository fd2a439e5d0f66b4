#include "meshd/tracing/request_tracing.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace nuropb::meshd {
namespace {

std::uint64_t count_of(const latency::Histogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
}

class RequestTracingTest : public ::testing::Test {
 protected:
  const latency::Histogram& stage(latency::MeshStage which) {
    return tracing_.stages()[static_cast<std::size_t>(which)];
  }
  void at(std::uint64_t us) { times_.batch = SteadyTime(std::chrono::microseconds(us)); }

  ManualClock clock_;
  BatchTimes times_;
  RequestDeadline deadline_{clock_, milliseconds(60'000)};
  RequestTracing tracing_{{}, nullptr, times_, deadline_};
  Departures departures_;
  const ReturnAddress from_{0, 1, 1, 1, 9};
};

TEST_F(RequestTracingTest, ARequestIsMeasuredFromTheRingToItsResponse) {
  records::Origin origin;
  origin.sent_us = 1000;
  at(1300);
  tracing_.read(departures_, from_, origin);
  EXPECT_EQ(stage(latency::MeshStage::request_ring).sum_us, 300u);

  mesh::Report report{};
  report.outcome = mesh::Outcome::confirmed;
  report.at = SteadyTime(std::chrono::microseconds(1500));
  tracing_.reported(departures_, from_, report);
  EXPECT_EQ(stage(latency::MeshStage::broker).sum_us, 200u);

  at(9000);
  const records::Stages stages = tracing_.answered(departures_, from_, true);
  EXPECT_EQ(stages.taken_us, 9000u);
  EXPECT_EQ(count_of(stage(latency::MeshStage::service)), 1u);
  EXPECT_EQ(stage(latency::MeshStage::service).sum_us, 7500u);
  EXPECT_EQ(tracing_.answered(departures_, from_, true).taken_us, 0u) << "a second response is not measured";
}

TEST_F(RequestTracingTest, ARequestThatWasNotSentIsNotMeasuredAtTheBroker) {
  at(1000);
  tracing_.read(departures_, from_, {});
  mesh::Report report{};
  report.outcome = mesh::Outcome::refused;
  tracing_.reported(departures_, from_, report);
  EXPECT_EQ(count_of(stage(latency::MeshStage::broker)), 0u);
  (void)tracing_.answered(departures_, from_, false);
  EXPECT_EQ(count_of(stage(latency::MeshStage::service)), 0u) << "no service has answered";
}

TEST_F(RequestTracingTest, WithoutSpansARecordIsSentAsItIs) {
  ASSERT_FALSE(tracing_.on());
  Session session;
  records::Event event;
  event.origin.traceparent = "00-1-2-01";
  const records::Event* sent = nullptr;
  EXPECT_TRUE(tracing_.in_span(records::Type::event, "a.b", {}, session, from_, event, [&](const records::Event& what) {
    sent = &what;
    return true;
  }));
  EXPECT_EQ(sent, &event) << "not copied";
}

}  // namespace
}  // namespace nuropb::meshd
