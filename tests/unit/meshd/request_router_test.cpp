#include "meshd/routing/request_router.hpp"

#include <gmock/gmock.h>

#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

using records::Type;
using ::testing::HasSubstr;

class RequestRouterTest : public SessionsInMemory {
 protected:
  RecordResult request(std::uint64_t sequence, std::string_view method = "echo", std::string_view params = "{}") {
    const records::Request record{
        0, session().serial, to_ring_ms(clock_.now() + milliseconds(500)), "demo", method, "\"t\"", params, {}};
    return router_.request(worker(), Type::request, record, session(), from(sequence));
  }
  Face& face() { return faces_.all.web(); }

  boost::asio::io_context io_;
  BatchTimes times_;
  RequestDeadline deadline_{clock_, milliseconds(60'000)};
  RequestTracing tracing_{config_.tracing, nullptr, times_, deadline_};
  BrokerStatus broker_;
  RequestRouter router_{
      {config_, clock_, io_, times_, deadline_, faces_.all, workers_, quotas_, tracing_, responses_, broker_, nullptr}};
};

TEST_F(RequestRouterTest, ARequestIsInFlightUntilTheBrokerHasItsSay) {
  open();
  const RecordResult result = request(1);
  EXPECT_FALSE(result.is_handled());
  EXPECT_FALSE(result.is_violation());
  EXPECT_TRUE(responses_.all.empty());
  EXPECT_GT(router_.bytes(), 0u);
  router_.publish_read();
  EXPECT_EQ(faces_.mesh().published.size() + face().outgoing.size(), 1u);
}

TEST_F(RequestRouterTest, ARequestThatIsRefusedIsHandled) {
  open();
  EXPECT_TRUE(request(1, "_private").is_handled());
  EXPECT_THAT(std::string(responses_.last().error), HasSubstr("Unknown method _private"));
  EXPECT_TRUE(face().outgoing.empty());
}

TEST_F(RequestRouterTest, WhatNoHonestEdgeWritesIsAViolation) {
  open();
  const RecordResult result = request(1, "echo", "no JSON");
  EXPECT_TRUE(result.is_violation());
  EXPECT_FALSE(result.why().empty());
}

TEST_F(RequestRouterTest, AUserWithTooManyPendingRequestsIsRefused) {
  config_.limits.pending_per_user = 1;
  UserQuotas few(config_, clock_);
  RequestRouter router(
      {config_, clock_, io_, times_, deadline_, faces_.all, workers_, few, tracing_, responses_, broker_, nullptr});
  open();
  times_.reading = clock_.now();
  const auto ask = [&](std::uint64_t sequence) {
    return router.request(
        worker(), Type::request,
        {0, session().serial, to_ring_ms(clock_.now() + milliseconds(500)), "demo", "echo", "\"t\"", "{}", {}},
        session(), from(sequence));
  };
  EXPECT_FALSE(ask(1).is_handled());
  EXPECT_TRUE(ask(2).is_handled());
  EXPECT_THAT(std::string(responses_.last().error), HasSubstr("limits.pending_per_user"));
  EXPECT_EQ(few.refused().user_pending, 1u);
}

TEST_F(RequestRouterTest, NoServiceIsAskedWhileThereIsNoBroker) {
  EXPECT_FALSE(router_.ask({}, "check"));
  EXPECT_TRUE(face().outgoing.empty());
  broker_.set(mesh::State::ready);
  EXPECT_TRUE(router_.ask({}, "check"));
  EXPECT_EQ(face().outgoing.size(), 1u);
  EXPECT_EQ(workers_.turns, 0);
  io_.poll();
  EXPECT_EQ(workers_.turns, 1) << "at the end of what goes on now";
}

}  // namespace
}  // namespace nuropb::meshd
