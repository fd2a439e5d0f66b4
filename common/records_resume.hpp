#pragma once
// Records of sequenced messages and of resumed sessions. Part of records.hpp.

#include <cstdint>
#include <string_view>

#include "common/ids.hpp"
#include "common/outcome.hpp"
#include "common/records_measured.hpp"

namespace nuropb::records {

/// What an edge tells meshd about a session's sequenced messages (design.md, Resume). keep and resume are answered by
/// their sequence.
struct Resume {
  enum class What : std::uint32_t {
    /// Number this session's messages from now on, and store them.
    keep = 1,
    /// Resume the session that `token` belongs to. `number` is the last message that its client has received.
    resume = 2,
    seen = 3,  ///< the client has received all messages up to `number`
    /// To a restarted meshd: this session's messages were numbered. `token` is its token, `number` its last message.
    again = 4,
    pending = 5,  ///< to a restarted meshd, after `again`: this sequence is still to be answered
    /// An answer that the edge itself has produced, or received before meshd numbered the session: to be numbered.
    /// `text` is raw JSON. `number` is the sequence that it answers plus one; 0: a sequence that meshd never received.
    say = 6,
  };
  static constexpr std::uint32_t last_what = 6;
  What what = What::keep;
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;
  std::uint64_t deadline_ms = 0;
  std::string_view token{};
  std::string_view trace_id{};  ///< raw JSON
  std::string_view text{};
};

/// A numbered message of a session. With `answers`, it is the response to the edge's own request `sequence`; with
/// `inherited`, to the request that was announced with `sequence` in Resumed::What::pending.
struct Numbered {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;
  bool answers = false;
  bool inherited = false;
  bool refused = false;                         ///< it is a response that reports an error
  std::string_view text;                        ///< the complete message, raw JSON, without its number
  RequestOutcome outcome = RequestOutcome::ok;  ///< of the request that it answers
  Stages stages{};                              ///< of that request's response
};

/// The state of a session's sequenced messages, from meshd.
struct Resumed {
  enum class What : std::uint32_t {
    kept = 1,  ///< messages are numbered from now on; the response follows
    /// The socket now has the session `session_id`; `text` is the message for the client. Topics and pending requests
    /// follow.
    resumed = 2,
    topic = 3,    ///< `text` is a pattern that the session is subscribed to
    pending = 4,  ///< `text` is the trace_id of a request of an earlier socket; `sequence` names it
  };
  static constexpr std::uint32_t last_what = 4;
  What what = What::kept;
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;  ///< the last message that its client has received
  SessionId session_id;
  std::string_view token;  ///< the token for the next resume
  std::string_view text;
};

}  // namespace nuropb::records
