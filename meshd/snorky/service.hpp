#pragma once
// A Snorky service (nuropb-wire.md section 3): something with a name that consumers on /ws, or backends, call, and that
// sends them notifications.
//
//   record ──► Registry::call ──► Service::call ──► Answer (once, at once or later)
//                                     └──────────► Outlet::notify (any number, to any sockets)
//
// All on the ring loop's thread. What a caller sends was validated as JSON before it comes here, and nothing else.

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

/// One consumer's socket. Sorted by worker, so that a set of them falls into workers.
struct SessionRef {
  WorkerId worker;
  std::uint32_t slot = 0;
  std::uint32_t serial = 0;
  auto operator<=>(const SessionRef&) const = default;
};
using Sessions = std::set<SessionRef>;

/// Who calls. A consumer has a session; it is anonymous where its user is empty. A backend has the name of its key.
struct Caller {
  SessionRef session;
  std::string_view user;
  const Policy::Session* policy = nullptr;  ///< of a consumer
  std::string_view backend;                 ///< empty: a consumer
};

struct Call {
  Caller caller;
  std::string_view command;
  std::string_view params;  ///< raw JSON of any kind
  /// The edge brings back what stood before a restart of meshd: nobody is told anew.
  bool restoring = false;
};

/// How a call ended.
struct Outcome {
  std::string data = "null";  ///< raw JSON
  std::string error;          ///< not empty: the call failed, with this text
  /// What the caller's edge keeps of it, to call again after a restart of meshd, or lets go: by key within the service.
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
// Ours
inline constexpr const char* channel_too_long = "The channel is longer than 1024 bytes";
inline constexpr const char* too_large = "The message is too large";
}  // namespace text

/// What one socket may have of a service, and how large an answer may be.
struct ServiceLimits {
  std::size_t per_session = 100;          ///< channels or names: snorky.channels_per_session
  std::size_t answer_bytes = 256U << 10;  ///< lists end before
};

/// Where services send what is no answer.
class Outlet {
 public:
  virtual ~Outlet() = default;
  /// A whole frame to sockets of this gateway; one that is gone is passed over. False, and nothing sent: it is larger
  /// than limits.message_bytes.
  virtual bool notify(const Sessions& to, std::string_view frame) = 0;
  /// The same news for the other gateways of this service: `body` is raw JSON. May be lost; never waits.
  virtual void tell_peers(std::string_view service, std::string_view body) = 0;
};

class Service {
 public:
  explicit Service(std::string name) : name_(std::move(name)) {}
  virtual ~Service() = default;
  [[nodiscard]] const std::string& name() const { return name_; }

  /// Calls `answer` once, at once or later.
  virtual void call(const Call& call, const Answer& answer) = 0;
  /// A socket is gone, with all that it stood for. Told of every socket, also of those that never called.
  virtual void on_session_closed(const SessionRef&) {}
  /// What the same service on another gateway said with tell_peers(): valid JSON, otherwise untrusted.
  virtual void on_peer(std::string_view /*body*/) {}

  /// The text of a call that is over `ServiceLimits::per_session`.
  [[nodiscard]] static std::string too_many(std::string_view what, std::size_t most);

 protected:
  /// {"service":NAME,"message":{"type":TYPE<members>}}; `members` begins with a comma.
  [[nodiscard]] std::string notification(std::string_view type, std::string_view members) const;

 private:
  std::string name_;
};

}  // namespace nuropb::meshd::snorky
