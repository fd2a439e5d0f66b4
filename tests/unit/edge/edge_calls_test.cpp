// A whole edge with clients that call over HTTP.

#include <algorithm>
#include <map>
#include <utility>

#include "common/close_codes.hpp"
#include "common/same_letters.hpp"
#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

class EdgeCallsTest : public EdgeTest {
 protected:
  /// An HTTP client on a plain socket that does exactly what it is told.
  class HttpClient {
   public:
    struct Response {
      int status = 0;  ///< 0: the connection has ended without one
      std::string head, body;
      [[nodiscard]] std::string header(std::string_view name) const {
        for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
          const std::string line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
          const auto colon = line.find(": ");
          if (colon != std::string::npos && same_letters(line.substr(0, colon), name)) return line.substr(colon + 2);
        }
        return "none";
      }
      [[nodiscard]] json parsed() const { return json::parse(body); }
      /// Whether the connection stays open after it.
      [[nodiscard]] bool stays() const { return header("Connection") == "none"; }
    };

    explicit HttpClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(port);
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
        throw std::runtime_error("can't connect");
    }
    void send(std::string_view bytes) {
      while (!bytes.empty()) {
        const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) throw std::runtime_error("the edge does not take more");
        bytes.remove_prefix(static_cast<std::size_t>(n));
      }
    }
    /// The next response; `bodiless`: it is to a HEAD.
    Response read(bool bodiless = false) {
      Response out;
      std::size_t end;
      while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
        if (!more()) return out;
      }
      out.head = in_.substr(0, end + 2);
      in_.erase(0, end + 4);
      out.status = std::stoi(out.head.substr(std::string_view("HTTP/1.1 ").size(), 3));
      const std::string length = out.header("Content-Length");
      const std::size_t size = bodiless || length == "none" ? 0 : std::stoul(length);
      while (in_.size() < size) {
        if (!more()) throw std::runtime_error("the connection ended in a body: " + in_);
      }
      out.body = in_.substr(0, size);
      in_.erase(0, size);
      return out;
    }
    /// Whether the edge has ended the connection, and sends nothing before that.
    bool ended() { return in_.empty() && !more(); }
    bool silent(int ms = 60) const {
      pollfd readable{fd_.get(), POLLIN, 0};
      return in_.empty() && ::poll(&readable, 1, ms) == 0;
    }
    std::string read_bytes(std::size_t size) {
      while (in_.size() < size) {
        if (!more()) throw std::runtime_error("the connection ended: " + in_);
      }
      std::string out = in_.substr(0, size);
      in_.erase(0, size);
      return out;
    }
    void end_own_side() { ::shutdown(fd_.get(), SHUT_WR); }

   private:
    bool more() {
      pollfd readable{fd_.get(), POLLIN, 0};
      if (::poll(&readable, 1, Consumer::patience_ms) <= 0) throw std::runtime_error("nothing came in time");
      char buffer[16384];
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (n <= 0) return false;
      in_.append(buffer, static_cast<std::size_t>(n));
      return true;
    }
    shm::UniqueFd fd_;
    std::string in_;
  };

  using Headers = std::vector<std::string>;

  static std::string head(std::string_view method, std::string_view target, const Headers& headers,
                          std::string_view token = "secret") {
    std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: gw.test\r\n";
    if (!token.empty()) out += "Authorization: Bearer " + std::string(token) + "\r\n";
    for (const std::string& header : headers) out += header + "\r\n";
    return out + "\r\n";
  }
  static std::string post(std::string_view target, std::string_view body, Headers headers = {},
                          std::string_view token = "secret") {
    headers.push_back("Content-Length: " + std::to_string(body.size()));
    return head("POST", target, headers, token) + std::string(body);
  }
  static std::string get(std::string_view target, const Headers& headers = {}, std::string_view token = "secret") {
    return head("GET", target, headers, token);
  }

  struct Opened {
    records::OpenSession session;  ///< without its texts
    CredentialKind kind{};
    std::string token, peer;
  };
  Opened open() {
    const auto asked = meshd_->open();
    return {{asked.session, asked.serial, asked.session_id, asked.kind, "", ""},
            asked.kind,
            std::string(asked.credential),
            std::string(asked.peer)};
  }
  Opened accept() {
    Opened out = open();
    meshd_->accept(out.session);
    return out;
  }
  /// A client whose first call is answered, so that it has a session and an idle connection.
  std::unique_ptr<HttpClient> connected(Opened* opened = nullptr) {
    auto client = std::make_unique<HttpClient>(port_);
    client->send(post("/call/demo/echo", "{}"));
    const Opened session = accept();
    if (opened) *opened = session;
    meshd_->answer(meshd_->request(), "0");
    EXPECT_EQ(client->read().status, 200);
    return client;
  }
  /// One request on its own connection that is answered without meshd.
  HttpClient::Response once(const std::string& request) {
    HttpClient client(port_);
    client.send(request);
    return client.read();
  }
};

