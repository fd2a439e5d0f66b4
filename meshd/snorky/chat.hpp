#pragma once
// ChatService of Snorky (nuropb-wire.md section 3): channels whose members see each other join, leave and write.
//
// A member is an authenticated user with any number of sockets: presence is announced for a user's first socket in a
// channel and for the last one that leaves. Anonymous sockets cannot join. Only members of this gateway are known:
// presence shared among gateways would have to survive their failures (docs/tasks/snorky.md).

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "meshd/snorky/channels.hpp"
#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

class ChatService final : public Service {
 public:
  using Now = std::function<std::chrono::system_clock::time_point()>;
  ChatService(std::string name, ServiceLimits limits, Outlet& outlet, Now now = std::chrono::system_clock::now)
      : Service(std::move(name)), limits_(limits), outlet_(outlet), now_(std::move(now)) {}

  void call(const Call& call, const Answer& answer) override { answer(run(call)); }
  void on_session_closed(const SessionRef& session) override;

 private:
  struct Place {
    std::string raw;                                         ///< the channel as its first member wrote it
    std::map<std::string, Sessions, std::less<>> by_user{};  ///< members and their sockets in the channel
  };
  Outcome run(const Call& call);
  Outcome join(const Call& call, std::string_view raw, const std::string& channel);
  Outcome send(const Call& call, std::string_view raw, const std::string& channel, std::string_view body);
  Outcome read(const Call& call, std::string_view raw, const std::string& channel);
  void leave(const SessionRef& session, const std::string& user, const std::string& channel);
  void tell_presence(const std::string& channel, const Place& place, std::string_view user, std::string_view status);
  [[nodiscard]] std::string timestamp() const;  ///< raw JSON: ISO 8601, UTC

  ServiceLimits limits_;
  Outlet& outlet_;
  Now now_;
  Channels sockets_;
  std::map<std::string, Place> places_;
  std::map<SessionRef, std::string> users_;  // users of the sockets that are in any channel
};

}  // namespace nuropb::meshd::snorky
