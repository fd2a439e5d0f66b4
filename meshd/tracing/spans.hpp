#pragma once
// The spans of consumers' requests, where they are exported (tracing.otlp_url): two for each that is sampled.
//
//   the consumer's span ─► SERVER "request service.method"   from the socket until the answer is on its way to the edge
//                            └─► CLIENT "service.method"     from meshd's reading it on; its id is what the service gets
//
// What ends in meshd has the first alone: subscriptions, calls of Snorky's services.
//
// A request is sampled if the traceparent that came with it says so; without one, by tracing.sample_ratio. One that is not
// has its traceparent passed on as it came. What is open is bounded: beyond it nothing is sampled. Owner thread: the ring
// loop's.

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "common/ids.hpp"
#include "common/outcome.hpp"
#include "common/records.hpp"

namespace nuropb::meshd {

struct Span {
  enum class Kind : std::uint8_t { server = 2, client = 3, producer = 4 };  ///< OpenTelemetry's numbers
  std::string trace_id, span_id, parent_id;                                 ///< hexadecimal; no parent: empty
  std::string name;
  Kind kind = Kind::server;
  std::uint64_t start_us = 0, end_us = 0;  ///< latency.hpp, to_us
  std::vector<std::pair<std::string, std::variant<std::string, std::int64_t>>> attributes;
  std::string error;  ///< empty: it went well
};

class Spans {
 public:
  static constexpr std::size_t most_open = 16'384;
  using Export = std::function<void(std::vector<Span>&&)>;
  /// `ratio` from 0 to 1.
  Spans(double ratio, Export to);

  struct Began {
    records::Type verb = records::Type::request;
    std::string_view service;  ///< or the topic of an event
    std::string_view method, user_id, trace_id;
    records::Origin origin;
    std::uint64_t read_us = 0, deadline_us = 0;
  };
  /// What goes on to the service as traceparent; empty: nothing.
  std::string begin(const ReturnAddress& who, const Began& what);
  /// Its answer is on its way. One that was not begun is no mistake.
  void end(const ReturnAddress& who, RequestOutcome outcome, const records::Stages& stages, std::uint64_t now_us);
  /// Now and then: ends those whose time is up; their edges see that by themselves.
  void expire(std::uint64_t now_us);
  [[nodiscard]] std::size_t open() const { return open_.size(); }

 private:
  struct Open {
    Span server;
    std::optional<Span> client;  // of what goes to a service, or to whoever hears of an event
    std::uint64_t deadline_us = 0;
  };
  std::string random_id(int words);
  void finish(Open&& open, RequestOutcome outcome, const records::Stages& stages, std::uint64_t now_us);

  double ratio_;
  Export export_;
  std::unordered_map<ReturnAddress, Open, ReturnAddressHash> open_;
  std::mt19937_64 random_;  // ids tell spans apart, and keep no secret
};

}  // namespace nuropb::meshd
