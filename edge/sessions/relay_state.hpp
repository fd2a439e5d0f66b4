#pragma once
// What relay/ keeps of each session. It lies in the session's handler, which uses only what tells whether the client still
// waits for something.

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/records.hpp"
#include "edge/sessions/pending_requests.hpp"

namespace nuropb::edge {

/// A resumable session: meshd numbers its messages (design.md, Resume).
struct NumberedMessages {
  std::string token;        ///< what its client can resume it with
  std::uint64_t last = 0;   ///< number of the last message that meshd gave us
  bool told = true;         ///< this meshd knows that the session is resumable
  bool lost = false;        ///< meshd does not know all of it, and can't be told any more
  bool in_backlog = false;  ///< `unsaid` waits for room in the ring
  /// Answers for meshd to number, each with Resume::number.
  std::deque<std::pair<std::uint64_t, std::string>> unsaid;
  /// trace_ids of requests of earlier sockets, by meshd's numbers.
  std::map<std::uint64_t, std::string> inherited;
};

/// The record of a pending request that a meshd which is dead never took. It goes before any paused message.
struct UnsentRecord {
  records::Type type;
  std::uint64_t sequence;
  std::string record;
};

struct RelayState {
  SessionRequests requests;
  /// Topic patterns that the session is subscribed to.
  std::set<std::string, std::less<>> topics;
  /// Calls to Snorky's services that a new meshd has to be told of, by meshd's keys.
  std::map<std::string, std::string, std::less<>> standing;
  /// A list: nearly always empty, when a deque takes half a kilobyte.
  std::list<UnsentRecord> unsent;
  /// nullptr: the session is not resumable.
  std::unique_ptr<NumberedMessages> numbered;
  /// The present meshd has to be told of topics, standing calls and numbers, and has not been told of all.
  bool restoring = false;

  /// Whether the client may still get an answer to something that it has sent.
  [[nodiscard]] bool awaits_answers() const {
    return !unsent.empty() || requests.count > 0 ||
           (numbered && !(numbered->inherited.empty() && numbered->unsaid.empty()));
  }
};

}  // namespace nuropb::edge
