#include "edge/sessions/admission.hpp"

#include <map>

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

/// A handshake that is right unless the test changes it.
class FakeHandshake final : public Handshake {
 public:
  [[nodiscard]] std::string_view path() const override { return path_; }
  [[nodiscard]] std::string_view query() const override { return query_; }
  [[nodiscard]] std::string_view method() const override { return "GET"; }
  [[nodiscard]] std::string_view header(const std::string& name) const override {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
  [[nodiscard]] std::string remote() const override { return "10.0.0.1:1"; }
  [[nodiscard]] const ClientCertificate& certificate() const override { return certificate_; }

  std::string path_ = "/websocket", query_;
  std::map<std::string, std::string> headers{{"Sec-WebSocket-Version", "13"}, {"Authorization", "Bearer secret"}};
  ClientCertificate certificate_;
};

class AdmissionTest : public SessionTest {
 protected:
  /// 0: admitted.
  int status(const FakeHandshake& handshake) {
    HttpAnswer refusal;
    const bool admitted = admission_.admit(handshake, refusal);
    protocol_ = refusal.protocol;
    return admitted ? 0 : refusal.status;
  }
  /// The same for a call with the token that it presents.
  int call_status(const FakeHandshake& request) {
    HttpAnswer refusal;
    const bool admitted = admission_.admit_call(request, admission_.token_of_call(request), has_place_, refusal);
    headers_ = refusal.headers;
    return admitted ? 0 : refusal.status;
  }
  FakeHandshake handshake_;
  std::string protocol_;
  bool has_place_ = false;
  std::vector<std::pair<std::string, std::string>> headers_;
  Admission admission_{
      config_, link_, sessions_.slots, sessions_.silent, sessions_.guesses, drain_, [](std::string_view origin) {
        return origin == "http://console";
      }};
};

TEST_F(AdmissionTest, RefusesWhatCantBecomeASession) {
  EXPECT_EQ(status(handshake_), 503);  // not attached
  attach();
  EXPECT_EQ(status(handshake_), 0);
  FakeHandshake elsewhere, old, anonymous, foreign, console, offering;
  elsewhere.path_ = "/ws";
  old.headers["Sec-WebSocket-Version"] = "8";
  anonymous.headers.erase("Authorization");
  foreign.headers["Origin"] = "http://evil.example";
  console.headers["Origin"] = "http://console";
  offering.headers["Sec-WebSocket-Protocol"] = "nuropb";
  EXPECT_EQ(status(elsewhere), 404);
  EXPECT_EQ(status(old), 426);
  EXPECT_EQ(status(anonymous), 401);
  config_.listen.origins = {"example.com"};
  EXPECT_EQ(status(foreign), 403);
  EXPECT_EQ(status(console), 0);
  EXPECT_EQ(status(offering), 0);
  EXPECT_EQ(protocol_, "nuropb");
  EXPECT_EQ(counter(shm::EdgeCounter::refused_handshakes), 4u);
  EXPECT_EQ(counter(shm::EdgeCounter::no_token), 1u);
  config_.limits.connections = 0;
  EXPECT_EQ(status(handshake_), 503);
  EXPECT_EQ(admission_.admit_line("10.0.0.1:1").code, 4006);
}

TEST_F(AdmissionTest, TransportProtocolAndIdentityAreIndependent) {
  config_.snorky.path = "/ws";
  handshake_.path_ = "/ws";
  handshake_.headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const NewSession snorky = admission_.session_of(handshake_);
  EXPECT_EQ(snorky.protocol->id(), ConsumerProtocol::Id::snorky);
  EXPECT_EQ(snorky.identity, HandlerKind::web_socket);
  EXPECT_EQ(snorky.token->token, "secret");
  EXPECT_EQ(snorky.traceparent, handshake_.headers["traceparent"]);
  EXPECT_FALSE(snorky.bare_token_allowed);

  const NewSession line = admission_.session_of_line("10.0.0.1:1", {});
  EXPECT_EQ(line.protocol->id(), ConsumerProtocol::Id::nuropb);
  EXPECT_EQ(line.identity, HandlerKind::lines);
  EXPECT_FALSE(line.token);
  EXPECT_TRUE(line.bare_token_allowed);
  EXPECT_EQ(line.first_message_limit, milliseconds(config_.lines.first_line_ms));
}

TEST_F(AdmissionTest, AClientWithACertificateAloneIsWhoItSays) {
  handshake_.headers.erase("Authorization");
  handshake_.certificate_.name = "ann";
  const NewSession out = admission_.session_of(handshake_);
  ASSERT_TRUE(out.token);
  EXPECT_EQ(out.token->kind, records::CredentialKind::client_certificate);
  EXPECT_EQ(admission_.session_of_line("10.0.0.1:1", handshake_.certificate_).token->token, "ann");
}

// Calls over HTTP

TEST_F(AdmissionTest, ACallNeedsATokenAndRoom) {
  handshake_.path_ = "/call/demo/echo";
  handshake_.headers.erase("Sec-WebSocket-Version");
  EXPECT_EQ(call_status(handshake_), 503);  // not attached
  attach();
  EXPECT_EQ(call_status(handshake_), 0);
  FakeHandshake anonymous = handshake_;
  anonymous.headers.erase("Authorization");
  config_.auth.first_message = true;  // there is no first message in a call
  EXPECT_EQ(call_status(anonymous), 401);
  EXPECT_EQ(counter(shm::EdgeCounter::refused_handshakes), 1u);
  EXPECT_EQ(counter(shm::EdgeCounter::no_token), 1u);
  config_.limits.connections = 0;
  EXPECT_EQ(call_status(handshake_), 503);
  has_place_ = true;
  EXPECT_EQ(call_status(handshake_), 0) << "its session ends in favor of the new one";
}

TEST_F(AdmissionTest, WhoGuessesTokensIsToldToWaitAlsoInCalls) {
  using ::testing::Contains;
  using ::testing::Pair;
  attach();
  int refused = 0;
  for (int i = 0; i < 5000 && refused == 0; ++i) {
    handshake_.headers["Authorization"] = "Bearer guess " + std::to_string(i);
    refused = call_status(handshake_);
  }
  EXPECT_EQ(refused, 429);
  EXPECT_THAT(headers_, Contains(Pair("Retry-After", "10")));
}

TEST_F(AdmissionTest, TheTokenOfACallIsInItsHeader) {
  const auto found = admission_.token_of_call(handshake_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, records::CredentialKind::header);
  EXPECT_EQ(found->token, "secret");
  config_.auth.header = "X-Token";
  EXPECT_FALSE(admission_.token_of_call(handshake_));
  handshake_.headers["X-Token"] = "other";
  EXPECT_EQ(admission_.token_of_call(handshake_)->token, "other");
  handshake_.headers["X-Token"] = std::string(records::max_credential + 1, 'x');
  EXPECT_FALSE(admission_.token_of_call(handshake_));
}

TEST_F(AdmissionTest, TheTokenOfACallIsNeverWhatABrowserSendsByItself) {
  config_.auth.cookie = "token";
  config_.auth.session_cookie = "session";
  config_.auth.query = "access_token";
  config_.auth.subprotocol = true;
  handshake_.headers.erase("Authorization");
  handshake_.headers["Cookie"] = "token=of-cookie; session=of-session";
  handshake_.headers["Sec-WebSocket-Protocol"] = "bearer.of-page, nuropb";
  handshake_.query_ = "access_token=of-query";
  ASSERT_TRUE(admission_.session_of(handshake_).token) << "a WebSocket may";
  EXPECT_FALSE(admission_.token_of_call(handshake_));
}

TEST_F(AdmissionTest, ACallWithACertificateAloneIsWhoItSays) {
  handshake_.certificate_ = {"ann", 4711};
  EXPECT_EQ(admission_.token_of_call(handshake_)->token, "secret") << "the header precedes it";
  handshake_.headers.erase("Authorization");
  const auto found = admission_.token_of_call(handshake_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, records::CredentialKind::client_certificate);
  EXPECT_EQ(found->token, "ann");
  EXPECT_EQ(found->valid_until, 4711u);
}

TEST_F(AdmissionTest, TheSessionOfACallHearsNothingButItsAnswers) {
  config_.snorky.path = handshake_.path_;
  const NewSession out = admission_.session_of_call(handshake_, *admission_.token_of_call(handshake_));
  EXPECT_EQ(out.protocol->id(), ConsumerProtocol::Id::nuropb) << "whatever the path is";
  EXPECT_FALSE(out.protocol->receives_messages());
  EXPECT_EQ(out.protocol->hello("a", "b", "\"c\"", {}), "");
  EXPECT_EQ(out.identity, HandlerKind::web_socket);
  EXPECT_EQ(out.token->token, "secret");
  EXPECT_EQ(out.peer, "10.0.0.1:1");
  EXPECT_FALSE(out.bare_token_allowed);
}

}  // namespace
}  // namespace nuropb::edge
