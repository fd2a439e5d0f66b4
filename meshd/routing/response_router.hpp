#pragma once
// The way back: responses of services and of meshd itself, and reports of what became of messages, to the workers and sessions that
// asked.
//
// A response of a service has a receipt, which is given back once the response lies in its worker's return ring, or no client waits
// for it: only then the broker is told. Owner thread: the event loop.

#include <array>
#include <cstdint>
#include <optional>

#include "meshd/auth/mesh_authorizer.hpp"
#include "meshd/faces.hpp"
#include "meshd/resume/mailbox_delivery.hpp"
#include "meshd/routing/early_responses.hpp"
#include "meshd/sessions/response_sink.hpp"
#include "meshd/sessions/user_quotas.hpp"
#include "meshd/tap_recorder.hpp"
#include "meshd/tracing/request_tracing.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class ResponseRouter final : public ResponseSink {
 public:
  using Receipt = mesh::Delivery;
  struct Parts {
    const Faces& faces;
    WorkerPort& workers;
    UserQuotas& quotas;
    RequestTracing& tracing;
    TapRecorder& taps;
    MailboxDelivery& delivery;
    EarlyResponses& early;
    MeshAuthorizer* mesh_authorizer;  ///< nullptr: no service authenticates clients
  };
  explicit ResponseRouter(const Parts& parts);

  void respond(Returned&& response) override { deliver(std::move(response), {}); }
  void deliver(Returned&& response, const std::optional<Receipt>& receipt);
  /// What became of a message: its record is settled, and if it was not sent, or nothing else comes, the client is answered.
  void report(Face& face, mesh::Report&& report, SteadyTime now);
  /// This worker has attached: responses for it that were early.
  void release_early(WorkerId worker);
  /// Now and then: those whose workers did not come.
  void expire_early();

  /// By mesh::Outcome.
  [[nodiscard]] const std::array<std::uint64_t, 5>& reports() const { return reports_; }

 private:
  const Faces& faces_;
  WorkerPort& workers_;
  UserQuotas& quotas_;
  RequestTracing& tracing_;
  TapRecorder& taps_;
  MailboxDelivery& delivery_;
  EarlyResponses& early_;
  MeshAuthorizer* mesh_authorizer_;
  std::array<std::uint64_t, 5> reports_{};
};

}  // namespace nuropb::meshd
