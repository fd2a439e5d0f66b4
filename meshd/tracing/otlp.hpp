#pragma once
// Exports spans to an OpenTelemetry collector: OTLP/HTTP with JSON bodies (opentelemetry.io/docs/specs/otlp,
// "OTLP/HTTP").
//
// A thread sends batches. add() never blocks: the queue is bounded, and spans that do not fit are dropped and counted.
// A batch that the collector cannot accept now is retried with growing pauses; one that it refuses permanently is
// dropped.

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

/// The source of the spans.
struct SpanResource {
  std::string service, instance, version;
};
/// An ExportTraceServiceRequest. `unix_us_at_zero` is Unix time where to_us() is 0. Pure.
std::string encode_otlp(const std::vector<Span>& spans, const SpanResource& resource, std::int64_t unix_us_at_zero);

/// tracing.otlp_url: a URL without a path is a base, to which OTLP/HTTP's path is appended ("OTLP/HTTP Request"); any
/// other URL is used as it is written.
Result<http::Url> parse_otlp_url(std::string_view text);

/// One "Name: value" per line, as in tracing.headers_file; empty lines are ignored. HTTP's own headers about body and
/// connection are rejected. Errors name the line, never its content. Pure.
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
    milliseconds every{1000};            ///< how long a span may wait for others to be sent together
    milliseconds longest_pause{30'000};  ///< maximum pause between two attempts
  };
  struct Counters {
    std::uint64_t exported = 0, dropped = 0;
  };
  static constexpr std::size_t batch = 512;

  explicit OtlpExporter(Settings settings);
  ~OtlpExporter();
  /// nullptr if the config does not enable the export.
  static Result<std::unique_ptr<OtlpExporter>> make(const Config& config, const std::string& instance);
  /// Reads the headers file. Before that, and without such a file, no additional headers are sent.
  Result<void> read_headers();

  void start();
  /// Sends queued spans for a short time, then ends the thread.
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
  mesh::SecretFile headers_file_;  // used, like headers_, by the thread only once it runs
  Headers headers_;
  bool stale_headers_ = false;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Span> queue_;  // guarded by mutex_
  Counters counters_;       // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_
  bool ended_ = false;      // guarded by mutex_
  bool failing_ = false;    // used by the thread only: the failure was logged
  std::thread thread_;
};

}  // namespace nuropb::meshd
