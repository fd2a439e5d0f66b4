#pragma once
// A Snorky service (nuropb-wire.md section 3): has a name, is called by clients on /ws or by backends, and sends
// notifications to clients.
//
//   record ──► Registry::call ──► Service::call ──► Answer (once, at once or later)
//                                     └──────────► Outlet::notify (any number, to any sockets)
//
// All calls are on the ring loop's thread. A caller's parameters are valid JSON, but not validated otherwise.

#include <compare>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "meshd/auth/authorizer.hpp"
#include "meshd/policy.hpp"
#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd::snorky {

/// One client's socket. Sorted by worker, so that a set of them is grouped by worker.
struct SessionRef {
  WorkerId worker;
  std::uint32_t slot = 0;
  std::uint32_t serial = 0;
  auto operator<=>(const SessionRef&) const = default;
};
using Sessions = std::set<SessionRef>;

/// The caller. A client has a session, and is anonymous if `user` is empty. A backend has its key's name.
struct Caller {
  SessionRef session;
  std::string_view user;
  const Policy::Session* policy = nullptr;  ///< of a client
  std::string_view backend;                 ///< empty for a client
};

struct Call {
  Caller caller;
  std::string_view command;
  std::string_view params;  ///< raw JSON of any kind
  /// The edge replays a call from before a restart of meshd: other clients are not notified again.
  bool restoring = false;
};

/// The result of a call.
struct Outcome {
  std::string data = "null";  ///< raw JSON
  std::string error;          ///< not empty: the call failed with this text
  /// Whether the caller's edge stores the call for replay after a restart of meshd, or deletes a stored one: by key
  /// within the service.
  enum class Standing : std::uint8_t { nothing, keep, drop } standing = Standing::nothing;
  std::string key;

  static Outcome failed(std::string text) { return {"null", std::move(text), Standing::nothing, {}}; }
  static Outcome keeps(std::string key) { return {"null", {}, Standing::keep, std::move(key)}; }
  static Outcome drops(std::string key) { return {"null", {}, Standing::drop, std::move(key)}; }
};
using Answer = std::function<void(Outcome)>;

namespace text {  // the original's, to the letter
inline constexpr const char* unknown_command = "Unknown command";
inline constexpr const char* invalid_params = "Invalid params";
inline constexpr const char* not_authorized = "Not authorized";
// Not in the original.
inline constexpr const char* channel_too_long = "The channel is longer than 1024 bytes";
inline constexpr const char* too_large = "The message is too large";
}  // namespace text

/// Limits per socket and service, and the size of a response.
struct ServiceLimits {
  std::size_t per_session = 100;          ///< channels or names: snorky.channels_per_session
  std::size_t answer_bytes = 256U << 10;  ///< lists are truncated to it
};

/// How services send anything that is not the response to a call.
class Outlet {
 public:
  virtual ~Outlet() = default;
  /// Sends a frame to sockets of this gateway; closed ones are skipped. Returns false, and sends nothing, if it exceeds
  /// limits.message_bytes.
  virtual bool notify(const Sessions& to, std::string_view frame) = 0;
  /// Sends the same notification to the service's other gateways; `body` is raw JSON. May be lost; never blocks.
  virtual void tell_peers(std::string_view service, std::string_view body) = 0;
};

class Service {
 public:
  explicit Service(std::string name) : name_(std::move(name)) {}
  virtual ~Service() = default;
  [[nodiscard]] const std::string& name() const { return name_; }

  /// Calls `answer` exactly once, immediately or later.
  virtual void call(const Call& call, const Answer& answer) = 0;
  /// A socket was closed; its state has to be removed. Called for every socket, also for those that never called the
  /// service.
  virtual void on_session_closed(const SessionRef&) {}
  /// A notification that the same service on another gateway sent with tell_peers(): valid JSON, otherwise untrusted.
  virtual void on_peer(std::string_view /*body*/) {}

  /// The error text of a call that exceeds `ServiceLimits::per_session`.
  [[nodiscard]] static std::string too_many(std::string_view what, std::size_t most);

 protected:
  /// {"service":NAME,"message":{"type":TYPE<members>}}; `members` begins with a comma.
  [[nodiscard]] std::string notification(std::string_view type, std::string_view members) const;

 private:
  std::string name_;
};

}  // namespace nuropb::meshd::snorky
