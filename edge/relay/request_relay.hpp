#pragma once
// Messages of the nuropb-gw protocol on their way to meshd, and the answers.
//
//   on_message ─► decoded ─► wrong, or refused ─► answered here
//                    │
//                    ├─► can't be sent now ─► paused by the handler, until it can or its deadline has passed
//                    ▼
//                 request ring, PendingRequests ─► on_response ─► the client
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/config.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/relay/message_relay.hpp"

namespace nuropb::edge {

class CachedClock;
class DrainController;
class EventRelay;
class RequestTimings;
class ResumeRelay;
class Subscriptions;
class TickTimer;
struct ClientRequest;
struct Sessions;

class RequestRelay final : public MessageRelay {
 public:
  /// What answers to requests depend on.
  struct Parts {
    Subscriptions& subscriptions;
    EventRelay& events;
    ResumeRelay& resume;
    RequestTimings& timings;
  };
  RequestRelay(const Config& config, RecordSender& sender, Sessions& sessions, const DrainController& drain,
               const CachedClock& clock, TickTimer& timer, Parts parts)
      : config_(config),
        sender_(sender),
        sessions_(sessions),
        drain_(drain),
        clock_(clock),
        timer_(timer),
        parts_(parts) {}

  std::optional<SteadyTime> on_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) override;
  void on_response(const shm::RecordHeader& header, const records::Response& record);
  /// The broker accepts messages again, or another meshd keeps none.
  void forget_early_commands() { early_commands_ = 0; }

 private:
  [[nodiscard]] bool may_send(ConsumerHandler& handler, const ClientRequest& message) const;
  bool request(ConsumerHandler& handler, ClientRequest& message, SteadyTime arrived, SteadyTime deadline);
  std::optional<std::uint64_t> write(ConsumerHandler& handler, const ClientRequest& message,
                                     const records::Origin& origin, SteadyTime deadline, std::string_view trace_id);
  void answer(ConsumerHandler& handler, std::string_view raw_trace_id, std::string_view error);

  const Config& config_;
  RecordSender& sender_;
  Sessions& sessions_;
  const DrainController& drain_;
  const CachedClock& clock_;
  TickTimer& timer_;
  Parts parts_;
  std::size_t early_commands_ = 0;  // bytes of commands that meshd was sent while the broker was unavailable
  std::string answer_;              // reused for every message
};

}  // namespace nuropb::edge
