// A whole edge with backends.

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

class EdgeBackend : public EdgeTest {
 protected:
  EdgeBackend() {
    config_.backend.key_file = "somewhere: an edge never opens it";
    config_.backend.port = 0;
  }
  static std::string post(std::string_view body, std::string_view more = "X-Backend-Key: k\r\n") {
    return "POST /backend HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + std::string(more) + "\r\n" + std::string(body);
  }
  std::string ask(const std::string& request) {
    Consumer backend(edge_->backend_port());
    backend.send_bytes(request);
    return backend.read_to_end();
  }
  std::pair<shm::RecordHeader, records::BackendCall> next_call() {
    return meshd_->next<records::BackendCall>(Type::backend_call);
  }
};

constexpr const char* publish = R"({"service":"s","message":{"command":"publish","params":{"x":1},"callId":7}})";

TEST_F(EdgeBackend, AnEnvelopeThereAndOneBack) {
  start_attached();
  Consumer backend(edge_->backend_port());
  backend.send_bytes(post(publish));
  const auto [header, call] = next_call();
  EXPECT_EQ(call.key, "k");
  EXPECT_EQ(call.service, "s");
  EXPECT_EQ(call.command, "publish");
  EXPECT_EQ(call.call_id, "7");
  EXPECT_EQ(call.params, R"({"x":1})");
  meshd_->send(Type::backend_answer, records::BackendAnswer{200, "the answer"}, header.sequence);
  const std::string answer = backend.read_to_end();
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/json"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nthe answer\n"));
  meshd_->send(Type::backend_answer, records::BackendAnswer{200, "a second one"}, header.sequence);
  EXPECT_TRUE(eventually([&] { return counter(shm::EdgeCounter::late_responses) == 1; }));
}

TEST_F(EdgeBackend, WithoutAKeyNobodyLearnsWhatElseIsWrong) {
  start_attached();
  for (const int verdict : {401, 204}) {
    Consumer backend(edge_->backend_port());
    backend.send_bytes(post("nonsense"));
    const auto [header, call] = next_call();
    EXPECT_EQ(call.service, "");
    meshd_->send(Type::backend_answer,
                 records::BackendAnswer{static_cast<std::uint16_t>(verdict), verdict == 401 ? "Invalid API key" : ""},
                 header.sequence);
    EXPECT_THAT(backend.read_to_end(), verdict == 401 ? HasSubstr("Invalid API key") : HasSubstr("Invalid JSON"));
  }
  EXPECT_THAT(ask(post(publish, "")), HasSubstr("Missing X-Backend-Key header"));
  EXPECT_TRUE(meshd_->quiet());
}

TEST_F(EdgeBackend, EveryCallEnds) {
  config_.backend.timeout_ms = 500;
  start_attached();
  EXPECT_THAT(ask(post(publish)), HasSubstr("HTTP/1.1 504"));
  config_.backend.timeout_ms = 60'000;
  next_call();
  Consumer backend(edge_->backend_port());
  backend.send_bytes(post(publish));
  next_call();
  meshd_ = nullptr;
  const std::string answer = backend.read_to_end();
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(answer, HasSubstr(R"("outcome":"unknown")"));
  EXPECT_THAT(ask(post(publish)), HasSubstr("HTTP/1.1 503"));
}

TEST_F(EdgeBackend, StoppingWaitsForCallsAndTakesNoMore) {
  config_.drain.limit_ms = 10'000;
  start_attached();
  Consumer backend(edge_->backend_port()), idle(edge_->backend_port());
  backend.send_bytes(post(publish));
  const auto [header, call] = next_call();
  signal_edge();
  EXPECT_EQ(idle.read_to_end(), "") << "a connection without a request is closed";
  meshd_->send(Type::backend_answer, records::BackendAnswer{200, "in time"}, header.sequence);
  EXPECT_THAT(backend.read_to_end(), HasSubstr("in time"));
  thread_.join();
  edge_.reset();
  EXPECT_EQ(ended_.get(), 0);
}

}  // namespace
}  // namespace nuropb::edge
