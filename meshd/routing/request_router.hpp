#pragma once
// The way out: requests, commands, descriptions and events of clients, from a decoded record to the mesh.
//
//   record ──► policy ──► quota ──► timing, span ──► message ──┬──────────────► Face::outgoing ──► publish_waiting()
//                └──── refused: a response ◄──┘                └► encryption ──► send_encrypted() ─┘
//
// Owner thread: the event loop.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/records.hpp"
#include "meshd/auth/mesh_authorizer.hpp"
#include "meshd/faces.hpp"
#include "meshd/request_deadline.hpp"
#include "meshd/routing/broker_status.hpp"
#include "meshd/sessions/response_sink.hpp"
#include "meshd/sessions/user_quotas.hpp"
#include "meshd/tracing/request_tracing.hpp"
#include "meshd/translate.hpp"
#include "meshd/workers/record_handler.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class RequestRouter {
 public:
  struct Parts {
    const Config& config;
    const Clock& clock;
    boost::asio::io_context& io;
    const BatchTimes& times;
    RequestDeadline deadline;
    const Faces& faces;
    WorkerPort& workers;
    UserQuotas& quotas;
    RequestTracing& tracing;
    ResponseSink& responses;
    const BrokerStatus& broker;
    MeshAuthorizer* mesh_authorizer;  ///< nullptr: no service authenticates clients
  };
  explicit RequestRouter(const Parts& parts);

  /// A request, command or describe of a client; the session is open.
  RecordResult request(Worker& worker, records::Type type, const records::Request& request, const Session& session,
                       const ReturnAddress& from);
  RecordResult event(Worker& worker, const records::Event& event, const Session& session, const ReturnAddress& from);
  /// A question of our own to a service, whether a token is good. False if there is no broker now.
  [[nodiscard]] bool ask(mesh::Outgoing&& question, const std::string& method);

  /// What encryption has let through is put to the rest, what it has refused is answered.
  void send_encrypted(Face& face);
  /// The same for all faces, and then as much as the mesh has room for.
  void publish_read();

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] bool may_wait(records::Type type, const records::Request& request, const Session& session,
                              const ReturnAddress& from);
  RecordResult publish(Worker& worker, Face& face, Result<mesh::Outgoing> message, std::string_view method = {});
  RecordResult refuse(Returned&& refused);

  const Config& config_;
  const Clock& clock_;
  boost::asio::io_context& io_;
  const BatchTimes& times_;
  RequestDeadline deadline_;
  const Faces& faces_;
  WorkerPort& workers_;
  UserQuotas& quotas_;
  RequestTracing& tracing_;
  ResponseSink& responses_;
  const BrokerStatus& broker_;
  MeshAuthorizer* mesh_authorizer_;
  RequestSettings settings_;
  std::uint64_t bytes_ = 0;  // of messages that were sent
};

/// Why the policy, or a rule of the gateway, does not let a client send this. Pure.
std::optional<Returned> refused_by_policy(records::Type type, const records::Request& request, const Session& session,
                                          const ReturnAddress& from);
std::optional<Returned> refused_by_policy(const records::Event& event, const Session& session,
                                          const ReturnAddress& from);

}  // namespace nuropb::meshd
