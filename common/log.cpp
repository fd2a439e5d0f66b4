#include "common/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "common/json/scan.hpp"

namespace nuropb::log {
namespace {

struct Logger {
  Settings settings;
  std::shared_ptr<spdlog::logger> sink;
};

std::shared_ptr<spdlog::logger> logger_of(std::shared_ptr<spdlog::sinks::sink> sink) {
  auto logger = std::make_shared<spdlog::logger>("nuropb", std::move(sink));
  logger->set_pattern("%v");  // render() has made the line already
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

Logger& current() {
  static Logger logger{{}, logger_of(std::make_shared<spdlog::sinks::stderr_sink_mt>())};
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

/// The message as part of a text line: what could break the line is escaped.
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

Result<void> configure(const Settings& settings) {
  Logger next{settings, nullptr};
  try {
    if (settings.file.empty()) next.sink = logger_of(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    else next.sink = logger_of(std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file));
  } catch (const spdlog::spdlog_ex& e) {
    return failure(std::string("can't be opened: ") + e.what(), settings.file, "log.file names it");
  }
  current() = std::move(next);
  return {};
}

bool enabled(Level level) { return level >= current().settings.level; }

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
  current().sink->info(render(current().settings, level, now.count(), message, fields));
}

}  // namespace nuropb::log
