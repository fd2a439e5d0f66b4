#pragma once
// Bodies of NuroPb messages on AMQP (nuropb-wire.md section 1, "Bodies"): decoders turn bytes into slices, encoders the
// reverse. Views must not outlive the text they point into. Pure; independent of AMQP, rings and clocks. `raw` members
// are JSON text that is forwarded unchanged.

#include <forward_list>
#include <optional>
#include <string>
#include <string_view>

#include "common/json/scan.hpp"
#include "common/result.hpp"

namespace nuropb {

inline constexpr std::string_view protocol_version = "0.1.1";  ///< header nuropb_protocol
/// Header nuropb_version: the version of the Python peer whose wire format we implement.
inline constexpr std::string_view peer_version = "0.1.8";

enum class MessageType : unsigned char { request, command, event, response };
std::string_view to_text(MessageType type);
std::optional<MessageType> message_type(std::string_view text);

/// A request or a command.
struct CallBody {
  std::string_view service;
  std::string_view method;
  std::string_view params;  ///< raw JSON; "{}" if there are none
  std::string_view correlation_id;
  std::string_view context;   ///< raw JSON object
  std::string_view trace_id;  ///< raw JSON: a string, or null
};

struct EventBody {
  std::string_view topic;
  std::string_view event;    ///< raw JSON
  std::string_view context;  ///< raw JSON object
  std::string_view correlation_id;
  std::string_view trace_id;  ///< raw JSON
  std::string_view target;    ///< raw JSON: null or an array
};

struct ResponseBody {
  std::string_view result;  ///< raw JSON
  std::string_view error;   ///< raw JSON: null, or {"error":NAME,"description":TEXT}
  std::string_view correlation_id;
  std::string_view trace_id;  ///< raw JSON
  std::string_view context;   ///< raw JSON object: the request's
  std::string_view warning;   ///< raw JSON: null or a string
  std::string_view reply_to;
};

/// Encoders write the Python peer's key order. Raw members must be valid JSON; an empty one is written as null (params
/// and context: as {}).
std::string encode_call(MessageType type, const CallBody& body);
std::string encode_event(const EventBody& body);
std::string encode_response(const ResponseBody& body);

/// A decoded body, with the storage for those of its texts that contained escapes.
template <class Body>
struct Decoded : Body {
  Decoded() = default;
  // The elements of a moved list stay in place, so views stay valid.
  Decoded(Decoded&&) noexcept = default;
  Decoded& operator=(Decoded&&) noexcept = default;
  std::forward_list<std::string> unescaped{};
};

/// Decoders accept any key order, unknown keys, and null or absent for optional members. Views point into `text`, into
/// the returned object, or to static text for defaults. An error names the member and what is wrong with it.
Result<Decoded<CallBody>> decode_call(std::string_view text, MessageType type, json::Limits limits = {});
Result<Decoded<EventBody>> decode_event(std::string_view text, json::Limits limits = {});
Result<Decoded<ResponseBody>> decode_response(std::string_view text, json::Limits limits = {});

/// {"error":NAME,"description":TEXT}
std::string error_json(std::string_view name, std::string_view description);
/// A NuropbTransportError with "reason":"limit": it was not sent because it would exceed a limit, which the description names.
std::string over_limit_json(std::string_view description);
/// The same with "outcome":"unknown": the request may have been executed (design.md, rule 1).
std::string unknown_outcome_json(std::string_view description, std::string_view name = "NuropbTransportError");

}  // namespace nuropb
