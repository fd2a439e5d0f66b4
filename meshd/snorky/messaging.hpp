#pragma once
// MessagingService of Snorky (nuropb-wire.md section 3): sockets register names and send messages to one another by
// name.
//
// A name belongs to the socket that registered it first, until that socket leaves. The config determines which names a
// socket may register: only its user's id, so that a name proves the sender, or any. Names are local to this gateway,
// because two gateways cannot agree instantly on who was first (docs/tasks/snorky.md).

#include <map>
#include <set>
#include <string>

#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

class MessagingService final : public Service {
 public:
  enum class Names : std::uint8_t { user, any };

  MessagingService(std::string name, Names names, ServiceLimits limits, Outlet& outlet)
      : Service(std::move(name)), names_(names), limits_(limits), outlet_(outlet) {}

  void call(const Call& call, const Answer& answer) override { answer(run(call)); }
  void on_session_closed(const SessionRef& session) override;

 private:
  Outcome run(const Call& call);
  Outcome register_participant(const Call& call);
  Outcome unregister_participant(const Call& call);
  Outcome list() const;
  Outcome send(const Call& call);

  Names names_;
  ServiceLimits limits_;
  Outlet& outlet_;
  std::map<std::string, SessionRef, std::less<>> participants_;
  std::map<SessionRef, std::set<std::string>> by_session_;
};

}  // namespace nuropb::meshd::snorky