// A call

TEST_F(EdgeCallsTest, ACallIsARequestAndItsResultTheBody) {
  start_attached();
  HttpClient client(port_);
  client.send(post("/call/demo/echo", R"({"x": 1})", {"X-Request-Id: t"}));
  const Opened opened = accept();
  EXPECT_EQ(opened.kind, CredentialKind::header);
  EXPECT_EQ(opened.token, "secret");
  EXPECT_THAT(opened.peer, HasSubstr("127.0.0.1:"));
  const auto asked = meshd_->request();
  EXPECT_EQ(asked.second.service, "demo");
  EXPECT_EQ(asked.second.method, "echo");
  EXPECT_EQ(asked.second.params, R"({"x": 1})");
  EXPECT_EQ(asked.second.trace_id, "\"t\"");
  EXPECT_TRUE(client.silent());
  meshd_->answer(asked, R"({"y": 2})");
  const auto response = client.read();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"y": 2})");
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("X-Request-Id"), "t");
  EXPECT_EQ(response.header("Cache-Control"), "no-store");
  EXPECT_EQ(response.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(response.header("Vary"), "none");
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "none");
  EXPECT_TRUE(response.stays());
  EXPECT_TRUE(client.silent()) << "and nothing else";
}

TEST_F(EdgeCallsTest, CallsOfOneTokenShareASession) {
  start_attached();
  HttpClient client(port_);
  client.send(post("/call/demo/echo", "1"));
  const Opened opened = accept();
  for (const char* const params : {"1", "2", "3"}) {
    if (params[0] != '1') client.send(post("/call/demo/echo", params));
    const auto asked = meshd_->request();  // and not another open_session
    EXPECT_EQ(asked.second.session, opened.session.session);
    EXPECT_EQ(asked.second.params, params);
    meshd_->answer(asked, params);
    EXPECT_EQ(client.read().body, params);
  }
  EXPECT_EQ(health()["sessions"], 1);
}

TEST_F(EdgeCallsTest, AnotherTokenOnAConnectionIsAnotherSession) {
  start_attached();
  Opened first;
  const auto client = connected(&first);
  client->send(post("/call/demo/echo", "{}", {}, "other"));
  const auto closed = meshd_->closed();
  EXPECT_EQ(closed.session, first.session.session);
  EXPECT_EQ(closed.serial, first.session.serial);
  EXPECT_FALSE(closed.lost) << "nobody can resume it";
  const Opened second = accept();
  EXPECT_EQ(second.token, "other");
  const auto asked = meshd_->request();
  EXPECT_EQ(asked.second.session, second.session.session);
  meshd_->answer(asked, "\"second\"");
  EXPECT_EQ(client->read().body, "\"second\"");
  EXPECT_EQ(health()["sessions"], 1);
}

TEST_F(EdgeCallsTest, CommandsEventsAndDescriptions) {
  start_attached();
  const auto client = connected();
  client->send(post("/command/demo/note", "[1]"));
  const auto command = meshd_->next<records::Request>(Type::command);
  EXPECT_EQ(command.second.method, "note");
  meshd_->answer(command, "null");
  const auto accepted = client->read();
  EXPECT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.body, "");
  EXPECT_EQ(accepted.header("Content-Length"), "0");

  client->send(post("/event/orders.new?target=ann", "\"text\""));
  const auto event = meshd_->next<records::Event>(Type::event);
  EXPECT_EQ(event.second.topic, "orders.new");
  EXPECT_EQ(event.second.event, "\"text\"");
  EXPECT_EQ(event.second.target, R"(["ann"])");
  meshd_->send(Type::response, records::Response{event.second.session, "null", "null"}, event.first.sequence);
  EXPECT_EQ(client->read().status, 202);

  client->send(get("/services/demo"));
  const auto described = meshd_->next<records::Request>(Type::describe);
  EXPECT_EQ(described.second.service, "demo");
  meshd_->answer(described, R"({"methods":[]})");
  EXPECT_EQ(client->read().body, R"({"methods":[]})");

  client->send(head("HEAD", "/services/demo", {}));
  meshd_->answer(meshd_->next<records::Request>(Type::describe), R"({"methods":[]})");
  const auto bodiless = client->read(true);
  EXPECT_EQ(bodiless.status, 200);
  EXPECT_EQ(bodiless.header("Content-Length"), "14");
  EXPECT_TRUE(client->silent()) << "no body follows";
}

