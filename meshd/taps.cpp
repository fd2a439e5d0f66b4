#include "meshd/taps.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/json/scan.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t largest_looked_at = 64U << 10, most_members = 32, longest_name = 64;
constexpr unsigned deepest = 6;

nlohmann::json shape(const nlohmann::json& value, unsigned depth) {
  switch (value.type()) {
    case nlohmann::json::value_t::object: {
      if (depth == deepest) return "object of " + std::to_string(value.size());
      nlohmann::json out = nlohmann::json::object();
      for (const auto& [name, member] : value.items()) {
        if (out.size() == most_members) {
          out["…"] = std::to_string(value.size()) + " in all";
          break;
        }
        out[name.size() > longest_name ? "name of " + std::to_string(name.size()) + " bytes" : name] =
            shape(member, depth + 1);
      }
      return out;
    }
    case nlohmann::json::value_t::array: {
      if (value.empty() || depth == deepest) return "list of " + std::to_string(value.size());
      return {{"list of " + std::to_string(value.size()), shape(value.front(), depth + 1)}};
    }
    case nlohmann::json::value_t::string:
      return "text of " + std::to_string(value.get_ref<const std::string&>().size()) + " bytes";
    case nlohmann::json::value_t::boolean: return "boolean";
    case nlohmann::json::value_t::null: return nullptr;
    default: return "number";
  }
}

std::string time_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char out[40];
  const auto size = std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(out + size, sizeof out - size, ".%03dZ", static_cast<int>(ms % 1000));
  return out;
}

}  // namespace

nlohmann::json shape_of(std::string_view raw) {
  if (raw.size() > largest_looked_at) return "JSON of " + std::to_string(raw.size()) + " bytes";
  if (json::validate(raw, nullptr, {64})) return "no JSON, " + std::to_string(raw.size()) + " bytes";
  const auto value = nlohmann::json::parse(raw, nullptr, false);
  if (value.is_discarded()) return "no JSON, " + std::to_string(raw.size()) + " bytes";
  return shape(value, 0);
}

bool Taps::add(Filter filter, std::shared_ptr<Reader> reader) {
  if (taps_.size() == most_readers) return false;
  taps_.push_back({std::move(filter), std::move(reader)});
  return true;
}

std::size_t Taps::forget_gone() {
  const auto left = std::erase_if(taps_, [](const Tap& tap) { return tap.reader->gone(); });
  if (taps_.empty()) {
    questions_.clear();
    in_order_.clear();
  }
  return left;
}

bool Taps::wants(const Who& who) const {
  return std::any_of(taps_.begin(), taps_.end(), [&](const Tap& tap) {
    return tap.filter.session ? *tap.filter.session == who.session : tap.filter.user == who.user;
  });
}

void Taps::tell(const Who& who, std::string_view direction, std::string_view what, nlohmann::json line) {
  line.update({{"time", time_text()},
               {"direction", direction},
               {"what", what},
               {"session_id", who.session.hex()},
               {"user_id", who.user}});
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  for (const Tap& tap : taps_) {
    if (tap.filter.session ? *tap.filter.session == who.session : tap.filter.user == who.user) tap.reader->write(text);
  }
}

void Taps::asked(const Who& who, const ReturnAddress& from, std::string_view what, nlohmann::json line,
                 SteadyTime now) {
  if (!wants(who)) return;
  line["sequence"] = from.sequence;
  tell(who, "in", what, std::move(line));
  if (questions_.size() == most_questions) {
    questions_.erase(in_order_.front());
    in_order_.pop_front();
  }
  if (questions_.insert_or_assign(key(from), Question{who.session, std::string(who.user), std::string(what), now})
          .second)
    in_order_.push_back(key(from));
}

void Taps::answered(const ReturnAddress& to, std::string_view result, std::string_view error, SteadyTime now) {
  const auto found = questions_.find(key(to));
  if (found == questions_.end()) return;
  const Question question = std::move(found->second);
  questions_.erase(found);
  in_order_.erase(std::find(in_order_.begin(), in_order_.end(), key(to)));
  nlohmann::json line{
      {"sequence", to.sequence},
      {"of", question.what},
      {"took_ms", std::chrono::duration_cast<std::chrono::microseconds>(now - question.asked).count() / 1000.0},
      {"bytes", result.size()}};
  if (error == "null") {
    line["result"] = shape_of(result);
  } else {
    const auto said = error.size() <= largest_looked_at && !json::validate(error, nullptr, {64})
                          ? nlohmann::json::parse(error, nullptr, false)
                          : nlohmann::json();
    // The name is one of a fixed set; the description may contain anything.
    const bool named = said.is_object() && said.contains("error") && said["error"].is_string();
    line["error"] = named ? said["error"] : nlohmann::json("unknown");
  }
  tell({question.session, question.user}, "out", "answer", std::move(line));
}

}  // namespace nuropb::meshd
