#pragma once
// Spans to an OpenTelemetry collector: OTLP/HTTP with JSON bodies (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP").
//
// A thread of its own sends batches. Whoever adds spans waits for nothing: the queue is bounded, what does not fit is
// dropped and counted. A batch that the collector can't take now is tried again, with growing pauses; one that it refuses
// for good is dropped.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "meshd/http/client.hpp"
#include "meshd/mesh/secret_file.hpp"
#include "meshd/tracing/spans.hpp"

namespace nuropb::meshd {

/// Who the spans are from.
struct SpanResource {
  std::string service, instance, version;
};
/// An ExportTraceServiceRequest. `unix_us_at_zero` is Unix time where to_us() is 0. Pure.
std::string encode_otlp(const std::vector<Span>& spans, const SpanResource& resource, std::int64_t unix_us_at_zero);

/// tracing.otlp_url: an address without a path is a base, behind which OTLP/HTTP has its own ("OTLP/HTTP Request");
/// any other is where spans go, as it is written.
Result<http::Url> parse_otlp_url(std::string_view text);

/// "Name: value" a line, as in tracing.headers_file; empty lines count for nothing. HTTP's own, which say how long a body is
/// and whose, are no headers to give. Errors name the line, never what is in it. Pure.
using Headers = std::vector<std::pair<std::string, std::string>>;
Result<Headers> parse_headers(std::string_view text);

class OtlpExporter {
 public:
  struct Settings {
    http::Client::Settings server;
    milliseconds timeout{5000};
    std::string headers_file{};
    std::size_t queued = 8192;
    SpanResource resource;
    milliseconds every{1000};            ///< how long a span may wait for company
    milliseconds longest_pause{30'000};  ///< between two tries
  };
  struct Counters {
    std::uint64_t exported = 0, dropped = 0;
  };
  static constexpr std::size_t batch = 512;

  explicit OtlpExporter(Settings settings);
  ~OtlpExporter();
  /// nullptr: the config wants none.
  static Result<std::unique_ptr<OtlpExporter>> make(const Config& config, const std::string& instance);
  /// Reads the headers; until then, and where there is no file, none are sent.
  Result<void> read_headers();

  void start();
  /// Sends what it has, for a moment, and ends the thread.
  void stop();
  /// Any thread.
  void add(std::vector<Span>&& spans);
  [[nodiscard]] Counters counters() const;

 private:
  enum class Sent { yes, later, never };
  void run();
  Sent send(const std::vector<Span>& spans);

  Settings settings_;
  http::Client client_;
  mesh::SecretFile headers_file_;  // with headers_, the thread's own once it runs
  Headers headers_;
  bool stale_headers_ = false;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Span> queue_;  // under mutex_
  Counters counters_;       // under mutex_
  bool stopping_ = false;   // under mutex_
  bool ended_ = false;      // under mutex_
  bool failing_ = false;    // the thread's own: it has been said
  std::thread thread_;
};

}  // namespace nuropb::meshd
