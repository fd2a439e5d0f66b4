#include "edge/protocol/nuropb_protocol.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

using ::testing::HasSubstr;
using Interruption = ConsumerProtocol::Interruption;

const NuropbProtocol protocol{json::Limits{}};

TEST(NuropbProtocolTest, ARefusalAnswersItsRequest) {
  const std::string request = R"({"type":"request","payload":{"service":"a","method":"b","params":{},"trace_id":"t"}})";
  EXPECT_EQ(protocol.refusal(request, "too many"),
            R"({"type":"response","payload":{"trace_id":"t","result":null,"error":)"
            R"({"error":"NuropbTransportError","description":"too many","reason":"limit"}}})");
  EXPECT_THAT(protocol.refusal("not JSON", "too many"), HasSubstr(R"("description":"too many")"));
}

TEST(NuropbProtocolTest, AnInterruptedRequestMayHaveRun) {
  std::string out = "old";
  protocol.encode_interruption(out, "\"t\"", Interruption::mesh_lost);
  EXPECT_THAT(out, HasSubstr(R"({"type":"response","payload":{"trace_id":"t")"));
  EXPECT_THAT(out, HasSubstr(R"("outcome":"unknown")"));
  EXPECT_THAT(out, HasSubstr("connection to the mesh was lost"));
  protocol.encode_interruption(out, "\"t\"", Interruption::stopping);
  EXPECT_THAT(out, HasSubstr("the gateway is stopping"));
}

TEST(NuropbProtocolTest, ATimeoutOfASubscriptionSaysThatItIsUndone) {
  std::string out;
  protocol.encode_timeout(out, "\"t\"", false);
  EXPECT_THAT(out, HasSubstr("no answer in time; it may have run"));
  protocol.encode_timeout(out, "\"t\"", true);
  EXPECT_THAT(out, HasSubstr("no answer in time; not subscribed"));
  EXPECT_THAT(out, HasSubstr("NuropbTimeoutError"));
}

TEST(NuropbProtocolTest, SessionsBeginWithAHello) {
  EXPECT_THAT(protocol.hello("abc", "ann", "\"Ann\"", {"token", 5}), HasSubstr("abc"));
  SharedMessage message("{}", false);
  EXPECT_EQ(protocol.frame_of(message).text(), "{}");
}

}  // namespace
}  // namespace nuropb::edge
