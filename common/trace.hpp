#pragma once
// W3C Trace Context, the traceparent header (https://www.w3.org/TR/trace-context/, sections 3.2 and 4.3). Pure.
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
  std::string_view span_id;   ///< 16 lower-case hex digits, not all 0: the parent's
  bool sampled = false;
  [[nodiscard]] std::string text() const;
};

/// Empty if the text is not a valid traceparent; then it is not propagated, and a new trace may begin. Content that a
/// later version adds after the flags is dropped. Views point into `text`.
std::optional<TraceParent> parse_traceparent(std::string_view text);
/// The traceparent member of a client's message, in version 00's form. Empty if it is missing, not a string, or
/// invalid.
std::string traceparent_of(json::Slice member);

}  // namespace nuropb