TEST_F(EdgeCallsTest, AnErrorHasAStatusAndTheConnectionStays) {
  start_attached();
  const auto client = connected();
  client->send(post("/call/demo/echo", "{}", {"X-Request-Id: t"}));
  meshd_->answer(meshd_->request(), "null", R"({"error":"ValueError","description":"no"})");
  const auto failed = client->read();
  EXPECT_EQ(failed.status, 502);
  EXPECT_EQ(failed.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(failed.header("X-Request-Id"), "t");
  EXPECT_EQ(failed.parsed()["error"], "ValueError");
  EXPECT_TRUE(failed.stays());
  client->send(post("/call/demo/echo", "{}"));
  meshd_->answer(meshd_->request(), "1");
  EXPECT_EQ(client->read().body, "1");
}

// The connection

TEST_F(EdgeCallsTest, RequestsSentAheadAreAnsweredInOrder) {
  start_attached();
  HttpClient client(port_);
  client.send(post("/call/demo/first", "1") + post("/call/demo/second", "2") + get("/nothing") +
              post("/call/demo/third", "3"));
  accept();
  const auto first = meshd_->request();
  EXPECT_EQ(first.second.method, "first");
  EXPECT_TRUE(client.silent());
  EXPECT_TRUE(meshd_->quiet()) << "one at a time";
  meshd_->answer(first, "\"1st\"");
  meshd_->answer(meshd_->request(), "\"2nd\"");
  meshd_->answer(meshd_->request(), "\"3rd\"");
  EXPECT_EQ(client.read().body, "\"1st\"");
  EXPECT_EQ(client.read().body, "\"2nd\"");
  EXPECT_EQ(client.read().status, 404);
  EXPECT_EQ(client.read().body, "\"3rd\"");
}

TEST_F(EdgeCallsTest, ABodyMayBeChunked) {
  start_attached();
  HttpClient client(port_);
  client.send(head("POST", "/call/demo/echo", {"Transfer-Encoding: chunked"}));
  accept();
  for (const char c : std::string_view("3\r\n{\"x\r\n4\r\n\":1}\r\n0\r\n")) client.send({&c, 1});
  EXPECT_TRUE(client.silent() && meshd_->quiet());
  client.send("\r\n" + post("/call/demo/next", "2"));
  const auto asked = meshd_->request();
  EXPECT_EQ(asked.second.params, "{\"x\":1}");
  meshd_->answer(asked, "1");
  EXPECT_EQ(client.read().status, 200);
  EXPECT_EQ(meshd_->request().second.method, "next");
}

TEST_F(EdgeCallsTest, AClientThatWaitsToSendItsBodyIsToldToGoOn) {
  start_attached();
  const auto client = connected();
  client->send(head("POST", "/call/demo/echo", {"Content-Length: 1", "Expect: 100-continue"}, "other"));
  meshd_->closed();
  const Opened opened = open();
  EXPECT_TRUE(client->silent()) << "not before its token is accepted";
  meshd_->accept(opened.session);
  EXPECT_EQ(client->read().status, 100);
  client->send("7");
  const auto asked = meshd_->request();
  EXPECT_EQ(asked.second.params, "7");
  meshd_->answer(asked, "1");
  EXPECT_EQ(client->read().status, 200);

  client->send(post("/call/demo/echo", "8", {"Expect: 100-continue"}, "other"));
  meshd_->answer(meshd_->request(), "1");
  EXPECT_EQ(client->read().status, 200) << "this one did not wait";
  client->send(head("POST", "/call/demo", {"Content-Length: 1", "Expect: 100-continue"}, "other"));
  const auto refused = client->read();
  EXPECT_EQ(refused.status, 404) << "nothing more is wanted of this one";
  EXPECT_FALSE(refused.stays());
}

TEST_F(EdgeCallsTest, ABodyIsReadOnceTheTokenIsAccepted) {
  start_attached();
  HttpClient client(port_);
  client.send(head("POST", "/call/demo/echo", {"Transfer-Encoding: chunked"}) + "these are no chunks\r\n");
  const Opened opened = open();
  EXPECT_TRUE(client.silent());
  meshd_->accept(opened.session);
  const auto refused = client.read();
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
  EXPECT_FALSE(refused.stays());
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(meshd_->closed().session, opened.session.session);
}

TEST_F(EdgeCallsTest, AClientOfHttp10GetsOneResponseUnlessItWantsMore) {
  start_attached();
  const auto client = connected();
  const auto request = [](const std::string& more) {
    return "POST /call/demo/echo HTTP/1.0\r\nAuthorization: Bearer secret\r\n" + more + "Content-Length: 1\r\n\r\n1";
  };
  client->send(request("Connection: keep-alive\r\n"));
  meshd_->answer(meshd_->request(), "1");
  EXPECT_EQ(client->read().header("Connection"), "keep-alive");
  client->send(request(""));
  meshd_->answer(meshd_->request(), "1");
  EXPECT_EQ(client->read().header("Connection"), "close");
  EXPECT_TRUE(client->ended());
  EXPECT_FALSE(meshd_->closed().lost);
}

TEST_F(EdgeCallsTest, AClientThatWantsNoMoreIsClosed) {
  start_attached();
  const auto client = connected();
  client->send(post("/call/demo/echo", "1", {"Connection: close"}) + post("/call/demo/never", "1"));
  meshd_->answer(meshd_->request(), "1");
  const auto response = client->read();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(client->ended());
  EXPECT_FALSE(meshd_->closed().lost);
}

TEST_F(EdgeCallsTest, TheFirstRequestOfAConnectionIsReadLikeAnyOther) {
  start_attached();
  const auto first = [&](const std::string& request) {
    HttpClient client(port_);
    client.send(request);
    accept();
    meshd_->answer(meshd_->request(), "1");
    return client.read();
  };
  EXPECT_EQ(first(post("/call/demo/echo", "1", {"Connection: close"})).header("Connection"), "close");
  meshd_->closed();
  const std::string old =
      "POST /call/demo/echo HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: 1\r\n";
  EXPECT_EQ(first(old + "\r\n1").header("Connection"), "close");
  meshd_->closed();
  EXPECT_EQ(first(old + "Connection: keep-alive\r\n\r\n1").header("Connection"), "keep-alive");
  meshd_->closed();
  HttpClient waiting(port_);
  waiting.send(head("POST", "/call/demo/echo", {"Content-Length: 1", "Expect: 100-continue"}));
  accept();
  ASSERT_FALSE(waiting.silent(1000)) << "it is not told to go on";
  EXPECT_EQ(waiting.read().status, 100);
}

TEST_F(EdgeCallsTest, AnIdleConnectionIsClosed) {
  config_.http.keep_alive_s = 1;
  start_attached();
  Opened opened;
  const auto client = connected(&opened);
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(meshd_->closed().session, opened.session.session);
}

TEST_F(EdgeCallsTest, AWebSocketMayBeginOnAConnectionThatWasUsedForCalls) {
  start_attached();
  Opened opened;
  const auto client = connected(&opened);
  client->send(Consumer::upgrade("/websocket", {"Authorization: Bearer secret"}));
  EXPECT_EQ(meshd_->closed().session, opened.session.session) << "the session of the calls ends";
  const Opened again = accept();
  EXPECT_EQ(again.token, "secret");
  EXPECT_EQ(client->read(true).status, 101);
  const std::string frame = client->read_bytes(2);
  const std::string hello = client->read_bytes(static_cast<unsigned char>(frame[1]) == 126 ? 2 : 1);
  EXPECT_EQ(frame[0], '\x81') << "a text";
  client->send(Consumer::frame(call("t")));
  EXPECT_EQ(meshd_->request().second.trace_id, "\"t\"");
}

TEST_F(EdgeCallsTest, AHandshakeThatDoesNotWaitForAResponseIsRefused) {
  start_attached();
  HttpClient client(port_);
  client.send(post("/call/demo/echo", "1") + Consumer::upgrade("/websocket", {"Authorization: Bearer secret"}));
  accept();
  meshd_->answer(meshd_->request(), "1");
  EXPECT_EQ(client.read().status, 200);
  const auto refused = client.read();
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.parsed()["detail"].get<std::string>(), HasSubstr("handshake"));
}

