#pragma once
// The records of numbered messages and of sessions that are taken up again. Part of records.hpp.

#include <cstdint>
#include <string_view>

#include "common/ids.hpp"
#include "common/outcome.hpp"
#include "common/records_measured.hpp"

namespace nuropb::records {

/// What a session says of its numbered messages (design.md, Resume). keep and resume are answered by their sequence.
struct Resume {
  enum class What : std::uint32_t {
    keep = 1,    ///< number this session's messages from now on, and keep them
    resume = 2,  ///< take over the session that `token` is for; `number` is the last message that its consumer has seen
    seen = 3,    ///< the consumer has seen all up to `number`
    again = 4,   ///< to a new meshd: this session was numbered, `token` is its token, `number` the last it was given
    pending = 5,  ///< to a new meshd, behind `again`: this sequence is still to be answered
    say =
        6,  ///< an answer that the edge has, made up or come before meshd knew of the numbers: to be numbered. `text` is raw
            ///< JSON, `number` the sequence that it answers, and one more; 0: of none that meshd was told of
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

/// A message of a session whose messages are numbered. With `answers`, it is the answer to the edge's own request
/// `sequence`; with `inherited`, to the one that `sequence` was announced for in Resumed::What::pending.
struct Numbered {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;
  bool answers = false;
  bool inherited = false;
  bool refused = false;                         ///< it is an answer, and says no
  std::string_view text;                        ///< the message, raw JSON, without its number
  RequestOutcome outcome = RequestOutcome::ok;  ///< of the request that it answers
  Stages stages{};                              ///< of its answer
};

/// What becomes of a session's messages.
struct Resumed {
  enum class What : std::uint32_t {
    kept = 1,     ///< they are numbered from now on; the answer follows
    resumed = 2,  ///< the socket has the session `session_id` now; `text` tells the consumer. Topics and pending follow
    topic = 3,    ///< `text` is a pattern that it is subscribed to
    pending = 4,  ///< `text` is the trace_id of a request of an earlier socket; `sequence` names it
  };
  static constexpr std::uint32_t last_what = 4;
  What what = What::kept;
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  std::uint64_t number = 0;  ///< the last message that its consumer has
  SessionId session_id;
  std::string_view token;  ///< what it can be resumed with next
  std::string_view text;
};

}  // namespace nuropb::records
