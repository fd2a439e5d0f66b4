#include "common/consumer_messages.hpp"

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

std::optional<std::vector<std::string>> decode_target(std::string_view raw_target) {
  if (raw_target.empty() || raw_target == "null") return {};
  std::vector<std::string> out;
  const auto list = nlohmann::json::parse(raw_target, nullptr, false);
  for (const auto& user : list) {
    if (user.is_string()) out.push_back(user.get<std::string>());
  }
  return out;
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
