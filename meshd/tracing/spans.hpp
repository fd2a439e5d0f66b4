#pragma once
// Spans of clients' requests, if they are exported (tracing.otlp_url): two for each sampled request.
//
//   the client's span ─► SERVER "request service.method"   from the socket until the answer is on its way to the edge
//                            └─► CLIENT "service.method"     from when meshd reads it; the service gets its id
//
// Requests that end in meshd have only the first: subscriptions, calls of Snorky's services.
//
// A request is sampled if its traceparent says so; without one, by tracing.sample_ratio. If it is not sampled, its
// traceparent is forwarded unchanged. The number of open spans is limited; above the limit nothing is sampled. Owner
// thread: the ring loop's.

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
  std::string error;  ///< empty: success
};

class Spans {
 public:
  static constexpr std::size_t most_open = 16'384;
  using Export = std::function<void(std::vector<Span>&&)>;
  /// `ratio` is from 0 to 1.
  Spans(double ratio, Export to);

  struct Began {
    records::Type verb = records::Type::request;
    std::string_view service;  ///< or an event's topic
    std::string_view method, user_id, trace_id;
    records::Origin origin;
    std::uint64_t read_us = 0, deadline_us = 0;
  };
  /// Returns the traceparent for the service; empty: none.
  std::string begin(const ReturnAddress& who, const Began& what);
  /// The response is being sent. An unknown request is ignored.
  void end(const ReturnAddress& who, RequestOutcome outcome, const records::Stages& stages, std::uint64_t now_us);
  /// To be called regularly: ends spans whose deadline has passed; their edges detect the timeout on their own.
  void expire(std::uint64_t now_us);
  [[nodiscard]] std::size_t open() const { return open_.size(); }

 private:
  struct Open {
    Span server;
    std::optional<Span> client;  // of a message for a service or for subscribers
    std::uint64_t deadline_us = 0;
  };
  std::string random_id(int words);
  void finish(Open&& open, RequestOutcome outcome, const records::Stages& stages, std::uint64_t now_us);

  double ratio_;
  Export export_;
  std::unordered_map<ReturnAddress, Open, ReturnAddressHash> open_;
  std::mt19937_64 random_;  // ids only need to be unique, not secret
};

}  // namespace nuropb::meshd
