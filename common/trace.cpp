#include "common/trace.hpp"

#include <algorithm>

namespace nuropb {
namespace {

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_id(std::string_view text) { return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos; }
unsigned digit(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); }

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  constexpr std::size_t length = 55;
  if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  const std::string_view version = text.substr(0, 2), flags = text.substr(53, 2);
  if (!is_hex(version) || version == "ff" || !is_hex(flags)) return {};
  if (text.size() > length && (version == "00" || text[length] != '-')) return {};
  const TraceParent out{text.substr(3, 32), text.substr(36, 16), (digit(flags[1]) & 1U) != 0};
  if (!is_id(out.trace_id) || !is_id(out.span_id)) return {};
  return out;
}

std::string TraceParent::text() const {
  std::string out = "00-";
  out.append(trace_id).append("-").append(span_id).append(sampled ? "-01" : "-00");
  return out;
}

std::string traceparent_of(json::Slice member) {
  if (member.kind != json::Kind::string) return {};
  const std::string said = json::unescape(member);
  const auto parent = parse_traceparent(said);
  return parent ? parent->text() : std::string();
}

}  // namespace nuropb
