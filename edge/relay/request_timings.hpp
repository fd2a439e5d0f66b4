#pragma once
// What an edge measures of its clients' requests, into its segment, where meshd reads it for /metrics (docs/tasks/metrics.md),
// and what it logs of them.
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "common/records.hpp"
#include "edge/sessions/cached_clock.hpp"
#include "edge/sessions/pending_requests.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class MeshLink;
struct ClientRequest;

class RequestTimings {
 public:
  RequestTimings(const Config::Logging& config, MeshLink& link, const CachedClock& clock)
      : slow_ms_(config.slow_request_ms), link_(link), clock_(clock) {}

  /// What a record tells meshd of its message. `traceparent`: the message's; if it has none, the handshake's counts.
  [[nodiscard]] records::Origin origin_of(const ConsumerHandler& handler, std::string_view traceparent,
                                          SteadyTime arrived) const;
  /// The request is in the ring.
  void on_sent(const ConsumerHandler& handler, const ClientRequest& message, std::string_view trace_id,
               const records::Origin& origin);
  /// What the log of slow requests needs; nullptr unless log.slow_request_ms asks for it.
  [[nodiscard]] std::unique_ptr<PendingRequest::Called> called_of(const ClientRequest& message,
                                                                  const records::Origin& origin) const;

  /// Its answer has just been given to its socket.
  void on_answered(const ConsumerHandler& handler, const PendingRequests::Taken& asked, RequestOutcome outcome,
                   const records::Stages& stages);
  /// All answers that were read from the ring together have been given to their sockets.
  void on_batch_end();
  /// The request has ended. `stages` are known if it was answered.
  void on_ended(const ConsumerHandler& handler, const PendingRequests::Taken& asked, RequestOutcome outcome,
                const records::Stages& stages);
  /// meshd is lost.
  void on_lost() { answered_.clear(); }

 private:
  std::uint32_t slow_ms_;
  MeshLink& link_;
  const CachedClock& clock_;
  std::vector<std::uint64_t> answered_;      // in this batch: when their requests had arrived, in microseconds
  log::Pause slow_pause_{milliseconds(10)};  // a hundred lines a second
};

}  // namespace nuropb::edge
