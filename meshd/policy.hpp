#pragma once
// What a consumer may do on the mesh beyond being connected: a TOML file (docs/tasks/policy.md), judged in meshd, never
// in an edge.
//
//   default = ["request"]            # verbs that everyone may use on everything; this is the default
//   [[allow]]
//   verbs = ["command", "request"]   # request, command, describe, event, subscribe, publish
//   roles = ["clerk"]                # who: users or roles, any of them; claims, all of them. None named: everyone
//   services = ["orders"]            # what: a `*` stands for any text. None named: all
//   methods = ["get_*"]
//   [[allow]]
//   verbs = ["publish"]              # to channels of a Snorky service
//   services = ["pubsub"]
//   channels = ["chat/*"]
//   [[deny]]                         # wins over every allow
//   verbs = ["subscribe"]
//   topics = ["secret.#"]            # AMQP topic patterns
//
//   [[controller]]                   # who else may use the gateway's own methods (meshd/controller.hpp); default: nobody
//   methods = ["send_to_*"]
//   services = ["orders"]            # who: a service of the mesh, users, roles, claims; all that are named
//
// What nothing allows is refused. Who matches is settled once for a session, so that a request costs only the rules that
// concern its consumer. A Policy never changes once it was read, and sessions keep theirs alive. One thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

/// What a client is told of a topic that its user may not subscribe to.
inline constexpr std::string_view may_not_subscribe = "this user may not subscribe to it (policy)";

enum class Use : std::uint8_t { request, command, describe, event, subscribe, publish };

/// Who calls a method of the gateway's controller: what the call says of its user, and whose response queue it names.
struct ControllerCaller {
  Identity identity;
  std::string service;  ///< empty: not known
};

class Policy {
 public:
  /// Without a file: requests are allowed, all else is not.
  Policy();
  static Result<Policy> load(const std::string& file);
  /// An error names line and key; `name` stands for the file.
  static Result<Policy> parse(std::string_view toml, const std::string& name);

  struct Rules;
  /// What one identity may do.
  class Session {
   public:
    Session() = default;  ///< nothing
    /// Requests, commands and describes (of which `method` is empty); of publish, `method` is the channel as text.
    [[nodiscard]] bool allows(Use use, std::string_view service, std::string_view method) const;
    /// Whether a [[deny]] rule says no to it, whatever else allows it.
    [[nodiscard]] bool denies(Use use, std::string_view service, std::string_view method) const;
    /// Events to a topic, subscriptions to a pattern: allowed where all that it stands for is, denied where any of it is.
    [[nodiscard]] bool allows_topic(Use use, std::string_view topic) const;

   private:
    friend class Policy;
    struct Concerned;
    std::shared_ptr<const Concerned> concerned_;
  };
  [[nodiscard]] Session for_identity(const Identity& identity) const;
  [[nodiscard]] bool allows_controller(const ControllerCaller& caller, std::string_view method) const;
  [[nodiscard]] std::size_t size() const;
  /// The topic patterns of all rules, as they are written.
  [[nodiscard]] std::vector<std::string> topics() const;

 private:
  std::shared_ptr<const Rules> rules_;
};

}  // namespace nuropb::meshd
