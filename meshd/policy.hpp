#pragma once
// Authorizes clients' operations on the mesh: a TOML file (docs/tasks/policy.md), evaluated in meshd, never in an edge.
//
//   default = ["request"]            # verbs allowed to everyone on everything; this is the default
//   [[allow]]
//   verbs = ["command", "request"]   # request, command, describe, event, subscribe, publish
//   roles = ["clerk"]                # who: users or roles, any of them; claims, all of them. Default: everyone
//   services = ["orders"]            # what: a `*` matches any text. Default: all
//   methods = ["get_*"]
//   [[allow]]
//   verbs = ["publish"]              # to channels of a Snorky service
//   services = ["pubsub"]
//   channels = ["chat/*"]
//   [[deny]]                         # overrides every allow
//   verbs = ["subscribe"]
//   topics = ["secret.#"]            # AMQP topic patterns
//
//   [[controller]]                   # who may call the gateway's own methods (meshd/controller.hpp); default: no one
//   methods = ["send_to_*"]
//   services = ["orders"]            # who: a service of the mesh, users, roles, claims; all given conditions apply
//
// Everything that is not allowed is refused. The matching rules are selected once per session, so a request only
// evaluates the rules that apply to its client. A Policy is immutable, and sessions keep theirs alive. One thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

/// The error text for a topic that a client's user may not subscribe to.
inline constexpr std::string_view may_not_subscribe = "this user may not subscribe to it (policy)";

enum class Use : std::uint8_t { request, command, describe, event, subscribe, publish };

/// The caller of a controller method: its user according to the call, and the service whose response queue it names.
struct ControllerCaller {
  Identity identity;
  std::string service;  ///< empty: unknown
};

class Policy {
 public:
  /// The policy without a file: requests are allowed, everything else is refused.
  Policy();
  static Result<Policy> load(const std::string& file);
  /// An error names line and key; `name` is used as the file's name in messages.
  static Result<Policy> parse(std::string_view toml, const std::string& name);

  struct Rules;
  /// The permissions of one identity.
  class Session {
   public:
    Session() = default;  ///< nothing is allowed
    /// For requests, commands and describes (with an empty `method`). For publish, `method` is the channel as text.
    [[nodiscard]] bool allows(Use use, std::string_view service, std::string_view method) const;
    /// Whether a [[deny]] rule refuses it, whatever else allows it.
    [[nodiscard]] bool denies(Use use, std::string_view service, std::string_view method) const;
    /// For events to a topic and subscriptions to a pattern: allowed if every matching topic is allowed, denied if any
    /// is denied.
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
