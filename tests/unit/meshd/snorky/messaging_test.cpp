#include "meshd/snorky/messaging.hpp"

#include "tests/unit/meshd/snorky/recorder.hpp"

namespace nuropb::meshd::snorky {
namespace {

using Names = MessagingService::Names;

TEST(SnorkyMessaging, FromNameToName) {
  Recorder outlet;
  MessagingService service("messaging", Names::any, {2, 1000}, outlet);
  EXPECT_EQ(call(service, 1, "", "registerParticipant", R"({"name":"b"})").key, "b");
  EXPECT_EQ(call(service, 2, "", "registerParticipant", R"({"name":"a"})").error, "");
  EXPECT_EQ(call(service, 2, "", "registerParticipant", R"({"name":"b"})").error, "Name already registered");
  EXPECT_EQ(call(service, 3, "", "listParticipants", "{}").data, R"(["a","b"])");
  EXPECT_EQ(call(service, 3, "", "listParticipants", R"({"x":1})").error, "Invalid params");
  EXPECT_EQ(call(service, 1, "", "send", R"({"sender":"b","dest":"a","body":null})").error, "");
  ASSERT_EQ(outlet.sent.size(), 1u);
  EXPECT_EQ(outlet.sent[0].first, Sessions{socket(2)});
  EXPECT_EQ(outlet.sent[0].second,
            R"({"service":"messaging","message":{"type":"message","sender":"b","dest":"a","body":null}})");
  EXPECT_EQ(call(service, 1, "", "send", R"({"sender":"a","dest":"b","body":1})").error, "Invalid sender");
  EXPECT_EQ(call(service, 1, "", "send", R"({"sender":"x","dest":"b","body":1})").error, "Invalid sender");
  EXPECT_EQ(call(service, 1, "", "send", R"({"sender":"b","dest":"x","body":1})").error, "Unknown destination");
  EXPECT_EQ(call(service, 1, "", "unregisterParticipant", R"({"name":"a"})").error, "Invalid participant");
  EXPECT_EQ(call(service, 1, "", "unregisterParticipant", R"({"name":"x"})").error, "Unknown participant");
  EXPECT_EQ(call(service, 1, "", "unregisterParticipant", R"({"name":"b"})").standing, Outcome::Standing::drop);
  EXPECT_EQ(call(service, 1, "", "register", "{}").error, "Unknown command");
  service.on_session_closed(socket(2));
  EXPECT_EQ(call(service, 3, "", "listParticipants", "{}").data, "[]");
}

TEST(SnorkyMessaging, ANameIsItsUsers) {
  Recorder outlet;
  MessagingService service("messaging", Names::user, {2, 1000}, outlet);
  EXPECT_EQ(call(service, 1, "ann", "registerParticipant", R"({"name":"bob"})").error, "Name not allowed");
  EXPECT_EQ(call(service, 1, "", "registerParticipant", R"({"name":""})").error, "Name not allowed");
  EXPECT_EQ(call(service, 1, "ann", "registerParticipant", R"({"name":["ann"]})").error, "Name not allowed");
  EXPECT_EQ(call(service, 1, "ann", "registerParticipant", R"({"name":"\u0061nn"})").error, "");
  EXPECT_EQ(call(service, 2, "ann", "registerParticipant", R"({"name":"ann"})").error, "Name already registered");
  EXPECT_EQ(call(service, 1, "ann", "registerParticipant", R"({"name":"ann"})", true).standing,
            Outcome::Standing::keep);
}

TEST(SnorkyMessaging, IsBounded) {
  Recorder outlet;
  MessagingService service("messaging", Names::any, {2, 20}, outlet);
  call(service, 1, "", "registerParticipant", R"({"name":"0123456789abcdef"})");
  call(service, 1, "", "registerParticipant", R"({"name":"1123456789abcdef"})");
  EXPECT_NE(call(service, 1, "", "registerParticipant", R"({"name":"2"})").error, "") << "two are all";
  EXPECT_NE(call(service, 2, "", "registerParticipant", "{\"name\":\"" + std::string(1025, 'x') + "\"}").error, "");
  call(service, 2, "", "registerParticipant", R"({"name":"3"})");
  EXPECT_NE(call(service, 2, "", "listParticipants", "{}").error, "");
}

}  // namespace
}  // namespace nuropb::meshd::snorky