TEST_F(EdgeCallsTest, AConnectionForCallsAnswersProbesToo) {
  start_attached();
  const auto client = connected();
  client->send(get("/healthz", {}, ""));
  const auto probe = client->read();
  EXPECT_EQ(probe.status, 200);
  EXPECT_EQ(probe.parsed()["status"], "ok");
  client->send(post("/call/demo/echo", "1"));
  EXPECT_EQ(meshd_->request().second.params, "1") << "with the session that it had";
}

TEST_F(EdgeCallsTest, EachRequestHasToNameAHostOfThisGateway) {
  config_.listen.hosts = {"gw.test"};
  start_attached();
  const auto client = connected();
  client->send("POST /call/demo/echo HTTP/1.1\r\nHost: evil.test\r\nAuthorization: Bearer secret\r\n\r\n");
  EXPECT_EQ(client->read().status, 421);
  EXPECT_TRUE(meshd_->quiet());
}

TEST_F(EdgeCallsTest, BehindAProxyEachRequestHasItsOwnClient) {
  config_.listen.trusted_proxies = {"127.0.0.0/8"};
  start_attached();
  HttpClient client(port_);
  const auto called = [&](const char* address, const char* token) {
    client.send(post("/call/demo/echo", "1", {"X-Forwarded-For: " + std::string(address)}, token));
    if (token != std::string_view("a")) meshd_->closed();
    const Opened opened = accept();
    meshd_->answer(meshd_->request(), "1");
    EXPECT_EQ(client.read().status, 200);
    return opened.peer;
  };
  EXPECT_EQ(called("203.0.113.7", "a"), "203.0.113.7");
  EXPECT_EQ(called("203.0.113.8", "b"), "203.0.113.8");
  client.send(post("/call/demo/echo", "1", {"X-Forwarded-For: unknown"}, "b"));
  EXPECT_EQ(client.read().status, 400);
}

