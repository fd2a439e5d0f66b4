#pragma once
// The topic patterns that clients write, and for each of them the one pattern that the broker is asked for: "#.#.a" and "#.a"
// stand for the same topics, so they share a binding (canonical_pattern(), common/topic.hpp).
//
//   add("#.#.a")    ── ask:   bind "#.a"
//   add("#.a")      ── bound: it is there already, or `wait`: its answer is on the way
//   remove(...) of the last spelling ── "#.a" is to be unbound
//
// Without this, a client's spelling would decide what the broker has to work through for every event of the mesh.
// Pure; owner thread: the ring loop.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb::meshd {

class PatternSpellings {
 public:
  enum class State {
    ask,   ///< the broker is to be asked for `canonical`
    wait,  ///< it has been asked, and has not answered yet
    bound  ///< it has `canonical`
  };
  struct Added {
    State state = State::ask;
    std::string canonical;
  };
  /// A pattern that has not been added, or was removed since.
  Added add(std::string_view pattern);
  /// The canonical pattern that is to be unbound, if this was its last spelling.
  std::optional<std::string> remove(std::string_view pattern);
  /// The broker has `canonical`: all spellings of it that somebody wants. A pattern that is not known comes back as it is.
  std::vector<std::string> bound(const std::string& canonical);
  /// The broker refuses `canonical`: the same, and none of them is known any more.
  std::vector<std::string> refused(const std::string& canonical);

 private:
  struct Entry {
    std::vector<std::string> spellings;  // each once; nearly always one
    bool bound = false;
  };
  std::map<std::string, Entry, std::less<>> by_canonical_;
};

}  // namespace nuropb::meshd
