#pragma once
// Structured logs: an event's name and its fields, as text or as one JSON object per line. Never a token, never a
// password: fields are chosen by name, URLs go through amqp::Url::redacted().
//
//   log::info("worker attached", {{"slot", 3}, {"pid", pid}});
//
// Text:  2026-11-21T05:11:46.123Z INFO  meshd worker attached slot=3 pid=412
// JSON:  {"time":"…","level":"info","process":"meshd","message":"worker attached","slot":3,"pid":412}
//
// Thread-safe. Lines go to stderr, or to a file that is reopened on request. Built on spdlog.

#include <cstdint>
#include <initializer_list>
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

Result<void> configure(const Settings& settings);
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

}  // namespace nuropb::log
