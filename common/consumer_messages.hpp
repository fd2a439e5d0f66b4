#pragma once
// What consumers get, as text (nuropb-wire.md section 2): framed by the edge, or by meshd where it numbers a session's
// messages. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/records.hpp"

namespace nuropb {

/// An event of the mesh; an empty context: it has none for consumers.
std::string encode_consumer_event(const records::MeshEvent& event);

/// Whom an event is for. It is made once for an event, and asked once for each subscriber.
class EventTarget {
 public:
  /// An event that names more is refused where it enters: each edge reads the whole list for each event.
  static constexpr std::size_t max_users = 10'000;
  /// At least as many as the users that a target names: its commas are counted, and one more. `raw_target` is JSON.
  static std::size_t most_users(std::string_view raw_target);

  /// `raw_target` is JSON: null, or a list of user ids. Entries that are not text name no user.
  explicit EventTarget(std::string_view raw_target);
  [[nodiscard]] bool includes(std::string_view user_id) const;

 private:
  bool everybody_ = true;
  std::vector<std::string> users_;  // sorted
};

/// `out` is replaced; it keeps its memory from message to message.
void encode_response(std::string& out, std::string_view raw_trace_id, std::string_view raw_result,
                     std::string_view raw_error);

}  // namespace nuropb
