#include "edge/http_calls/http_caller.hpp"

#include <boost/asio/post.hpp>
#include <new>
#include <utility>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/same_letters.hpp"
#include "edge/http_calls/call_answer.hpp"
#include "edge/http_calls/http_callers.hpp"
#include "edge/protocol/origin.hpp"
#include "edge/sessions/admission.hpp"

namespace nuropb::edge {
namespace {

/// A request of a caller, in the form that admission and probes read.
class CallHandshake final : public Handshake {
 public:
  CallHandshake(const RequestHead& head, const std::string& peer, const ClientCertificate& certificate)
      : head_(head), peer_(peer), certificate_(certificate) {}
  [[nodiscard]] std::string_view path() const override { return head_.path; }
  [[nodiscard]] std::string_view query() const override { return head_.query; }
  [[nodiscard]] std::string_view method() const override { return head_.method; }
  [[nodiscard]] std::string_view header(const std::string& name) const override {
    value_ = head_.header(name);
    return value_;
  }
  [[nodiscard]] std::string remote() const override { return peer_; }
  [[nodiscard]] const ClientCertificate& certificate() const override { return certificate_; }

 private:
  const RequestHead& head_;
  const std::string& peer_;
  const ClientCertificate& certificate_;
  mutable std::string value_;  // of the header that was read last
};

/// What a page of this origin may know (Fetch standard, CORS protocol).
void allow_origin(HttpAnswer& answer, const std::string& origin) {
  answer.headers.emplace_back("Access-Control-Allow-Origin", origin);
  answer.headers.emplace_back("Access-Control-Expose-Headers", "Retry-After, X-Request-Id");
}

/// `token_header`: auth.header.
HttpAnswer preflight(const std::string& token_header) {
  return {204,
          {},
          {{"Access-Control-Allow-Methods", "GET, POST"},
           {"Access-Control-Allow-Headers", token_header + ", Content-Type, Prefer, traceparent, X-Request-Id"},
           {"Access-Control-Max-Age", "600"}}};
}

}  // namespace

HttpCaller::HttpCaller(HttpCallers& callers, Guest guest)
    : callers_(callers),
      peer_(std::move(guest.peer)),
      certificate_(std::move(guest.certificate)),
      sender_(guest.sender),
      socket_(std::make_shared<HttpSocket>(callers.io(), std::move(guest.stream), callers.socket_settings(), *this)) {}

std::size_t HttpCaller::buffered_bytes() const { return socket_->unsent() + (answer_ ? answer_->body.size() : 0); }

std::optional<std::string> HttpCaller::peer_of(const RequestHead& head) const {
  if (!callers_.rules().client_is_in_header(sender_)) return peer_;
  const auto client = callers_.rules().client_of(head, sender_);
  if (!client) return {};
  return peer_text(*client, 0);
}

void HttpCaller::on_head(const RequestHead& head) {
  call_.reset();
  answer_.reset();
  origin_.clear();
  sent_ = awaits_session_ = false;
  const auto peer = peer_of(head);
  if (!peer) return respond(problem_of(HeadRules::no_client()));
  if (!is_probe(head.path)) {
    if (const auto refused = callers_.rules().refusal_of_host(head)) return respond(problem_of(*refused));
  }
  if (head.wants_websocket()) {
    if (head.chunked || head.content_length > 0)
      return respond(problem(413, error_name::validation, "a handshake has no body"));
    return hand_over(head, *peer);
  }
  const CallHandshake request(head, *peer, certificate_);
  if (!is_call(head.path)) return socket_->respond(callers_.page(request), may_stay());
  on_call(head, request);
}

/// A stranger holds no place between requests. A trusted proxy does, which keeps connections for many clients.
bool HttpCaller::may_stay() const { return accepted_ || callers_.rules().client_is_in_header(sender_); }

void HttpCaller::on_call(const RequestHead& head, const Handshake& request) {
  std::string origin(request.header("Origin"));
  if (!origin_allowed(origin, callers_.config().listen.origins))
    return respond(problem(403, error_name::authorization, "this origin may not call (listen.origins)"));
  origin_ = std::move(origin);
  if (head.method == "OPTIONS") return respond(preflight(callers_.config().auth.header));
  if (head.has("Content-Encoding") && !same_letters(head.header("Content-Encoding"), "identity"))
    return respond(problem(415, error_name::validation, "a body is not accepted in this encoding"));
  auto call = read_call(head);
  if (auto* const refused = std::get_if<HttpAnswer>(&call)) return respond(std::move(*refused));
  call_ = std::move(std::get<CallRequest>(call));
  auto token = callers_.admission().token_of_call(request);
  if (receiver_ && !closed_ && token && token->kind == token_.kind && token->token == token_.token)
    return socket_->read_body();
  HttpAnswer refusal;
  if (!callers_.admission().admit_call(request, token, receiver_ != nullptr, refusal))
    return respond(problem_of(refusal));
  begin_session(request, std::move(*token));
}

void HttpCaller::begin_session(const Handshake& request, FoundToken token) {
  end_session();
  token_ = token;
  awaits_session_ = true;
  receiver_ = callers_.open(*this, callers_.admission().session_of_call(request, std::move(token)));
  settle_soon();  // the session may have been refused, or accepted, at once
}

void HttpCaller::end_session() {
  closed_.reset();
  paused_ = accepted_ = false;
  token_ = {};
  if (const auto receiver = std::move(receiver_)) receiver->on_close();
}

/// A client, or the proxy that keeps connections for its clients, opens a WebSocket on a connection that was used for calls.
void HttpCaller::hand_over(const RequestHead& head, std::string peer) {
  auto stream = socket_->release(head);
  if (!stream) {
    return respond(
        problem(400, error_name::validation, "a handshake has to wait for the response to the request before"));
  }
  Guest guest{std::move(stream), std::move(peer), certificate_, callers_.socket_settings().head_time, sender_, false};
  end_session();
  gone_ = true;
  callers_.remove(*this);
  callers_.open_websocket(std::move(guest));
}

void HttpCaller::on_part_of_body(std::size_t bytes) {
  unfinished_ = bytes > 0;
  if (Costs* const costs = receiver_ ? receiver_->costs() : nullptr) costs->on_unfinished(bytes);
}

void HttpCaller::on_body(std::string body) {
  if (unfinished_) on_part_of_body(0);
  if (closed_) return;  // settle() is about to answer
  if (!receiver_ || !call_) return respond(problem(503, error_name::transport, "the session has ended; not sent"));
  const Config::Limits& limits = callers_.config().limits;
  auto message = message_of(*call_, body, limits.json(), limits.message_bytes);
  if (auto* const refused = std::get_if<HttpAnswer>(&message)) return respond(std::move(*refused));
  sent_ = true;
  receiver_->on_message(std::get<std::string>(message));
}

void HttpCaller::on_refused(HttpAnswer answer) {
  if (unfinished_) on_part_of_body(0);
  respond(problem_of(answer));
}

void HttpCaller::on_written() {
  if (receiver_) receiver_->on_written();
}

void HttpCaller::on_gone() {
  gone_ = true;
  end_session();
  callers_.remove(*this);
}

void HttpCaller::send_text(std::string_view text) {
  if (!call_ || !sent_ || answer_) return;
  answer_ = answer_of(text, call_->id, call_->verb == records::Type::request || call_->verb == records::Type::describe);
  if (answer_) settle_soon();
}

void HttpCaller::close(std::uint16_t code, std::string_view reason) {
  if (closed_) return;
  closed_ = Closed{code, std::string(reason)};
  settle_soon();
}

void HttpCaller::resume_reading() {
  paused_ = false;
  if (awaits_session_) settle_soon();
}

/// What sessions report is acted on from the event loop, since they report it in the middle of their own work.
void HttpCaller::settle_soon() {
  if (settling_) return;
  boost::asio::post(callers_.io(), [self = shared_from_this()] {
    self->settling_ = false;
    if (self->gone_) return;
    try {
      self->settle();
    } catch (const std::bad_alloc&) { self->socket_->drop(); }
  });
  settling_ = true;
}

void HttpCaller::settle() {
  const auto closed = std::exchange(closed_, std::nullopt);
  // What its client does not read has to be released now, as of every client that reads too slowly.
  if (closed && closed->code == close_code::slow_consumer && (answer_ || socket_->unsent() > 0)) return socket_->drop();
  if (call_ && answer_) respond(std::move(*answer_));
  else if (call_ && closed) respond(answer_of_close(closed->code, closed->reason, sent_));
  if (closed) {
    end_session();
    if (closed->code == close_code::going_away) socket_->stop();
  } else if (awaits_session_ && !paused_) {
    awaits_session_ = false;
    accepted_ = true;
    socket_->read_body();
  }
}

void HttpCaller::respond(HttpAnswer answer) {
  answer.headers.reserve(answer.headers.size() + 6);
  if (call_) answer.headers.emplace_back("X-Request-Id", call_->id);
  answer.headers.emplace_back("Cache-Control", "no-store");
  answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (!callers_.config().listen.origins.empty()) answer.headers.emplace_back("Vary", "Origin");
  if (!origin_.empty()) allow_origin(answer, std::exchange(origin_, {}));
  call_.reset();
  answer_.reset();
  awaits_session_ = false;
  socket_->respond(answer, may_stay());
}

}  // namespace nuropb::edge
