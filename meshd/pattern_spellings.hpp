#pragma once
// Maps the topic patterns that clients write to the canonical pattern that is sent to the broker: "#.#.a" and "#.a"
// match the same topics, so they share a binding (canonical_pattern(), common/topic.hpp).
//
//   add("#.#.a")    ── ask:   bind "#.a"
//   add("#.a")      ── bound: it exists already, or `wait`: its confirmation is pending
//   remove(...) of the last spelling ── "#.a" is to be unbound
//
// Without this, a client's spelling would determine the broker's work for every event of the mesh. Pure; owner thread:
// the ring loop.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb::meshd {

class PatternSpellings {
 public:
  enum class State {
    ask,   ///< `canonical` has to be bound
    wait,  ///< the bind has been sent and is not confirmed yet
    bound  ///< `canonical` is bound
  };
  struct Added {
    State state = State::ask;
    std::string canonical;
  };
  /// Precondition: the pattern is not present.
  Added add(std::string_view pattern);
  /// Returns the canonical pattern to unbind if this was its last spelling.
  std::optional<std::string> remove(std::string_view pattern);
  /// The broker has bound `canonical`: returns all spellings in use. An unknown pattern is returned as it is.
  std::vector<std::string> bound(const std::string& canonical);
  /// The broker refuses `canonical`: returns the same, and removes them.
  std::vector<std::string> refused(const std::string& canonical);

 private:
  struct Entry {
    std::vector<std::string> spellings;  // unique; nearly always a single one
    bool bound = false;
  };
  std::map<std::string, Entry, std::less<>> by_canonical_;
};

}  // namespace nuropb::meshd
