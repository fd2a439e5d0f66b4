#include "common/log.hpp"

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <mutex>
#include <memory>

#include "common/json/scan.hpp"
#include "common/log_output.hpp"

namespace nuropb::log {
namespace {

/// Writes lines in this process and never blocks.
class OwnSink final : public Sink {
 public:
  explicit OwnSink(Output output) : output_(std::move(output)) {}
  int put(const std::string& line) override { return output_.put(line, Output::Wait::no); }
  void reopen() override { (void)output_.reopen(); }
  std::uint64_t lost() override { return 0; }

 private:
  Output output_;
};

struct Logger {
  std::mutex mutex;  // guards everything except the settings, which change at start-up only
  Settings settings;
  std::unique_ptr<Sink> sink;
  std::uint64_t dropped = 0, unsaid = 0;
  int error = 0;  // errno of the last dropped line

  bool say_what_was_dropped() {
    if (unsaid == 0) return true;
    const std::string reason = error == EAGAIN ? "the reader of the log is too slow" : std::strerror(error);
    if (const int now = sink->put(render_dropped(settings, unsaid, reason)); now != 0) {
      error = now;
      return false;
    }
    unsaid = 0;
    return true;
  }

  void put(const std::string& line) {
    int failed = error;
    if (say_what_was_dropped()) failed = sink->put(line);
    if (failed == 0) return;
    error = failed;
    ++dropped;
    ++unsaid;
  }
};

Logger& current() {
  static Logger logger{{}, {}, std::make_unique<OwnSink>(std::move(*Output::open(""))), 0, 0, 0};
  return logger;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "unknown";
}

std::string timestamp(std::int64_t time_us) {
  const std::time_t seconds = static_cast<std::time_t>(time_us / 1'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + n, sizeof text - n, ".%03dZ", static_cast<int>(time_us / 1000 % 1000));
  return text;
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void append_value(std::string& out, const Field& field, Format format) {
  std::visit(
      [&](const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          if (format == Format::json || needs_quotes(value)) json::append_quoted(out, value);
          else out += value;
        } else if constexpr (std::is_same_v<Value, bool>) {
          out += value ? "true" : "false";
        } else if constexpr (std::is_same_v<Value, double>) {
          char text[32];
          std::snprintf(text, sizeof text, "%.6g", value);
          const bool json_has_no_word_for_it = format == Format::json && !std::isfinite(value);
          out += json_has_no_word_for_it ? "null" : text;
        } else {
          out += std::to_string(value);
        }
      },
      field.value);
}

/// The message as part of a text line; characters that could break the line are escaped.
void append_plain(std::string& out, std::string_view text) {
  const std::string safe = json::quoted(text);
  out.append(safe, 1, safe.size() - 2);
}

}  // namespace

std::string render(const Settings& settings, Level level, std::int64_t time_us, std::string_view message,
                   Fields fields) {
  std::string out;
  if (settings.format == Format::json) {
    out = "{\"time\":\"" + timestamp(time_us) + "\",\"level\":\"" + std::string(name_of(level)) +
          "\",\"process\":" + json::quoted(settings.process) + ",\"message\":";
    json::append_quoted(out, message);
    for (const Field& field : fields) {
      out += ',';
      json::append_quoted(out, field.name);
      out += ':';
      append_value(out, field, settings.format);
    }
    out += '}';
    return out;
  }
  std::string word(name_of(level));
  for (char& c : word) c = static_cast<char>(c - 'a' + 'A');
  out = timestamp(time_us) + ' ' + word + std::string(word.size() < 7 ? 7 - word.size() : 0, ' ') + ' ' +
        settings.process + ' ';
  append_plain(out, message);
  for (const Field& field : fields) {
    out += ' ';
    out += field.name;
    out += '=';
    append_value(out, field, settings.format);
  }
  return out;
}

std::string render_now(const Settings& settings, Level level, std::string_view message, Fields fields) {
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
  return render(settings, level, now.count(), message, fields);
}

std::string render_dropped(const Settings& settings, std::uint64_t count, std::string_view reason) {
  const std::string message = std::to_string(count) + (count == 1 ? " line was dropped" : " lines were dropped");
  return render_now(settings, Level::warning, message, {{"lines", count}, {"reason", reason}}) + '\n';
}

Result<void> configure(const Settings& settings) {
  auto output = Output::open(settings.file);
  if (!output) return tl::unexpected(output.error());
  configure(settings, std::make_unique<OwnSink>(std::move(*output)));
  return {};
}

void configure(const Settings& settings, std::unique_ptr<Sink> sink) {
  Logger& logger = current();
  const std::lock_guard lock(logger.mutex);
  logger.settings = settings;
  logger.sink = std::move(sink);
}

void reopen() {
  const std::lock_guard lock(current().mutex);
  current().sink->reopen();
}

void tick() {
  const std::lock_guard lock(current().mutex);
  (void)current().sink->lost();
  (void)current().say_what_was_dropped();
}

std::uint64_t dropped() {
  const std::lock_guard lock(current().mutex);
  return current().dropped + current().sink->lost();
}

bool enabled(Level level) { return level >= current().settings.level; }

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  const std::string line = render_now(current().settings, level, message, fields) + '\n';
  const std::lock_guard lock(current().mutex);
  current().put(line);
}

}  // namespace nuropb::log
