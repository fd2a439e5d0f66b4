#include "edge/relay/request_timings.hpp"

#include "edge/protocol/client_message.hpp"
#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class RequestTimingsTest : public SessionTest {
 protected:
  ManualClock time_;
  CachedClock moment_{time_};
  RequestTimings timings_{config_.log, link_, moment_};
};

TEST_F(RequestTimingsTest, AnOriginSaysHowLongTheMessageHasWaited) {
  NewSession from = session();
  from.traceparent = "the handshake's";
  ConsumerHandler& handler = open(std::move(from));
  const SteadyTime arrived = moment_.refresh();
  time_.advance(milliseconds(3));
  moment_.refresh();
  const auto origin = timings_.origin_of(handler, "", arrived);
  EXPECT_EQ(origin.waited_us, 3000u);
  EXPECT_EQ(origin.traceparent, "the handshake's");
  EXPECT_EQ(timings_.origin_of(handler, "its own", arrived).traceparent, "its own");
}

TEST_F(RequestTimingsTest, ForTheLogOfSlowRequestsEachIsDescribed) {
  ClientRequest message;
  message.verb = records::Type::subscribe;
  message.topic = "a";
  EXPECT_EQ(timings_.called_of(message, {}), nullptr);
  config_.log.slow_request_ms = 1;
  RequestTimings slow(config_.log, link_, moment_);
  const auto called = slow.called_of(message, records::Origin{0, 17, ""});
  ASSERT_NE(called, nullptr);
  EXPECT_EQ(called->service, "a");
  EXPECT_EQ(called->method, "subscribe");
  EXPECT_EQ(called->waited_us, 17u);
}

}  // namespace
}  // namespace nuropb::edge
