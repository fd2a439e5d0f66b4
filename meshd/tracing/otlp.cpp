#include "meshd/tracing/otlp.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/latency.hpp"
#include "common/trimmed.hpp"
#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

using Json = nlohmann::json;

// How long remaining spans may take at shutdown.
constexpr auto last_moment = milliseconds(1500);
constexpr milliseconds first_pause{500};
constexpr const char* setting_of_headers = "tracing.headers_file";

Json attribute(const std::string& key, const std::variant<std::string, std::int64_t>& value) {
  // OTLP's JSON writes 64-bit numbers as strings.
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return {{"key", key}, {"value", {{"intValue", std::to_string(*number)}}}};
  return {{"key", key}, {"value", {{"stringValue", std::get<std::string>(value)}}}};
}

std::string nanoseconds(std::uint64_t us, std::int64_t unix_us_at_zero) {
  return std::to_string(static_cast<std::int64_t>(us) + unix_us_at_zero) + "000";
}

std::int64_t unix_us_at_zero() {
  const auto unix_us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  return unix_us - static_cast<std::int64_t>(latency::to_us(std::chrono::steady_clock::now()));
}

}  // namespace

std::string encode_otlp(const std::vector<Span>& spans, const SpanResource& resource, std::int64_t zero) {
  Json list = Json::array();
  for (const Span& span : spans) {
    Json one{{"traceId", span.trace_id},
             {"spanId", span.span_id},
             {"name", span.name},
             {"kind", static_cast<int>(span.kind)},
             {"startTimeUnixNano", nanoseconds(span.start_us, zero)},
             {"endTimeUnixNano", nanoseconds(span.end_us, zero)},
             {"attributes", Json::array()},
             {"status", Json::object()}};
    if (!span.parent_id.empty()) one["parentSpanId"] = span.parent_id;
    for (const auto& [key, value] : span.attributes) one["attributes"].push_back(attribute(key, value));
    if (!span.error.empty()) one["status"] = {{"code", 2}, {"message", span.error}};
    list.push_back(std::move(one));
  }
  const Json request{
      {"resourceSpans",
       {{{"resource",
          {{"attributes",
            {attribute("service.name", resource.service), attribute("service.instance.id", resource.instance),
             attribute("service.version", resource.version)}}}},
         {"scopeSpans",
          {{{"scope", {{"name", "nuropb-gateway"}, {"version", resource.version}}}, {"spans", std::move(list)}}}}}}}};
  // Names from clients may be invalid UTF-8.
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<http::Url> parse_otlp_url(std::string_view text) {
  auto url = http::parse_url(text);
  if (url && url->target == "/") url->target = "/v1/traces";
  return url;
}

Result<Headers> parse_headers(std::string_view text) {
  constexpr std::size_t most = 32;
  constexpr std::string_view blank = " \t\r";
  // RFC 9110, section 5.6.2.
  constexpr std::string_view token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::array<std::string_view, 6> not_theirs{"host",       "content-length",    "content-type",
                                                       "connection", "transfer-encoding", "expect"};
  Headers out;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    ++number;
    const auto wrong = [&](const char* what) {
      return failure("line " + std::to_string(number) + ": " + what, setting_of_headers,
                     "write \"Name: value\" a line");
    };
    const std::string_view line = trimmed(whole, blank);
    if (line.empty()) continue;
    const std::string_view name = line.substr(0, line.find(':'));
    if (name.size() == line.size()) return wrong("no ':'");
    if (name.empty() || name.find_first_not_of(token) != std::string_view::npos)
      return wrong("that is not a header's name");
    std::string lower(name);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (std::find(not_theirs.begin(), not_theirs.end(), lower) != not_theirs.end())
      return wrong("that header is reserved for HTTP itself");
    const std::string_view value = trimmed(line.substr(name.size() + 1), blank);
    if (std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }))
      return wrong("a character that is not allowed in a header");
    if (out.size() == most) return wrong("more than 32 headers");
    out.emplace_back(name, value);
  }
  return out;
}

OtlpExporter::OtlpExporter(Settings settings)
    : settings_(std::move(settings)),
      client_(settings_.server),
      headers_file_(settings_.headers_file, setting_of_headers) {}
OtlpExporter::~OtlpExporter() { stop(); }

