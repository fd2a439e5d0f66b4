#pragma once
// Presents sessions to meshd: opens them with the credential of their client, and closes them. Which credential is valid, meshd
// says.
//
// Owner thread: the edge's io_context.

#include <memory>
#include <string_view>

#include "common/config.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/sessions/new_session.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class DrainController;
class LinkBacklog;
class SessionRestorer;
struct SessionContext;
struct Sessions;

class SessionPresenter {
 public:
  SessionPresenter(const Config& config, const SessionContext& context, RecordSender& sender, LinkBacklog& backlog,
                   Sessions& sessions, const DrainController& drain, SessionRestorer& restorer)
      : config_(config),
        context_(context),
        sender_(sender),
        backlog_(backlog),
        sessions_(sessions),
        drain_(drain),
        restorer_(restorer) {}

  /// The handler of a connection that was admitted; the connection has to own it.
  std::unique_ptr<Receiver> open(Connection& connection, NewSession session);
  /// The first message of a socket without a token, which has to contain one.
  void on_first_message(ConsumerHandler& handler, std::string_view text);
  /// The socket has closed. `lost`: its client did not mean to leave, and may resume.
  void on_closed(const ConsumerHandler& handler, bool lost);

  /// All sessions are presented to the meshd that the edge is attached to now.
  void on_attached();
  void on_accepted(const records::SessionAccepted& record);
  /// meshd has refused the credential, or ends the session.
  void on_ended(records::SessionRef session, std::uint16_t code, std::string_view reason);

 private:
  void present(ConsumerHandler& handler);

  const Config& config_;
  const SessionContext& context_;
  RecordSender& sender_;
  LinkBacklog& backlog_;
  Sessions& sessions_;
  const DrainController& drain_;
  SessionRestorer& restorer_;
};

}  // namespace nuropb::edge
