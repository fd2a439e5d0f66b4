// The driver of examples/consumer.cpp, which shows the protocol and is no client for a network that fails: its list of what it can is
// short (docs/tasks/test-your-client.md).
//
// The example stays one file to copy, so its class is included with it, and its main() gets another name.
#define main example_main
#include "examples/consumer.cpp"  // NOLINT(bugprone-suspicious-include)
#undef main

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace {

void say(const json& report) { std::cout << report.dump() << std::endl; }

/// Lines of standard input, read by a thread of its own.
class Lines {
 public:
  Lines() : reader_([this] { read(); }) {}
  ~Lines() { reader_.join(); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  /// The next one, if there is one in time.
  std::optional<std::string> next(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return ended_ || !lines_.empty(); });
    if (lines_.empty()) return {};
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    return line;
  }
  bool ended() {
    const std::scoped_lock lock(mutex_);
    return ended_ && lines_.empty();
  }

 private:
  void read() {
    for (std::string line; std::getline(std::cin, line);) {
      const std::scoped_lock lock(mutex_);
      lines_.push_back(std::move(line));
      changed_.notify_one();
    }
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  bool ended_ = false;
  std::thread reader_;
};

class Application {
 public:
  void take(const json& command) {
    const std::string what = command["do"];
    if (what == "open") {
      open(command);
    } else if (what == "close") {
      close();
    } else if (!gateway_) {
      say({{"saw", "outcome"}, {"id", command["id"]}, {"kind", "refused"}, {"description", "it is not open"}});
    } else if (what == "call") {
      ask(command["id"], "request",
          members(command, {"service", "method"}, {{"params", command.value("params", json::object())}}));
    } else if (what == "command") {
      ask(command["id"], what,
          members(command, {"service", "method"}, {{"params", command.value("params", json::object())}}));
    } else if (what == "describe") {
      ask(command["id"], what, members(command, {"service"}));
    } else if (what == "publish") {
      json payload = members(command, {"topic", "event"});
      if (command.contains("target")) payload["target"] = command["target"];
      ask(command["id"], "event", payload);
    } else if (what == "subscribe") {
      if (ask(command["id"], "subscribe", members(command, {"topic"}))) topics_[command["id"]] = command["topic"];
    } else if (what == "unsubscribe") {
      gateway_->ask("unsubscribe", {{"topic", topics_[command["id"]]}});
      topics_.erase(command["id"]);
    } else {
      throw std::invalid_argument("this driver does not know " + what);
    }
    tell_events();
  }

  /// The example reads only while it waits for an answer. So it is asked something that changes nothing.
  void idle() {
    if (!gateway_ || topics_.empty()) return;
    gateway_->ask("unsubscribe", {{"topic", "-"}});
    tell_events();
  }

  void close() {
    if (!gateway_) return;
    gateway_->close();
    gateway_.reset();
    say({{"saw", "close"}, {"code", nullptr}, {"by_user", true}});
  }

 private:
  static json members(const json& command, std::initializer_list<const char*> names, json found = json::object()) {
    for (const char* name : names) found[name] = command[name];
    return found;
  }

  void open(const json& command) try {
    gateway_.emplace(command["url"], command.value("token", ""));
    const json hello = gateway_->next_event()["event"];
    say({{"saw", "open"},
         {"session_id", hello["session_id"]},
         {"user_id", hello["user_id"]},
         {"username", hello["username"]},
         {"resumed", false}});
  } catch (const std::exception& error) {
    gateway_.reset();
    say({{"saw", "close"}, {"code", nullptr}, {"reason", error.what()}, {"by_user", false}});
  }

  bool ask(const json& id, const std::string& verb, const json& payload) try {
    const json value = gateway_->ask(verb, payload);
    say({{"saw", "outcome"}, {"id", id}, {"kind", "result"}, {"value", value}});
    return true;
  } catch (const Refused& error) {
    const std::string text = error.what();
    const std::size_t name = text.find(": ");
    say({{"saw", "outcome"},
         {"id", id},
         {"kind", "refused"},
         {"name", text.substr(0, name)},
         {"description", text.substr(name + 2)}});
    return false;
  }

  void tell_events() {
    while (gateway_ && gateway_->has_event()) {
      const json event = gateway_->next_event();
      for (const auto& [id, pattern] : topics_) {
        if (!stands_for(pattern, event["topic"])) continue;
        say({{"saw", "event"},
             {"id", id},
             {"topic", event["topic"]},
             {"data", event["event"]},
             {"target", event.value("target", json())}});
      }
    }
  }

  /// Of a topic pattern whose last word may be `*` or `#`.
  static bool stands_for(const std::string& pattern, const std::string& topic) {
    const char last = pattern.empty() ? ' ' : pattern.back();
    if (last != '*' && last != '#') return pattern == topic;
    const std::string beginning = pattern.substr(0, pattern.size() - 1);
    return topic.starts_with(beginning) && (last == '#' || topic.find('.', beginning.size()) == std::string::npos);
  }

  std::optional<Gateway> gateway_;
  std::map<std::string, std::string> topics_;
};

}  // namespace

int main() {
  say({{"saw", "ready"}, {"client", "the C++ example"}, {"capabilities", {"events"}}});
  Lines lines;
  try {
    Application application;
    while (!lines.ended()) {
      if (const auto line = lines.next(std::chrono::milliseconds(50))) application.take(json::parse(*line));
      else application.idle();
    }
    application.close();
  } catch (const std::exception& error) {
    // The thread that reads standard input can't be waited for.
    std::cerr << error.what() << std::endl;
    std::_Exit(1);
  }
}