// Requests that are refused

TEST_F(EdgeCallsTest, ACallWithoutATokenIsRefused) {
  start_attached();
  ASSERT_TRUE(eventually([&] { return health()["attached"] == true; }));
  for (const Headers& headers : {Headers{}, Headers{"Cookie: Authorization=secret"}}) {
    const auto refused = once(post("/call/demo/echo", "{}", headers, ""));
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(refused.header("WWW-Authenticate"), "Bearer");
    EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(refused.parsed()["error"], "NuropbAuthenticationError");
  }
  EXPECT_TRUE(meshd_->quiet()) << "meshd is asked about neither of them";
}

TEST_F(EdgeCallsTest, ARefusedTokenIs401) {
  start_attached();
  HttpClient client(port_);
  client.send(post("/call/demo/echo", "{}"));
  const Opened opened = open();
  meshd_->send(Type::session_refused,
               records::SessionRefused{opened.session.session, opened.session.serial, 4501, "token refused"});
  const auto refused = client.read();
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(refused.parsed()["detail"], "token refused");
  EXPECT_EQ(meshd_->closed().session, opened.session.session);
  EXPECT_TRUE(meshd_->quiet()) << "and nothing was called";
}

TEST_F(EdgeCallsTest, NoVerdictInTimeIsNotARefusal) {
  config_.auth.verdict_timeout_ms = 50;
  start_attached();
  HttpClient client(port_);
  client.send(post("/call/demo/echo", "{}"));
  open();
  const auto refused = client.read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
}

