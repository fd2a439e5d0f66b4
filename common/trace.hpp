#pragma once
// W3C Trace Context, the part that names a parent (https://www.w3.org/TR/trace-context/, sections 3.2 and 4.3): pure.
//
//   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//   version, trace-id, parent-id, flags

#include <optional>
#include <string>
#include <string_view>

#include "common/json/scan.hpp"

namespace nuropb {

struct TraceParent {
  std::string_view trace_id;  ///< 32 lower-case hex digits, not all 0
  std::string_view span_id;   ///< 16, not all 0: of the parent
  bool sampled = false;
  [[nodiscard]] std::string text() const;
};

/// Nothing, if the text is none: then a new trace may begin, and this one is not passed on. What a later version than ours
/// has behind the flags is left out. Views point into `text`.
std::optional<TraceParent> parse_traceparent(std::string_view text);
/// That of a consumer's message, in version 00's form; empty if the member is missing, no string or none that is valid.
std::string traceparent_of(json::Slice member);

}  // namespace nuropb
