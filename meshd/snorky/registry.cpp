#include "meshd/snorky/registry.hpp"

#include "common/json/scan.hpp"

namespace nuropb::meshd::snorky {

std::string Service::notification(std::string_view type, std::string_view members) const {
  std::string out = "{\"service\":";
  out.reserve(members.size() + name_.size() + 64);
  json::append_quoted(out, name_);
  out += ",\"message\":{\"type\":";
  json::append_quoted(out, type);
  out += members;
  return out += "}}";
}

std::string Service::too_many(std::string_view what, std::size_t most) {
  return "More than " + std::to_string(most) + " " + std::string(what) + " (snorky.channels_per_session)";
}

Service& Registry::add(std::unique_ptr<Service> service) {
  auto& place = services_[service->name()];
  place = std::move(service);
  return *place;
}

Service* Registry::find(std::string_view name) const {
  const auto found = services_.find(name);
  return found == services_.end() ? nullptr : found->second.get();
}

void Registry::on_session_closed(const SessionRef& session) {
  for (const auto& [name, service] : services_) service->on_session_closed(session);
}

std::string encode_answer(std::string_view service, std::string_view raw_call_id, const Outcome& outcome) {
  if (raw_call_id == "null") raw_call_id = {};
  std::string out = "{\"service\":";
  json::append_quoted(out, service);
  out += ",\"message\":{\"type\":";
  if (outcome.error.empty()) {
    out += "\"response\"";
    if (!raw_call_id.empty()) out.append(",\"callId\":").append(raw_call_id);
    out.append(",\"data\":").append(outcome.data);
  } else {
    out.append("\"error\",\"callId\":").append(raw_call_id.empty() ? "null" : raw_call_id).append(",\"message\":");
    json::append_quoted(out, outcome.error);
  }
  return out += "}}";
}

std::string encode_call(std::string_view service, std::string_view command, std::string_view raw_params) {
  std::string out = "{\"service\":";
  json::append_quoted(out, service);
  out += ",\"message\":{\"command\":";
  json::append_quoted(out, command);
  out.append(",\"params\":").append(raw_params);
  return out += "}}";
}

}  // namespace nuropb::meshd::snorky