TEST_F(EdgeCallsTest, WithoutMeshdItSaysComeAgain) {
  start();
  const auto refused = once(post("/call/demo/echo", "{}"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
}

TEST_F(EdgeCallsTest, MistakesInTheHeadAreAnsweredBeforeTheToken) {
  start_attached();
  EXPECT_EQ(once(post("/call/demo", "{}", {}, "")).status, 404);
  EXPECT_EQ(once(post("/call/demo/echo?tll=5", "{}", {}, "")).status, 400);
  EXPECT_EQ(once(post("/call/demo/echo", "{}", {"Content-Encoding: gzip"}, "")).status, 415);
  const auto wrong = once(get("/call/demo/echo", {}, ""));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "POST, OPTIONS");
  EXPECT_FALSE(wrong.stays()) << "a stranger holds no place";
  EXPECT_TRUE(meshd_->quiet());
}

TEST_F(EdgeCallsTest, ABodyThatIsNoJsonIsAMistakeAndTheConnectionStays) {
  start_attached();
  const auto client = connected();
  for (const std::string& body :
       {std::string("{nonsense"), std::string("1},\"x\":{"), std::string(255, '[') + std::string(255, ']')}) {
    client->send(post("/call/demo/echo", body));
    const auto refused = client->read();
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_TRUE(refused.stays());
  }
  EXPECT_TRUE(meshd_->quiet());
  client->send(post("/call/demo/echo", "1"));
  EXPECT_EQ(meshd_->request().second.params, "1");
}

TEST_F(EdgeCallsTest, ABodyMayBeOnlyAsLargeAsAMessage) {
  config_.limits.message_bytes = 1000;
  start_attached();
  const std::string large = "\"" + std::string(1000, 'x') + "\"";
  EXPECT_EQ(once(post("/call/demo/echo", large)).status, 413) << "as the first request";
  const auto client = connected();
  client->send(post("/call/demo/echo", "\"" + std::string(980, 'x') + "\""));
  const auto by_envelope = client->read();
  EXPECT_EQ(by_envelope.status, 413) << "with its envelope it is too large";
  EXPECT_TRUE(by_envelope.stays());
  client->send(head("POST", "/call/demo/echo", {"Transfer-Encoding: chunked"}) + "3ea\r\n");
  const auto by_chunk = client->read();
  EXPECT_EQ(by_chunk.status, 413);
  EXPECT_FALSE(by_chunk.stays());
  EXPECT_TRUE(client->ended());
  EXPECT_FALSE(meshd_->closed().lost);
  const auto other = connected();
  other->send(post("/call/demo/echo", large));
  EXPECT_EQ(other->read().status, 413) << "as a later request";
}

TEST_F(EdgeCallsTest, ABodyHasToArriveInTime) {
  config_.limits.message_ms = 100;
  start_attached();
  for (const char* const part : {"", "\"abc"}) {
    const auto client = connected();
    client->send(head("POST", "/call/demo/echo", {"Content-Length: 7"}) + part);
    const auto late = client->read();
    EXPECT_EQ(late.status, 408) << part;
    EXPECT_FALSE(late.stays());
    meshd_->closed();
  }
}

TEST_F(EdgeCallsTest, AHeadHasToArriveInTime) {
  config_.limits.handshake_ms = 100;
  start_attached();
  const auto client = connected();
  client->send("POST /call/demo/echo HTTP/1.1\r\nHost:");
  const auto late = client->read();
  EXPECT_EQ(late.status, 408);
  EXPECT_FALSE(late.stays());
  EXPECT_TRUE(client->ended());
}

TEST_F(EdgeCallsTest, WhatIsNotHttpIsRefusedOnAConnectionForCallsToo) {
  start_attached();
  const auto client = connected();
  client->send("NOT HTTP\r\n\r\n");
  const auto refused = client->read();
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
  EXPECT_FALSE(refused.stays());
}

TEST_F(EdgeCallsTest, CallsOverTheRateOfASessionAreToldToWait) {
  config_.limits.connection = {1, 1, 0, 0};
  start_attached();
  const auto client = connected();
  client->send(post("/call/demo/echo", "1") + post("/call/demo/echo", "2"));
  const auto refused = client->read();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_THAT(refused.body, HasSubstr("limits.messages_per_s"));
}

TEST_F(EdgeCallsTest, OnlyAWebSocketsRequestsHaveNoBody) {
  start_attached();
  EXPECT_EQ(once(post("/healthz", "1", {}, "")).status, 413);
  EXPECT_EQ(once(post("/elsewhere", "1")).status, 413);
  EXPECT_EQ(once(get("/elsewhere")).status, 404);
}

TEST_F(EdgeCallsTest, CallsMayBeTurnedOff) {
  config_.http.enabled = false;
  start_attached();
  EXPECT_EQ(once(post("/call/demo/echo", "{}")).status, 413);
  EXPECT_EQ(once(head("POST", "/call/demo/echo", {})).status, 404);
  EXPECT_EQ(once(get("/services/demo")).status, 404);
  EXPECT_TRUE(meshd_->quiet());
}

// Pages of other origins

TEST_F(EdgeCallsTest, APageOfAnotherOriginMayNotCall) {
  config_.listen.origins = {"https://app.test"};
  start_attached();
  for (const char* const method : {"POST", "OPTIONS"}) {
    const auto refused = once(head(method, "/call/demo/echo", {"Origin: https://evil.test"}));
    EXPECT_EQ(refused.status, 403) << method;
    EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), "none") << method;
    EXPECT_EQ(refused.header("Vary"), "Origin") << method;
  }
  EXPECT_TRUE(meshd_->quiet());
}

TEST_F(EdgeCallsTest, APageOfAnAllowedOriginMayCall) {
  config_.listen.origins = {"https://app.test"};
  start_attached();
  const auto preflight = once(head("OPTIONS", "/call/demo/echo",
                                   {"Origin: https://app.test", "Access-Control-Request-Method: POST",
                                    "Access-Control-Request-Headers: authorization,content-type"},
                                   ""));
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("Content-Length"), "none");
  EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "https://app.test");
  EXPECT_EQ(preflight.header("Access-Control-Allow-Methods"), "GET, POST");
  EXPECT_THAT(preflight.header("Access-Control-Allow-Headers"), HasSubstr("Authorization"));
  EXPECT_EQ(preflight.header("Vary"), "Origin");
  EXPECT_FALSE(preflight.stays()) << "a stranger holds no place";
  EXPECT_TRUE(meshd_->quiet());

  HttpClient client(port_);
  client.send(post("/call/demo/echo", "1", {"Origin: https://app.test"}));
  accept();
  meshd_->answer(meshd_->request(), "1");
  const auto response = client.read();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "https://app.test");
  EXPECT_THAT(response.header("Access-Control-Expose-Headers"), HasSubstr("X-Request-Id"));
  client.send(post("/call/demo/echo", "2"));
  meshd_->answer(meshd_->request(), "2");
  EXPECT_EQ(client.read().header("Access-Control-Allow-Origin"), "none") << "this one is no page's";
}

