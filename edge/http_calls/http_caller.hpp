#pragma once
// A client that calls over HTTP: the Connection of the session whose token its requests present, and the owner of its HttpSocket.
//
//   head ──► wrong, or not a call ───────────────────────────────────────────────┐
//     ▼                                                                           ▼
//   the session of this token: the present one, or a new one ──► refused ──► respond()
//     ▼ accepted; nothing of the body is read before                             ▲
//   body ──► message to the session ──► its answer, or the end of the session ────┘
//
// A session ends with its connection, or with a request that presents another token. Owned by HttpCallers. Owner thread: the edge's
// io_context.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/http_calls/call_request.hpp"
#include "edge/http_calls/http_socket.hpp"
#include "edge/net/door.hpp"
#include "edge/protocol/token_source.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class HttpCallers;

class HttpCaller final : public Connection, public HttpSocket::Owner, public std::enable_shared_from_this<HttpCaller> {
 public:
  HttpCaller(HttpCallers& callers, Guest guest);

  /// Reads the first request.
  void begin() { socket_->begin(); }
  /// Closes the connection after the request that is in progress; at once if there is none.
  void stop() { socket_->stop(); }
  /// Closes the connection after its next response.
  void let_go() { socket_->let_go(); }

  // Connection
  void send_text(std::string_view text) override;
  void send_binary(std::string_view text) override { send_text(text); }
  void send_frame(const Frame&) override {}
  void close(std::uint16_t code, std::string_view reason) override;
  void pause_reading() override { paused_ = true; }
  void resume_reading() override;
  void limit_message(std::size_t) override {}
  [[nodiscard]] std::size_t buffered_bytes() const override;
  /// 1000: nobody can resume the session of a caller.
  [[nodiscard]] std::uint16_t closed_with() const override { return 1000; }
  [[nodiscard]] bool peer_gone() const override { return gone_; }

  // HttpSocket::Owner
  void on_head(const RequestHead& head) override;
  void on_part_of_body(std::size_t bytes) override;
  void on_body(std::string body) override;
  void on_refused(HttpAnswer answer) override;
  void on_written() override;
  void on_gone() override;

 private:
  struct Closed {
    std::uint16_t code;
    std::string reason;
  };

  /// The client's address for this request. Empty if the proxy does not state it.
  [[nodiscard]] std::optional<std::string> peer_of(const RequestHead& head) const;
  /// Whether the connection may go on after a response.
  [[nodiscard]] bool may_stay() const;
  void on_call(const RequestHead& head, const Handshake& request);
  void begin_session(const Handshake& request, FoundToken token);
  void end_session();
  void hand_over(const RequestHead& head, std::string peer);
  void settle_soon();
  void settle();
  void respond(HttpAnswer answer);

  HttpCallers& callers_;
  std::string peer_;
  ClientCertificate certificate_;
  IpAddress sender_;
  std::shared_ptr<HttpSocket> socket_;

  // The session.
  std::unique_ptr<Receiver> receiver_;
  FoundToken token_;              // which it was opened with
  std::optional<Closed> closed_;  // how it has ended
  bool paused_ = false;
  bool accepted_ = false;

  // The request in progress.
  std::optional<CallRequest> call_;
  std::string origin_;  // of an allowed page; empty: none
  std::optional<HttpAnswer> answer_;
  bool awaits_session_ = false;
  bool unfinished_ = false;  // a part of its body has arrived
  bool sent_ = false;        // its message was passed to the session

  bool settling_ = false, gone_ = false;
};

}  // namespace nuropb::edge
