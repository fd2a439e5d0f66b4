#pragma once
// PubSubService and PubSubBackend of Snorky (nuropb-wire.md section 3).
//
// subscribe, unsubscribe, publish over channels that are any JSON value. A message goes to every socket that is
// subscribed, the publisher's too, on every edge at once and on the other gateways of the service as soon as the
// broker takes it there.

#include "meshd/snorky/channels.hpp"
#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

class PubSubService final : public Service {
 public:
  enum class Publish : std::uint8_t { all, backend, policy };  ///< which consumers may

  PubSubService(std::string name, Publish publish, ServiceLimits limits, Outlet& outlet)
      : Service(std::move(name)), publish_(publish), limits_(limits), outlet_(outlet) {}

  void call(const Call& call, const Answer& answer) override;
  void on_session_closed(const SessionRef& session) override { channels_.remove_all(session); }
  void on_peer(std::string_view body) override;

  /// To all who are subscribed, here and elsewhere. Raw JSON both. What is wrong with them, or nothing.
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

/// What backends call in its stead: publishing is always allowed.
class PubSubBackend final : public Service {
 public:
  PubSubBackend(std::string name, PubSubService& frontend) : Service(std::move(name)), frontend_(frontend) {}
  void call(const Call& call, const Answer& answer) override;

 private:
  PubSubService& frontend_;
};

}  // namespace nuropb::meshd::snorky
