#pragma once
// Snorky's envelope (nuropb-wire.md section 3), as clients on /ws and backends send it. Pure; views point into the
// decoded text.
//
// What the original drops silently (malformed JSON, no envelope, no call) is reported here as an error.

#include <string>
#include <string_view>
#include <variant>

#include "common/json/scan.hpp"

namespace nuropb::edge {

struct SnorkyRequest {
  std::string service, command;  ///< plain text; never empty
  std::string_view call_id;      ///< raw JSON; empty: none
  std::string_view params;       ///< raw JSON of any kind, validated by the service
  std::string traceparent;       ///< W3C, in version 00's form, beside service and message; empty: no valid one
};

struct SnorkyMistake {
  std::string text;     ///< error text for the sender
  std::string service;  ///< empty: unknown
  std::string call_id;  ///< raw JSON; empty: unknown
};

using SnorkyMessage = std::variant<SnorkyRequest, SnorkyMistake>;
SnorkyMessage decode_snorky(std::string_view text, json::Limits limits);

/// {"service":S,"message":{"type":"error","callId":I,"message":TEXT}}; the service is `gateway` if it is unknown.
std::string encode_snorky_error(std::string_view service, std::string_view raw_call_id, std::string_view text);

}  // namespace nuropb::edge
