#pragma once
// Private to Pushes: operations in progress.

#include <map>
#include <set>

#include "meshd/pushes.hpp"

namespace nuropb::meshd {

/// A send, a close or a count that waits for answers.
struct Pushes::Operation {
  struct Edge {
    std::uint32_t records = 0;  ///< records that it has not answered
    std::uint64_t most = 0;     ///< upper limit of connections that it can have reached
    std::uint64_t taken = 0;
  };
  Outcome outcome;
  std::uint64_t users = 0;     ///< of a count
  std::uint32_t gateways = 1;  ///< gateways that answered, including this one
  std::map<WorkerId, Edge> edges;
  std::set<std::string> peers;  ///< gateways that have not answered
  SteadyTime deadline;
  std::function<void(const Operation&)> finish;
};

/// A page requested from another gateway.
struct Pushes::Question {
  std::string peer;
  SteadyTime deadline;
  std::function<void(Result<SessionPage>)> answer;
};

/// Progress through the gateways for one page.
struct Pushes::Paging {
  std::string gateway;  ///< the current gateway
  std::string after;    ///< position in its list; empty: the beginning
  std::size_t limit = 0;
  std::optional<std::string> user_id;
  SessionPage page;
  std::function<void(Result<SessionPage>)> done;
};

/// The member of a JSON object with this name and type; otherwise the default.
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
