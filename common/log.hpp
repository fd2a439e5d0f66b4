#pragma once
// Structured logs: an event's name and its fields, as text or as one JSON object per line. A log line never contains a
// token or a password: fields are chosen by name, and URLs are redacted (amqp::Url::redacted()).
//
//   log::info("worker attached", {{"slot", 3}, {"pid", pid}});
//
// Text:  2026-11-21T05:11:46.123Z INFO  meshd worker attached slot=3 pid=412
// JSON:  {"time":"…","level":"info","process":"meshd","message":"worker attached","slot":3,"pid":412}
//
// Thread-safe. Lines go to standard error or to a file that is reopened on request (log_output.hpp); meshd and edges
// write through a helper process that may block in their place (log_writer.hpp). No call here waits for a write: lines
// that find no room are dropped and counted, and once there is room again a line reports their number.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "common/result.hpp"

namespace nuropb::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

struct Field {
  std::string_view name;
  std::variant<std::string, std::int64_t, std::uint64_t, double, bool> value;
  Field(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  Field(std::string_view n, const std::string& v) : name(n), value(v) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer>>>
  Field(std::string_view n, Integer v) : name(n) {
    if constexpr (std::is_signed_v<Integer>) value = static_cast<std::int64_t>(v);
    else value = static_cast<std::uint64_t>(v);
  }
};
using Fields = std::initializer_list<Field>;

struct Settings {
  std::string process = "nuropb";  ///< "meshd", "edge"
  Level level = Level::info;
  Format format = Format::text;
  std::string file;  ///< empty: stderr
};

/// The destination of finished lines. Called by one thread at a time.
class Sink {
 public:
  virtual ~Sink() = default;
  /// `line` ends with a newline. Returns 0, or the errno for which the line was rejected.
  virtual int put(const std::string& line) = 0;
  virtual void reopen() = 0;
  /// The total number of lines that were accepted and then lost.
  virtual std::uint64_t lost() = 0;
};

/// Configures the log of this process; the process itself writes the lines.
Result<void> configure(const Settings& settings);
/// The same with a sink of the caller.
void configure(const Settings& settings, std::unique_ptr<Sink> sink);
/// Reopens the file after a rotation.
void reopen();
/// To be called regularly from the process's event loop: logs how many lines were dropped, once there is room.
void tick();
/// Lines that were dropped since the process began.
std::uint64_t dropped();

bool enabled(Level level);
void write(Level level, std::string_view message, Fields fields = {});

inline void debug(std::string_view message, Fields fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  if (enabled(Level::info)) write(Level::info, message, fields);
}
inline void warning(std::string_view message, Fields fields = {}) { write(Level::warning, message, fields); }
inline void error(std::string_view message, Fields fields = {}) { write(Level::error, message, fields); }

/// Formats one line without the newline. Pure; `time_us` is microseconds since the epoch. Control characters and
/// invalid UTF-8 are escaped, so that input cannot forge log lines.
std::string render(const Settings& settings, Level level, std::int64_t time_us, std::string_view message,
                   Fields fields);
/// The same with the current time.
std::string render_now(const Settings& settings, Level level, std::string_view message, Fields fields);
/// The line, with its newline, that reports `count` missing lines.
std::string render_dropped(const Settings& settings, std::uint64_t count, std::string_view reason);

}  // namespace nuropb::log
