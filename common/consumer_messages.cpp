#include "common/consumer_messages.hpp"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/json/scan.hpp"

namespace nuropb {

std::string encode_consumer_event(const records::MeshEvent& event) {
  std::string out = R"({"type":"event","payload":{"topic":)";
  json::append_quoted(out, event.topic);
  out += ",\"event\":";
  out += event.event;
  if (!event.context.empty()) out.append(",\"context\":").append(event.context);
  if (!event.target.empty() && event.target != "null") out.append(",\"target\":").append(event.target);
  if (!event.traceparent.empty()) json::append_quoted(out.append(",\"traceparent\":"), event.traceparent);
  return out + "}}";
}

std::size_t EventTarget::most_users(std::string_view raw_target) {
  std::size_t count = 1;
  bool in_text = false;
  for (std::size_t i = 0; i < raw_target.size(); ++i) {
    const char c = raw_target[i];
    if (in_text && c == '\\') ++i;
    else if (c == '"') in_text = !in_text;
    else if (c == ',' && !in_text) ++count;
  }
  return count;
}

EventTarget::EventTarget(std::string_view raw_target) : everybody_(raw_target.empty() || raw_target == "null") {
  if (everybody_) return;
  const auto list = nlohmann::json::parse(raw_target, nullptr, false);
  for (const auto& user : list) {
    if (user.is_string()) users_.push_back(user.get<std::string>());
  }
  std::sort(users_.begin(), users_.end());
}

bool EventTarget::includes(std::string_view user_id) const {
  return everybody_ || std::binary_search(users_.begin(), users_.end(), user_id, std::less<>{});
}

void encode_response(std::string& out, std::string_view raw_trace_id, std::string_view raw_result,
                     std::string_view raw_error) {
  out.clear();
  out += R"({"type":"response","payload":{"trace_id":)";
  out += raw_trace_id;
  out += ",\"result\":";
  out += raw_result;
  out += ",\"error\":";
  out += raw_error;
  out += "}}";
}

}  // namespace nuropb
