#pragma once
// What consumers get, as text (protocol.md section 2): framed by the edge, or by meshd where it numbers a session's
// messages. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/records.hpp"

namespace nuropb {

/// An event of the mesh; an empty context: it has none for consumers.
std::string encode_consumer_event(const records::MeshEvent& event);
/// The users in an event's target; nothing where it is for everybody. What is no text in it is nobody.
std::optional<std::vector<std::string>> decode_target(std::string_view raw_target);
/// `out` is replaced; it keeps its memory from message to message.
void encode_response(std::string& out, std::string_view raw_trace_id, std::string_view raw_result,
                     std::string_view raw_error);

}  // namespace nuropb
