#pragma once
// MessagingService of Snorky (nuropb-wire.md section 3): sockets take names and write to one another by them.
//
// A name belongs to the socket that registered it first, until it leaves. Which names a socket may take is the config's:
// its user's id only, so that a name says who it is, or any. Names are known within this gateway only: two gateways can't
// agree at once on who was first (docs/tasks/snorky.md says so).

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