// The end of a session, and of the wait

TEST_F(EdgeCallsTest, ASessionThatEndedBetweenTwoCallsIsFollowedByAnother) {
  start_attached();
  Opened first;
  const auto client = connected(&first);
  meshd_->send(Type::end_session,
               records::EndSession{first.session.session, first.session.serial, 4401, "token expired"});
  EXPECT_EQ(meshd_->closed().session, first.session.session);
  EXPECT_TRUE(client->silent()) << "its connection stays";
  client->send(post("/call/demo/echo", "1"));
  const Opened second = accept();
  EXPECT_EQ(second.token, "secret");
  EXPECT_NE(second.session.serial, first.session.serial);
  meshd_->answer(meshd_->request(), "1");
  EXPECT_EQ(client->read().body, "1");
}

TEST_F(EdgeCallsTest, ASessionThatEndsDuringACallLeavesItsOutcomeUnknown) {
  start_attached();
  Opened opened;
  const auto client = connected(&opened);
  client->send(post("/call/demo/echo", "1", {"X-Request-Id: t"}));
  meshd_->request();
  meshd_->send(Type::end_session, records::EndSession{opened.session.session, opened.session.serial, 4502, "kicked"});
  const auto unknown = client->read();
  EXPECT_EQ(unknown.status, 424);
  EXPECT_EQ(unknown.header("X-Request-Id"), "t");
  EXPECT_EQ(unknown.parsed()["outcome"], "unknown");
  EXPECT_THAT(unknown.parsed()["detail"].get<std::string>(), HasSubstr("kicked"));
  EXPECT_TRUE(unknown.stays());
  EXPECT_EQ(meshd_->closed().session, opened.session.session);
}

TEST_F(EdgeCallsTest, ASessionThatEndsDuringABodyHasCalledNothing) {
  start_attached();
  Opened opened;
  const auto client = connected(&opened);
  client->send(head("POST", "/call/demo/echo", {"Content-Length: 7"}) + "\"a");
  EXPECT_TRUE(client->silent());
  meshd_->send(Type::end_session, records::EndSession{opened.session.session, opened.session.serial, 4502, "kicked"});
  const auto refused = client->read();
  EXPECT_EQ(refused.status, 401);
  EXPECT_FALSE(refused.parsed().contains("outcome"));
  EXPECT_FALSE(refused.stays());
}

TEST_F(EdgeCallsTest, MeshdsDeathDuringACallLeavesItsOutcomeUnknown) {
  start_attached();
  const auto client = connected();
  client->send(post("/call/demo/echo", "1"));
  meshd_->request();
  meshd_.reset();
  const auto unknown = client->read();
  EXPECT_EQ(unknown.status, 424);
  EXPECT_EQ(unknown.parsed()["outcome"], "unknown");
}

TEST_F(EdgeCallsTest, ACallThatWasSentAndIsNotAnsweredInTimeHasAnUnknownOutcome) {
  start_attached();
  const auto client = connected();
  client->send(post("/call/demo/slow?ttl=30", "1"));
  const auto asked = meshd_->request();
  const auto late = client->read();
  EXPECT_EQ(late.status, 424);
  EXPECT_EQ(late.parsed()["error"], "NuropbTimeoutError");
  EXPECT_EQ(late.parsed()["outcome"], "unknown");
  EXPECT_TRUE(late.stays());
  meshd_->answer(asked, "\"late\"");
  client->send(post("/call/demo/echo", "2"));
  meshd_->answer(meshd_->request(), "\"in time\"");
  EXPECT_EQ(client->read().body, "\"in time\"") << "the late answer is nobody's";
}

