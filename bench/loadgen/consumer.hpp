#pragma once
// One client: sends requests on its socket, and checks that every answer is correct and that each request is answered
// once.

#include <chrono>
#include <cstdint>
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
  bool rotate = false;
  bool hold = false;
  bool wait = false;
  bool may_close = false;
  bool histogram = false;
};

class Consumer {
 public:
  Consumer(const Options& options, std::size_t number, Outcome& outcome);

  [[nodiscard]] int fd() const { return stream_.fd(); }
  [[nodiscard]] std::size_t waiting() const { return sent_.size() - free_.size(); }

  /// Writes a request into the buffer; its latency is measured from `since`, if at all.
  void request(Clock::time_point since, bool counts = true);
  void flush();

  /// Reads what is available; returns the number of answers. It does not send the next requests.
  std::size_t readable();

 private:
  /// Processes all complete frames in the buffer; returns the number of answers.
  std::size_t take_frames();
  void answer(std::string_view text);

  struct Sent {
    Clock::time_point since;
    std::uint64_t count = 0;
    bool waits = false;
    bool counts = false;
  };
  const Options& options_;
  Outcome& outcome_;
  const Place place_;
  Stream stream_;
  std::string head_;  ///< the beginning of every request, up to its trace id
  std::string in_, out_, payload_;
  std::vector<Sent> sent_;
  std::vector<std::size_t> free_;  ///< unused entries of sent_
};

}  // namespace nuropb::bench
