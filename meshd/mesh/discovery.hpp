#pragma once
// Cache of service descriptions (`nuropb_describe`; nuropb-wire.md section 1, "Service discovery"), and what follows
// from them for a request: whether it must be encrypted, and with which key.
//
//   want(service) ── known ──────────────────────────────────────────────► ready(description), at once
//        ├── known, not fresh ──► the same; and ask(service)
//        └── not known ──► ask(service), once for all who want it ──► answered(service, …) ──► ready(…), in order
//
// Independent of transport and clock: the owner sends the requests of ask() and passes in the time, so the mesh
// library's Api and the gateway's ServiceMeshManager both use it. Any thread; callbacks run in the call that caused
// them, with no lock held.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "meshd/mesh/answer.hpp"
#include "meshd/mesh/encryption.hpp"

namespace nuropb::mesh {

inline constexpr std::string_view name_of_describe = "nuropb_describe";
inline constexpr milliseconds describe_ttl{60'000};

/// Immutable after construction.
struct Description {
  nlohmann::json document;                           ///< as the service wrote it
  std::map<std::string, bool, std::less<>> methods;  ///< by name: requires encryption
  std::optional<PublicKey> public_key;
  std::string key_problem;                  ///< why there is no public key, if an invalid one was given
  std::optional<ServiceError> undescribed;  ///< the service answered that it has no nuropb_describe method
  std::size_t bytes = 0;                    ///< its cost for the cache's limit
};
using Described = tl::expected<std::shared_ptr<const Description>, ServiceError>;

/// Parses the response to nuropb_describe. A service without that method does not support encryption; any other error
/// is returned, so that nothing is sent in plain text because a service was hard to reach.
Described read_description(const std::string& service, const Answer& answer);

enum class Encryption {
  automatic,  ///< if the method's description requires it
  always,     ///< an error if the service has no public key
  never,      ///< no description is requested
};

/// The key to encrypt a request with, or nothing if it is sent in plain text. Methods that are not described (hidden
/// ones) are sent in plain text unless `always` is requested.
tl::expected<std::optional<PublicKey>, ServiceError> encryption_key(const Description& described,
                                                                    const std::string& service, std::string_view method,
                                                                    Encryption wanted);

/// Replaces the body of a request or command with its encrypted form.
Result<void> encrypt(Outgoing& message, const PublicKey& service, const RequestKeys& keys);

class Discovery {
 public:
  struct Settings {
    milliseconds ttl = describe_ttl;  ///< after that a description is refreshed in the background
    milliseconds retry{5'000};        ///< the same after the service did not respond
    milliseconds max_age{600'000};  ///< after that the description is not used any more, and callers wait for a new one
    std::size_t max_services = 1024;
    std::size_t max_bytes = 32U << 20;          ///< of descriptions
    std::size_t max_waiting_bytes = 64U << 20;  ///< of messages that wait for descriptions; a single message always may
    /// The part of it for one service, so that others have room while that service does not respond.
    std::size_t max_waiting_for_one = 16U << 20;
  };
  /// Sends nuropb_describe to the service. answered() must follow in any case.
  using Ask = std::function<void(const std::string& service)>;
  using Ready = std::function<void(const Described&)>;
  Discovery(Settings settings, Ask ask) : settings_(settings), ask_(std::move(ask)) {}

  /// A description that is fresh at `now`. Empty if there is none: then call want(). Sends nothing.
  [[nodiscard]] std::shared_ptr<const Description> known(const std::string& service, SteadyTime now);
  /// `ready` runs exactly once. `cost`: bytes that are held with it. `refresh`: ignores a cached description.
  void want(const std::string& service, SteadyTime now, std::size_t cost, Ready ready, bool refresh = false);
  void answered(const std::string& service, SteadyTime now, const Answer& answer);
  /// Drops the cached description, because the service's key has changed: the next want() requests it again.
  void forget(const std::string& service);

  [[nodiscard]] std::size_t services() const;

 private:
  struct Entry {
    std::shared_ptr<const Description> description;  // an old description stays until its replacement has arrived
    SteadyTime expires{}, ends{}, used{};
    bool asking = false;
    bool telling = false;  // `asking`, and the response has arrived
    bool failed = false;   // ... and it is an error
    using Queue = std::vector<std::pair<std::size_t, Ready>>;
    Queue waiting;
    std::size_t waiting_bytes = 0;  // of both queues
    Queue waiting_anew;             // callers that wait for the next response, because this one had already arrived
    Queue& queue(bool refresh) { return telling && (refresh || failed) ? waiting_anew : waiting; }
    [[nodiscard]] std::shared_ptr<const Description> believed(SteadyTime now) const {
      return ends > now && !telling ? description : nullptr;
    }
  };
  // Ordered, because untrusted peers choose the names.
  using Entries = std::map<std::string, Entry>;
  void drop(Entries::iterator entry);
  bool make_room(std::size_t most);

  const Settings settings_;
  const Ask ask_;
  mutable std::mutex mutex_;
  Entries entries_;  // all members below are guarded by mutex_
  std::size_t bytes_ = 0;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace nuropb::mesh
