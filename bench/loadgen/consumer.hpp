#pragma once
// One client: sends requests on its socket, over WebSocket or as calls over HTTP, and checks that every answer is correct and that
// each request is answered once.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/loadgen/wire.hpp"
#include "bench/outcome.hpp"

namespace nuropb::bench {

using Clock = std::chrono::steady_clock;

struct Options {
  std::vector<std::string> urls{"ws://127.0.0.1:8880/websocket"};
  std::string token = "demo-token", service = "demo", method = "echo", params = "{\"text\":\"hello\"}";
  std::size_t connections = 16;
  std::size_t outstanding = 8;
  double seconds = 3;
  double warmup = 0;
  double rate = 0;             ///< requests per second on a schedule; 0: each request follows an answer
  std::uint64_t requests = 0;  ///< 0: unlimited within the given time
  bool echo = false;           ///< a bare echo server: no hello, and the answer is the request
  bool http = false;           ///< calls over HTTP, at the address of --url
  bool rotate = false;
  bool hold = false;
  bool wait = false;
  bool may_close = false;
  bool histogram = false;
};

class Consumer {
 public:
  static std::unique_ptr<Consumer> make(const Options& options, std::size_t number, Outcome& outcome);
  Consumer(const Options& options, std::size_t number, Outcome& outcome);
  virtual ~Consumer() = default;

  [[nodiscard]] int fd() const { return stream_.fd(); }
  [[nodiscard]] std::size_t waiting() const { return sent_.size() - free_.size(); }

  /// Writes a request into the buffer; its latency is measured from `since`, if at all.
  void request(Clock::time_point since, bool counts = true);
  void flush();

  /// Reads what is available; returns the number of answers. It does not send the next requests.
  std::size_t readable();

 protected:
  /// Appends a request with this trace id to `out_`.
  virtual void write_request(std::string_view trace_id) = 0;
  /// Processes all complete answers in `in_`; returns their number.
  virtual std::size_t take_answers() = 0;
  /// A request is answered. `at`: where its trace id begins; `text` is for messages.
  void answered(const char* at, std::string_view text, bool error);

  const Options& options_;
  Outcome& outcome_;
  const Place place_;
  Stream stream_;
  std::string in_, out_;

 private:
  struct Sent {
    Clock::time_point since;
    std::uint64_t count = 0;
    bool waits = false;
    bool counts = false;
  };
  std::vector<Sent> sent_;
  std::vector<std::size_t> free_;  ///< unused entries of sent_
};

class WebSocketConsumer final : public Consumer {
 public:
  WebSocketConsumer(const Options& options, std::size_t number, Outcome& outcome);

 private:
  void write_request(std::string_view trace_id) override;
  std::size_t take_answers() override;
  void answer(std::string_view text);

  std::string head_;  ///< the beginning of every request, up to its trace id
  std::string payload_;
};

/// Keeps its connection open, and sends the next calls ahead if several may be outstanding.
class HttpConsumer final : public Consumer {
 public:
  HttpConsumer(const Options& options, std::size_t number, Outcome& outcome);

 private:
  void write_request(std::string_view trace_id) override;
  std::size_t take_answers() override;

  std::string head_, tail_;  ///< of every request, around its id
};

}  // namespace nuropb::bench
