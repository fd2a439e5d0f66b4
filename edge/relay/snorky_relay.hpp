#pragma once
// Calls of Snorky's protocol on their way to meshd, and the answers. meshd knows who is in which channel; the edge keeps the calls
// that the next meshd has to be told of.
//
// Owner thread: the edge's io_context.

#include <optional>
#include <string_view>

#include "common/config.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/relay/message_relay.hpp"

namespace nuropb::edge {

class CachedClock;
class DrainController;
class RequestTimings;
class TickTimer;
struct Sessions;
struct SnorkyRequest;

class SnorkyRelay final : public MessageRelay {
 public:
  SnorkyRelay(const Config& config, RecordSender& sender, Sessions& sessions, const DrainController& drain,
              const CachedClock& clock, TickTimer& timer, RequestTimings& timings)
      : config_(config),
        sender_(sender),
        sessions_(sessions),
        drain_(drain),
        clock_(clock),
        timer_(timer),
        timings_(timings) {}

  std::optional<SteadyTime> on_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) override;
  void on_answer(const shm::RecordHeader& header, const records::SnorkyAnswer& record);
  /// Tells a new meshd of the session's standing calls. False if there was no room for all.
  bool restore(ConsumerHandler& handler);

 private:
  bool call(ConsumerHandler& handler, const SnorkyRequest& message, SteadyTime arrived, SteadyTime deadline);

  const Config& config_;
  RecordSender& sender_;
  Sessions& sessions_;
  const DrainController& drain_;
  const CachedClock& clock_;
  TickTimer& timer_;
  RequestTimings& timings_;
};

}  // namespace nuropb::edge
