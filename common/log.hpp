#pragma once
// Structured logs: an event's name and its fields, as text or as one JSON object per line. Never a token, never a
// password: fields are chosen by name, URLs go through amqp::Url::redacted().
//
//   log::info("worker attached", {{"slot", 3}, {"pid", pid}});
//
// Text:  2026-11-21T05:11:46.123Z INFO  meshd worker attached slot=3 pid=412
// JSON:  {"time":"…","level":"info","process":"meshd","message":"worker attached","slot":3,"pid":412}
//
// Thread-safe. Lines go to standard error, or to a file that is opened again on request (log_output.hpp); in meshd and the
// edges by way of a process that waits in their place (log_writer.hpp). No call here waits until a line is written: lines that
// find no room are dropped and counted, and once there is room again a line says how many they were.

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

/// What takes finished lines. Called by one thread at a time.
class Sink {
 public:
  virtual ~Sink() = default;
  /// `line` ends with a newline. 0, or the error number for which it was not taken.
  virtual int put(const std::string& line) = 0;
  virtual void reopen() = 0;
  /// Lines in all that were taken and got lost later.
  virtual std::uint64_t lost() = 0;
};

/// Lines go where the settings say, written by this process itself.
Result<void> configure(const Settings& settings);
/// The same for a sink of the caller's.
void configure(const Settings& settings, std::unique_ptr<Sink> sink);
/// Opens the file again, which a rotation has put in the place of the former one.
void reopen();
/// Now and then, from a process's event loop: says how many lines were dropped, if there is room for that by now.
void tick();
/// Lines that are not in the log and should be, since the process began.
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

/// One line as it would be written, without the newline. Pure; `time_us` is microseconds since the epoch.
/// Control characters and bytes that are not UTF-8 are escaped, so that no input can forge a line.
std::string render(const Settings& settings, Level level, std::int64_t time_us, std::string_view message,
                   Fields fields);
/// The same, with the time of now.
std::string render_now(const Settings& settings, Level level, std::string_view message, Fields fields);
/// The line, with its newline, that stands where `count` lines are missing.
std::string render_dropped(const Settings& settings, std::uint64_t count, std::string_view reason);

}  // namespace nuropb::log