Result<std::unique_ptr<OtlpExporter>> OtlpExporter::make(const Config& config, const std::string& instance) {
  if (config.tracing.otlp_url.empty()) return nullptr;
  auto url = parse_otlp_url(config.tracing.otlp_url);
  if (!url) return failure(url.error().what, url.error().where, "tracing.otlp_url names it");
  Settings out;
  out.server.url = std::move(*url);
  out.server.tls.ca_file = config.tracing.ca_file;
  out.server.max_body = 64 * 1024;
  out.timeout = milliseconds(config.tracing.timeout_ms);
  out.headers_file = config.tracing.headers_file;
  out.queued = config.tracing.queued_spans;
  out.resource = {config.gateway.service, instance, NUROPB_VERSION};
  auto made = std::make_unique<OtlpExporter>(std::move(out));
  if (const auto read = made->read_headers(); !read) return tl::unexpected(read.error());
  return made;
}

Result<void> OtlpExporter::read_headers() {
  if (!headers_file_.named()) return {};
  const auto text = headers_file_.read_lines();
  if (!text) return tl::unexpected(text.error());
  auto headers = parse_headers(*text);
  if (!headers) return tl::unexpected(headers.error());
  headers_ = std::move(*headers);
  return {};
}

void OtlpExporter::start() {
  thread_ = std::thread([this] { run(); });
}

void OtlpExporter::stop() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    wake_.wait_for(lock, last_moment, [this] { return ended_; });
  }
  client_.cancel();
  thread_.join();
}

void OtlpExporter::add(std::vector<Span>&& spans) {
  const std::lock_guard lock(mutex_);
  for (Span& span : spans) {
    if (stopping_ || queue_.size() >= settings_.queued) ++counters_.dropped;
    else queue_.push_back(std::move(span));
  }
  // The first span wakes the thread, which then waits for more; a full batch wakes it again.
  if (queue_.size() <= spans.size() || queue_.size() >= batch) wake_.notify_all();
}

OtlpExporter::Counters OtlpExporter::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void OtlpExporter::run() {
  milliseconds pause = first_pause;
  std::vector<Span> spans;
  for (;;) {
    bool last = false;
    {
      std::unique_lock lock(mutex_);
      if (spans.empty()) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        wake_.wait_for(lock, settings_.every, [this] { return stopping_ || queue_.size() >= batch; });
        const std::size_t taken = std::min(batch, queue_.size());
        std::move(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(taken), std::back_inserter(spans));
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(taken));
      }
      last = stopping_;
    }
    const Sent sent = spans.empty() ? Sent::yes : send(spans);
    std::unique_lock lock(mutex_);
    if (sent == Sent::yes) counters_.exported += spans.size();
    if (sent == Sent::never || (sent == Sent::later && last)) counters_.dropped += spans.size();
    if (sent == Sent::later && !last) {
      wake_.wait_for(lock, pause, [this] { return stopping_; });
      pause = std::min(pause * 2, settings_.longest_pause);
      continue;  // retries the same spans
    }
    pause = first_pause;
    spans.clear();
    if (stopping_ && (queue_.empty() || sent != Sent::yes)) {
      counters_.dropped += queue_.size();
      queue_.clear();
      ended_ = true;
      wake_.notify_all();
      return;
    }
  }
}

OtlpExporter::Sent OtlpExporter::send(const std::vector<Span>& spans) {
  Sent sent = Sent::later;
  std::string why;
  // A file that cannot be read may be in the middle of being replaced, so the previous headers stay in use.
  if (headers_file_.named() && headers_file_.changed()) {
    const auto read = read_headers();
    if (!read && !stale_headers_)
      log::warning("headers for the collector could not be reloaded", {{"reason", read.error().text()}});
    stale_headers_ = !read;
  }
  const http::Request request{"POST", "", encode_otlp(spans, settings_.resource, unix_us_at_zero()), headers_};
  const auto answer = client_.send(request, settings_.timeout);
  if (!answer) why = answer.error().text();
  else if (answer->status / 100 == 2) sent = Sent::yes;
  else {
    why = "status " + std::to_string(answer->status);
    const bool later = answer->status == 429 || answer->status == 502 || answer->status == 503 || answer->status == 504;
    sent = later ? Sent::later : Sent::never;
  }
  if (sent == Sent::yes) {
    if (std::exchange(failing_, false)) log::info("spans are exported again");
  } else if (!std::exchange(failing_, true)) {
    log::warning("spans can't be exported", {{"url", settings_.server.url.redacted()}, {"reason", why}});
  }
  return sent;
}

}  // namespace nuropb::meshd
