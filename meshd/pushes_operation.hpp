#pragma once
// Private to Pushes: what is on its way.

#include <map>
#include <set>

#include "meshd/pushes.hpp"

namespace nuropb::meshd {

/// A send, a close or a count that somebody waits for.
struct Pushes::Operation {
  struct Edge {
    std::uint32_t records = 0;  ///< that it has not answered
    std::uint64_t most = 0;     ///< connections that it can have reached
    std::uint64_t taken = 0;
  };
  Outcome outcome;
  std::uint64_t users = 0;     ///< of a count
  std::uint32_t gateways = 1;  ///< that answered, this one among them
  std::map<WorkerId, Edge> edges;
  std::set<std::string> peers;  ///< that have not answered
  SteadyTime deadline;
  std::function<void(const Operation&)> finish;
};

/// A page asked for from another gateway.
struct Pushes::Question {
  std::string peer;
  SteadyTime deadline;
  std::function<void(Result<SessionPage>)> answer;
};

/// The walk over the gateways for one page.
struct Pushes::Paging {
  std::string gateway;  ///< whose turn it is
  std::string after;    ///< where in it; empty: at its beginning
  std::size_t limit = 0;
  std::optional<std::string> user_id;
  SessionPage page;
  std::function<void(Result<SessionPage>)> done;
};

/// What a JSON object has under a name, where it has the type.
template <class T>
T member_of(const auto& object, const char* name, T otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  if constexpr (std::is_same_v<T, std::string>)
    return found->is_string() ? found->template get<std::string>() : otherwise;
  else if constexpr (std::is_same_v<T, bool>) return found->is_boolean() ? found->template get<bool>() : otherwise;
  else return found->is_number_unsigned() ? found->template get<T>() : otherwise;
}

}  // namespace nuropb::meshd
