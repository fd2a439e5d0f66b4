#pragma once
// PubSubService and PubSubBackend of Snorky (nuropb-wire.md section 3).
//
// subscribe, unsubscribe and publish on channels, which are arbitrary JSON values. A message goes to every subscribed
// socket, including the publisher's: on all edges of this gateway immediately, on the service's other gateways through
// the broker.

#include "meshd/snorky/channels.hpp"
#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

class PubSubService final : public Service {
 public:
  enum class Publish : std::uint8_t { all, backend, policy };  ///< which clients may publish

  PubSubService(std::string name, Publish publish, ServiceLimits limits, Outlet& outlet)
      : Service(std::move(name)), publish_(publish), limits_(limits), outlet_(outlet) {}

  void call(const Call& call, const Answer& answer) override;
  void on_session_closed(const SessionRef& session) override { channels_.remove_all(session); }
  void on_peer(std::string_view body) override;

  /// Publishes to all subscribers, here and on other gateways. Both arguments are raw JSON. Returns what is wrong with
  /// them, or an empty string.
  std::string publish(std::string_view channel, std::string_view message);

 private:
  Outcome run(const Call& call);
  [[nodiscard]] bool may_publish(const Caller& caller, std::string_view channel) const;
  bool deliver(std::string_view channel, std::string_view message);

  Publish publish_;
  ServiceLimits limits_;
  Outlet& outlet_;
  Channels channels_;
};

/// The backends' counterpart, which may always publish.
class PubSubBackend final : public Service {
 public:
  PubSubBackend(std::string name, PubSubService& frontend) : Service(std::move(name)), frontend_(frontend) {}
  void call(const Call& call, const Answer& answer) override;

 private:
  PubSubService& frontend_;
};

}  // namespace nuropb::meshd::snorky
