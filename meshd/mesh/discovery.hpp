#pragma once
// Descriptions of services (`nuropb_describe`; nuropb-wire.md section 1, "Service discovery"), remembered for a while,
// and what follows from it for a request: whether it has to be encrypted, and with which key.
//
//   want(service) ── known ──────────────────────────────────────────────► ready(description), at once
//        ├── known, not fresh ──► the same; and ask(service)
//        └── not known ──► ask(service), once for all who want it ──► answered(service, …) ──► ready(…), in order
//
// Knows no transport and no clock: whoever owns it sends what ask() wants and brings the time. So the mesh library's
// Api and the gateway's ServiceMeshManager can both use it. Any thread; callbacks run in the call that caused them,
// with no lock held.

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

/// Immutable once made.
struct Description {
  nlohmann::json document;                           ///< as the service wrote it
  std::map<std::string, bool, std::less<>> methods;  ///< by name: requires encryption
  std::optional<PublicKey> public_key;
  std::string key_problem;                  ///< why there is no public key, where a bad one was given
  std::optional<ServiceError> undescribed;  ///< the service answered that it has no such method
  std::size_t bytes = 0;                    ///< what it counts for the cache's bound
};
using Described = tl::expected<std::shared_ptr<const Description>, ServiceError>;

/// From the answer to nuropb_describe. A service that does not know the method is one without encryption; any other
/// error is passed on, so that nothing is sent in plain because a service was hard to reach.
Described read_description(const std::string& service, const Answer& answer);

enum class Encryption {
  automatic,  ///< where the method's description requires it
  always,     ///< an error where the service has no public key
  never,      ///< no description is asked for
};

/// The key to encrypt a request with, or none if it goes in plain. Methods that are not described (hidden ones) go in
/// plain unless `always` is asked for.
tl::expected<std::optional<PublicKey>, ServiceError> encryption_key(const Description& described,
                                                                    const std::string& service, std::string_view method,
                                                                    Encryption wanted);

/// Replaces the body of a request or command by its encrypted form.
Result<void> encrypt(Outgoing& message, const PublicKey& service, const RequestKeys& keys);

class Discovery {
 public:
  struct Settings {
    milliseconds ttl = describe_ttl;  ///< after that a description is asked for anew, in the background
    milliseconds retry{5'000};        ///< the same where the service did not answer
    milliseconds max_age{600'000};    ///< after that it is not believed any more, and who wants it waits
    std::size_t max_services = 1024;
    std::size_t max_bytes = 32U << 20;            ///< of descriptions
    std::size_t max_waiting_bytes = 64U << 20;    ///< of what waits for descriptions; one message always may
    std::size_t max_waiting_for_one = 16U << 20;  ///< of that, for one service: others have room while it is silent
  };
  /// Sends nuropb_describe to the service; answered() must follow, whatever happens.
  using Ask = std::function<void(const std::string& service)>;
  using Ready = std::function<void(const Described&)>;
  Discovery(Settings settings, Ask ask) : settings_(settings), ask_(std::move(ask)) {}

  /// A description that is fresh at `now`, or nothing: then want() it. Asks nobody.
  [[nodiscard]] std::shared_ptr<const Description> known(const std::string& service, SteadyTime now);
  /// `ready` runs once. `cost`: bytes that wait with it. `refresh`: what is known already does not count.
  void want(const std::string& service, SteadyTime now, std::size_t cost, Ready ready, bool refresh = false);
  void answered(const std::string& service, SteadyTime now, const Answer& answer);
  /// The next one who wants it asks again: the service's key did not fit any more.
  void forget(const std::string& service);

  [[nodiscard]] std::size_t services() const;

 private:
  struct Entry {
    std::shared_ptr<const Description> description;  // old ones stay until their successor is here
    SteadyTime expires{}, ends{}, used{};
    bool asking = false;
    bool telling = false;  // asking, and the answer is here
    bool failed = false;   // and it is none
    using Queue = std::vector<std::pair<std::size_t, Ready>>;
    Queue waiting;
    std::size_t waiting_bytes = 0;  // of both queues
    Queue waiting_anew;             // for the next answer: this one was here already
    Queue& queue(bool refresh) { return telling && (refresh || failed) ? waiting_anew : waiting; }
    [[nodiscard]] std::shared_ptr<const Description> believed(SteadyTime now) const {
      return ends > now && !telling ? description : nullptr;
    }
  };
  using Entries = std::map<std::string, Entry>;  // ordered: outsiders choose the names
  void drop(Entries::iterator entry);
  bool make_room(std::size_t most);

  const Settings settings_;
  const Ask ask_;
  mutable std::mutex mutex_;
  Entries entries_;  // all under mutex_
  std::size_t bytes_ = 0;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace nuropb::mesh
