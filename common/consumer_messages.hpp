#pragma once
// Encodes messages for clients as text (nuropb-wire.md section 2). Edges send them, or meshd for sessions with
// sequenced messages. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/records.hpp"

namespace nuropb {

/// An event of the mesh. An empty context leaves the member out.
std::string encode_consumer_event(const records::MeshEvent& event);

/// The users that an event is addressed to. Built once per event and queried once per subscriber.
class EventTarget {
 public:
  /// An event that names more users is refused on receipt, because each edge reads the whole list for each event.
  static constexpr std::size_t max_users = 10'000;
  /// An upper bound of the number of users in `raw_target` (JSON): its number of commas, and one more.
  static std::size_t most_users(std::string_view raw_target);

  /// `raw_target` is JSON: null, or a list of user ids. Entries that are not strings are ignored.
  explicit EventTarget(std::string_view raw_target);
  [[nodiscard]] bool includes(std::string_view user_id) const;

 private:
  bool everybody_ = true;
  std::vector<std::string> users_;  // sorted
};

/// Replaces `out` and reuses its memory from message to message.
void encode_response(std::string& out, std::string_view raw_trace_id, std::string_view raw_result,
                     std::string_view raw_error);

}  // namespace nuropb
