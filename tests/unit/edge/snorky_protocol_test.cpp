#include "edge/protocol/snorky_protocol.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

const SnorkyProtocol protocol{json::Limits{}};

TEST(SnorkyProtocolTest, ARefusalAnswersItsCall) {
  EXPECT_EQ(protocol.refusal(R"({"service":"chat","message":{"command":"join","callId":5}})", "too many"),
            R"({"service":"chat","message":{"type":"error","callId":5,"message":"too many"}})");
  EXPECT_EQ(protocol.refusal("not JSON", "too many"),
            R"({"service":"gateway","message":{"type":"error","callId":null,"message":"too many"}})");
}

TEST(SnorkyProtocolTest, EndsOfCallsReferToTheCall) {
  const std::string reference = SnorkyProtocol::reference_of("a\"b", "\"x\"");
  std::string out;
  protocol.encode_timeout(out, reference, false);
  EXPECT_EQ(out, R"({"service":"a\"b","message":{"type":"error","callId":"x",)"
                 R"("message":"No answer in time; the call may have run"}})");
  protocol.encode_interruption(out, SnorkyProtocol::reference_of("s", ""), ConsumerProtocol::Interruption::stopping);
  EXPECT_EQ(out, R"({"service":"s","message":{"type":"error","callId":null,)"
                 R"("message":"The gateway was interrupted; the call may have run"}})");
}

TEST(SnorkyProtocolTest, MessagesForManyAreInAnEnvelopeAndThereIsNoHello) {
  SharedMessage message("{}", false);
  EXPECT_EQ(protocol.frame_of(message).text(), R"({"service":"gateway","message":{}})");
  EXPECT_EQ(protocol.hello("abc", "ann", "null", {}), "");
  EXPECT_FALSE(protocol.needs_broker());
}

}  // namespace
}  // namespace nuropb::edge