TEST_F(EdgeCallsTest, ACallThatWasNotSentInTimeMayBeRepeated) {
  start_attached();
  const auto client = connected();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return health()["broker"] == "away"; }));
  client->send(post("/call/demo/echo?ttl=30", "1"));
  const auto late = client->read();
  EXPECT_EQ(late.status, 504);
  EXPECT_FALSE(late.parsed().contains("outcome"));
  EXPECT_TRUE(meshd_->quiet());
  client->send(post("/call/demo/echo", "2"));
  EXPECT_TRUE(client->silent());
  meshd_->set_broker(shm::BrokerState::ready);
  meshd_->answer(meshd_->request(), "2");
  EXPECT_EQ(client->read().body, "2") << "and it goes on";
}

TEST_F(EdgeCallsTest, AClientThatHangsUpEndsItsSession) {
  start_attached();
  Opened opened;
  std::pair<shm::RecordHeader, records::Request> asked;
  {
    const auto client = connected(&opened);
    client->send(post("/call/demo/echo", "1"));
    asked = meshd_->request();
  }
  const auto closed = meshd_->closed();
  EXPECT_EQ(closed.session, opened.session.session);
  EXPECT_FALSE(closed.lost);
  meshd_->answer(asked, "1");  // to no client
  EXPECT_TRUE(eventually([&] { return counter(shm::EdgeCounter::late_responses) == 1; }));
  const auto now = health();
  EXPECT_EQ(now["sessions"], 0);
  EXPECT_EQ(now["connections"], 0);
  EXPECT_EQ(now["pending"], 0);
}

TEST_F(EdgeCallsTest, AClientThatHangsUpBeforeItsVerdictEndsItsSession) {
  start_attached();
  Opened opened;
  {
    HttpClient client(port_);
    client.send(post("/call/demo/echo", "1"));
    opened = open();
  }
  EXPECT_EQ(meshd_->closed().session, opened.session.session);
  meshd_->accept(opened.session);
  EXPECT_EQ(health()["sessions"], 0);
}

TEST_F(EdgeCallsTest, AClientThatEndsItsOwnSideHasLeft) {
  start_attached();
  const auto client = connected();
  client->send(post("/call/demo/echo", "1"));
  meshd_->request();
  client->end_own_side();
  EXPECT_FALSE(meshd_->closed().lost);
  EXPECT_TRUE(client->ended());
}

TEST_F(EdgeCallsTest, PushedMessagesDoNotReachIt) {
  start_attached();
  Opened opened;
  const auto client = connected(&opened);
  std::string refs;
  records::SessionRefs::append(refs, {opened.session.session, opened.session.serial});
  const auto taken = [&] { return meshd_->next<records::Pushed>(Type::pushed).second.taken; };
  meshd_->send(Type::push, records::Push{1, true, false, {}, R"({"to":"all"})"});
  EXPECT_EQ(taken(), 0u);
  meshd_->send(Type::push, records::Push{2, false, false, records::SessionRefs(refs), R"({"to":"one"})"});
  EXPECT_EQ(taken(), 0u);
  meshd_->send(Type::session_notice,
               records::SessionNotice{opened.session.session, opened.session.serial, R"({"type":"event"})"});
  client->send(post("/call/demo/echo", "1"));
  const auto asked = meshd_->request();
  meshd_->send(Type::push, records::Push{3, true, false, {}, R"({"to":"all"})"});
  EXPECT_EQ(taken(), 0u);
  meshd_->answer(asked, "1");
  EXPECT_EQ(client->read().body, "1");
  EXPECT_TRUE(client->silent());
}

// Shutdown

TEST_F(EdgeCallsTest, ADrainClosesIdleConnectionsAndFinishesWhatIsPending) {
  config_.drain.limit_ms = 10'000;
  start_attached();
  const auto idle = connected();
  const auto busy = connected();
  busy->send(post("/call/demo/echo", "1"));
  const auto asked = meshd_->request();
  signal_edge();
  EXPECT_TRUE(idle->ended());
  EXPECT_TRUE(busy->silent());
  meshd_->answer(asked, "\"last\"");
  const auto response = busy->read();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "\"last\"");
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(busy->ended());
  thread_.join();
  EXPECT_EQ(ended_.get(), 0);
}

TEST_F(EdgeCallsTest, ADrainHasALimitAndLeavesNoCallWithoutAnOutcome) {
  config_.drain.limit_ms = 50;
  start_attached();
  const auto client = connected();
  client->send(post("/call/demo/echo", "1"));
  meshd_->request();
  signal_edge();
  const auto unknown = client->read();
  EXPECT_EQ(unknown.status, 424);
  EXPECT_EQ(unknown.parsed()["outcome"], "unknown");
  EXPECT_EQ(unknown.header("Connection"), "close");
  thread_.join();
  EXPECT_EQ(ended_.get(), 0);
}

}  // namespace
}  // namespace nuropb::edge
