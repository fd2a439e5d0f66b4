#pragma once
// Snorky's envelope (nuropb-wire.md section 3), as clients on /ws and backends send it: text in, values out. Pure; views
// point into the text that was decoded.
//
// What the original drops in silence (no JSON, no envelope, no call) is a mistake here, with a text that says what is
// wrong.

#include <string>
#include <string_view>
#include <variant>

#include "common/json/scan.hpp"

namespace nuropb::edge {

struct SnorkyRequest {
  std::string service, command;  ///< plain text; never empty
  std::string_view call_id;      ///< raw JSON; empty: none
  std::string_view params;       ///< raw JSON of any kind: the service judges it
  std::string traceparent;       ///< W3C, in version 00's form, beside service and message; empty: none that is valid
};

struct SnorkyMistake {
  std::string text;     ///< for whoever made it
  std::string service;  ///< empty: not known
  std::string call_id;  ///< raw JSON; empty: not known
};

using SnorkyMessage = std::variant<SnorkyRequest, SnorkyMistake>;
SnorkyMessage decode_snorky(std::string_view text, json::Limits limits);

/// {"service":S,"message":{"type":"error","callId":I,"message":TEXT}}; of the service `gateway` where none is known.
std::string encode_snorky_error(std::string_view service, std::string_view raw_call_id, std::string_view text);

}  // namespace nuropb::edge
