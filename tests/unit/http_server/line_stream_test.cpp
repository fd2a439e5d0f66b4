#include "common/http/line_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http_server/running_server.hpp"

namespace nuropb {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LineStreamTest : public ::testing::Test {
 protected:
  /// It keeps a connection alive, which must not outlive the io_context.
  ~LineStreamTest() override {
    running_.on_thread([&] { lines_.reset(); });
  }
  /// Includes what is written before the server has the response.
  void begin(const std::string& early) {
    lines_->write(early);
    client_.send("POST /tap HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    EXPECT_EQ(client_.until("\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: application/x-ndjson\r\n"
              "Connection: close\r\n\r\n");
    EXPECT_EQ(client_.until("\n"), early + "\n");
  }
  void write(const std::string& line) {
    running_.on_thread([&] { lines_->write(line); });
  }
  bool gone() {
    bool out = false;
    running_.on_thread([&] { out = lines_->gone(); });
    return out;
  }

  std::shared_ptr<LineStream> lines_ = std::make_shared<LineStream>(1000);
  RunningServer running_{{"tests", {}, {}, {}, 1, 10},
                         {{}, [this](const HttpServer::Request&, const HttpServer::Respond& respond) {
                            respond({200, {}, {{"Content-Type", "application/x-ndjson"}}, {}, lines_});
                          }}};
  RawClient client_ = running_.client();
};

TEST_F(LineStreamTest, LinesUntilTheReaderLeaves) {
  begin("first");
  write("second");
  EXPECT_EQ(client_.until("\n"), "second\n");
  EXPECT_FALSE(gone());
  RawClient other = running_.client();
  other.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(other.rest(), StartsWith("HTTP/1.1 503 ")) << "it is a connection as long as it lasts";
  client_.end_sending();
  EXPECT_EQ(client_.rest(), "");
  while (!gone()) std::this_thread::yield();
  write("to nobody");
}

TEST_F(LineStreamTest, WhatASlowReaderMissesIsCounted) {
  begin("first");
  const std::string line(900, 'x');
  running_.on_thread([&] {
    // Nothing is read in this turn of the loop: one line waits, behind one that is being written.
    for (int i = 0; i < 9; ++i) lines_->write(line);
  });
  EXPECT_EQ(client_.until("\n"), line + "\n");
  write("short");
  std::string next = client_.until("\n");
  const bool two = next == line + "\n";  // unless the first one was being written before, and they waited behind that
  if (two) next = client_.until("\n");
  EXPECT_EQ(next, two ? "{\"left_out\":7}\n" : "{\"left_out\":8}\n");
  EXPECT_EQ(client_.until("\n"), "short\n");
}

}  // namespace
}  // namespace nuropb
