#include "meshd/amqp/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "meshd/amqp/open_socket.hpp"

namespace nuropb::amqp {
namespace {

constexpr int wanted_frame_max = 131072;
constexpr int wanted_send_buffer = 4 << 20;
constexpr std::size_t longest_name = 255;  // AMQP's short strings
// Limit of our headers: publish_overhead minus the names and the frames around them.
constexpr std::size_t longest_headers = 6144;
// Size of one part of a long body, unless the broker's frames are smaller: small enough to find room in any send
// buffer.
constexpr std::size_t body_part = 16384;
constexpr std::size_t around_frame = 8;     // type, channel, size, and the final octet
constexpr std::size_t frame_overhead = 64;  // of a body frame, including TLS

amqp_table_entry_t flag_entry(std::string_view key) {
  amqp_table_entry_t entry{};
  entry.key = bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

/// "403 ACCESS_REFUSED - Login was refused…"
std::string server_text(const amqp_method_t& method) {
  if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_connection_close_t*>(method.decoded);
    return std::to_string(close->reply_code) + " " + std::string(view(close->reply_text));
  }
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_channel_close_t*>(method.decoded);
    return std::to_string(close->reply_code) + " " + std::string(view(close->reply_text));
  }
  return "the broker answered with method " + std::to_string(method.id);
}

Error login_error(const amqp_rpc_reply_t& reply, const Url& url, bool with_certificate) {
  const std::string where = url.redacted();
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
    const std::string said = server_text(reply.reply);
    if (said.starts_with("403"))
      return {"user or password refused: " + said, where, "check user and password in amqp.urls"};
    if (said.starts_with("530"))
      return {"vhost refused: " + said, where,
              "the vhost '" + url.vhost + "' has to exist, and user '" + url.user + "' needs permissions on it"};
    return {"the broker refused the connection: " + said, where, {}};
  }
  switch (reply.library_error) {
    case AMQP_STATUS_CONNECTION_CLOSED:
    case AMQP_STATUS_SOCKET_ERROR:
      return {"the connection was closed during the AMQP handshake", where,
              "is this port AMQP, with TLS exactly where the URL says amqps?"};
    case AMQP_STATUS_SSL_ERROR:
      // In TLS 1.3 a client learns only after its own handshake whether the server accepts its certificate.
      return {"the broker closed the TLS connection after the handshake", where,
              with_certificate ? "does it accept the certificate of amqp.certificate_file?"
                               : "does it ask for a certificate of ours (amqp.certificate_file)?"};
    case AMQP_STATUS_TIMEOUT:
      return {"did not answer the AMQP handshake", where,
              "is this port AMQP, with TLS exactly where the URL says amqps?"};
    case AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION:
    case AMQP_STATUS_BAD_AMQP_DATA:
    case AMQP_STATUS_UNKNOWN_CLASS:
    case AMQP_STATUS_UNKNOWN_METHOD:
      return {"the peer does not speak AMQP 0-9-1", where,
              "is this port AMQP? RabbitMQ's management listens on another"};
    default: return {std::string("AMQP handshake: ") + amqp_error_string2(reply.library_error), where, {}};
  }
}

Error open_error(int status, const Url& url) {
  const std::string where = url.redacted();
  switch (status) {
    case AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED: return {"host name '" + url.host + "' can't be resolved", where, {}};
    case AMQP_STATUS_TIMEOUT: return {"no connection in time", where, "is the host reachable and the port open?"};
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
      return {"the broker's certificate is not signed by a trusted authority", where,
              "set the right one in amqp.ca_file"};
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
      return {"the broker's certificate is not for '" + url.host + "'", where,
              "use a name that the certificate contains"};
    case AMQP_STATUS_SSL_CONNECTION_FAILED:
      return {"TLS handshake failed", where, "is this port TLS, and is amqp.ca_file right?"};
    case AMQP_STATUS_SOCKET_ERROR:
    case AMQP_STATUS_SOCKET_INUSE: return {"connection refused", where, "is a broker listening there?"};
    default: return {std::string("no connection: ") + amqp_error_string2(status), where, {}};
  }
}

}  // namespace

Connection::~Connection() {
  if (state_) amqp_destroy_connection(state_);
}

Result<Connection> Connection::open(const Url& url, const ConnectionSettings& settings) {
  Connection c(amqp_new_connection());
  if (!c.state_) return failure("no memory for a connection", url.redacted());
  amqp_socket_t* const socket = url.tls ? amqp_ssl_socket_new(c.state_) : amqp_tcp_socket_new(c.state_);
  if (!socket) return failure("no memory for a socket", url.redacted());
  if (url.tls) {
    amqp_ssl_socket_set_verify_peer(socket, settings.verify_peer);
    amqp_ssl_socket_set_verify_hostname(socket, settings.verify_peer);
    if (!settings.ca_file.empty()) {
      if (amqp_ssl_socket_set_cacert(socket, settings.ca_file.c_str()) != AMQP_STATUS_OK)
        return failure("can't be read as PEM certificates", settings.ca_file, "amqp.ca_file names it");
    } else {
      SSL_CTX_set_default_verify_paths(static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket)));
    }
    if (!settings.certificate_file.empty() && amqp_ssl_socket_set_key(socket, settings.certificate_file.c_str(),
                                                                      settings.key_file.c_str()) != AMQP_STATUS_OK) {
      return failure("certificate or key can't be used", settings.certificate_file,
                     "amqp.certificate_file and amqp.key_file name them");
    }
  }
  timeval timeout = to_timeval(settings.timeout);
  amqp_set_handshake_timeout(c.state_, &timeout);
  amqp_set_rpc_timeout(c.state_, &timeout);
  if (const int opened = open_socket(socket, url, settings, c.passed_over_); opened != AMQP_STATUS_OK)
    return tl::unexpected(open_error(opened, url));
  c.fd_ = amqp_get_sockfd(c.state_);
  c.tls_ = url.tls;
  const int on = 1;
  ::setsockopt(c.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(c.fd_, SOL_SOCKET, SO_SNDBUF, &wanted_send_buffer, sizeof wanted_send_buffer);
  int got = 0;
  socklen_t size = sizeof got;
  ::getsockopt(c.fd_, SOL_SOCKET, SO_SNDBUF, &got, &size);
  // POLLOUT means that at least a third of the buffer is free. Half of that third stays reserved for acknowledgements
  // and heartbeats; in the rest the kernel's bookkeeping may take as much as the payload, and more for small writes.
  c.grant_ = std::max<std::size_t>(static_cast<std::size_t>(got) / 16, body_part + publish_overhead);

  std::vector<amqp_table_entry_t> entries;
  for (const auto& [key, value] : settings.properties) entries.push_back(text_entry(key, value));
  std::array<amqp_table_entry_t, 4> capabilities{flag_entry("connection.blocked"), flag_entry("consumer_cancel_notify"),
                                                 flag_entry("publisher_confirms"),
                                                 flag_entry("authentication_failure_close")};
  amqp_table_entry_t capability{};
  capability.key = bytes("capabilities");
  capability.value.kind = AMQP_FIELD_KIND_TABLE;
  capability.value.value.table = {static_cast<int>(capabilities.size()), capabilities.data()};
  entries.push_back(capability);
  const amqp_table_t properties{static_cast<int>(entries.size()), entries.data()};
  const auto login = amqp_login_with_properties(c.state_, url.vhost.c_str(), Connection::most_channels,
                                                wanted_frame_max, settings.heartbeat_s, &properties,
                                                AMQP_SASL_METHOD_PLAIN, url.user.c_str(), url.password.c_str());
  if (login.reply_type != AMQP_RESPONSE_NORMAL)
    return tl::unexpected(login_error(login, url, !settings.certificate_file.empty()));
  // From here on only the negotiated values count, which may be lower than the requested ones.
  c.frame_max_ = static_cast<std::size_t>(amqp_get_frame_max(c.state_));
  c.frames_.set_frame_max(c.frame_max_);
  // A write that found no room after all fails when the peer has acknowledged nothing for two heartbeats.
  const unsigned user_timeout = std::max<unsigned>(static_cast<unsigned>(amqp_get_heartbeat(c.state_)), 5U) * 2000U;
  ::setsockopt(c.fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
  return c;
}

std::size_t Connection::channel_max() const { return static_cast<std::size_t>(amqp_get_channel_max(state_)); }

Result<void> Connection::status(int code, const char* doing) const {
  if (code == AMQP_STATUS_OK) return {};
  return failure(amqp_error_string2(code), doing);
}

Result<void> Connection::perform(std::uint16_t channel, const Step& step) {
  amqp_rpc_reply_t reply{};
  step.encode([&](amqp_method_number_t method, void* decoded) {
    amqp_method_number_t expected[] = {step.answer(), 0};
    reply = amqp_simple_rpc(state_, channel, method, expected, decoded);
  });
  return outcome_of(reply, step.text());
}

Result<void> outcome_of(const amqp_rpc_reply_t& reply, const std::string& doing) {
  switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL: return {};
    case AMQP_RESPONSE_SERVER_EXCEPTION: return failure(server_text(reply.reply), doing);
    case AMQP_RESPONSE_LIBRARY_EXCEPTION: return failure(amqp_error_string2(reply.library_error), doing);
    case AMQP_RESPONSE_NONE: break;
  }
  return failure("no answer", doing);
}

Result<void> Connection::send(std::uint16_t channel, const Step& step) {
  room_ -= std::min(room_, Step::largest);
  int sent = AMQP_STATUS_OK;
  step.encode(
      [&](amqp_method_number_t method, void* decoded) { sent = amqp_send_method(state_, channel, method, decoded); });
  return status(sent, step.text().c_str());
}

bool Connection::send_room(std::size_t wanted) {
  if (wanted <= room_) return true;
  (void)write_gathered();  // the kernel must get the data; the next write reports an error
  pollfd socket{fd_, POLLOUT, 0};
  if (::poll(&socket, 1, 0) <= 0) return false;
  room_ = grant_;  // also if the socket is broken: the write itself will fail
  return wanted <= room_;
}

Result<void> Connection::publishable(std::string_view routing_key, const Properties& properties,
                                     std::size_t frame_max) {
  const auto name = [](std::string_view value, const char* what) -> Result<void> {
    if (value.size() > longest_name) return failure("is longer than AMQP's 255 bytes", what);
    return {};
  };
  std::size_t headers = 0;
  for (const auto& [key, value] : properties.headers) headers += key.size() + value.size() + 8;
  if (headers > longest_headers)
    return failure("are longer than " + std::to_string(longest_headers) + " bytes", "headers");
  if (const auto ok = name(routing_key, "service, topic or queue name"); !ok) return ok;
  if (const auto ok = name(properties.correlation_id, "correlation id"); !ok) return ok;
  if (const auto ok = name(properties.reply_to, "reply_to"); !ok) return ok;
  // AMQP 0-9-1, section 4.2.6.1: a message's properties are one frame, however small frames are.
  constexpr std::size_t others = around_frame + 96;  // class, size of the body, flags, content type, expiration, …
  const std::size_t frame = others + headers + properties.correlation_id.size() + properties.reply_to.size();
  if (frame > frame_max)
    return failure("need a frame of " + std::to_string(frame) + " bytes; the broker takes " +
                       std::to_string(frame_max) + " (its frame_max)",
                   "headers");
  return {};
}

namespace {

/// rabbitmq-c's form of our properties. It contains arrays that rabbitmq-c's struct points to, so it must not be moved.
struct BasicProperties {
  std::array<amqp_table_entry_t, 8> headers;
  amqp_basic_properties_t raw{};

  explicit BasicProperties(const Properties& properties) {
    std::size_t count = 0;
    for (const auto& [key, value] : properties.headers) {
      if (count == headers.size()) break;
      headers[count++] = text_entry(key, value);
    }
    raw._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG;
    raw.content_type = amqp_cstring_bytes("application/json");
    raw.headers = {static_cast<int>(count), headers.data()};
    set(properties.correlation_id, raw.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG);
    set(properties.reply_to, raw.reply_to, AMQP_BASIC_REPLY_TO_FLAG);
    set(properties.expiration, raw.expiration, AMQP_BASIC_EXPIRATION_FLAG);
    if (properties.priority) {
      raw.priority = *properties.priority;
      raw._flags |= AMQP_BASIC_PRIORITY_FLAG;
    }
  }
  BasicProperties(const BasicProperties&) = delete;
  BasicProperties& operator=(const BasicProperties&) = delete;

 private:
  void set(std::string_view text, amqp_bytes_t& member, amqp_flags_t flag) {
    if (text.empty()) return;
    member = bytes(text);
    raw._flags |= flag;
  }
};

}  // namespace

Result<void> Connection::publish(std::uint16_t channel, std::string_view exchange, std::string_view routing_key,
                                 bool mandatory, const Properties& properties, std::string_view body) {
  const BasicProperties p(properties);
  room_ -= std::min(room_, body.size() + publish_overhead);
  if (gathering_) {
    amqp_basic_publish_t method{};
    method.exchange = bytes(exchange);
    method.routing_key = bytes(routing_key);
    method.mandatory = mandatory;
    if (!frames_.publish(channel, method, p.raw, body)) return failure("can't be encoded", "publishing");
    return {};
  }
  return status(
      amqp_basic_publish(state_, channel, bytes(exchange), bytes(routing_key), mandatory, 0, &p.raw, bytes(body)),
      "publishing");
}

Result<void> Connection::publish_raw(std::uint16_t channel, std::string_view exchange, std::string_view routing_key,
                                     const amqp_basic_properties_t& properties, std::string_view body) {
  return status(
      amqp_basic_publish(state_, channel, bytes(exchange), bytes(routing_key), 0, 0, &properties, bytes(body)),
      "publishing");
}

Result<void> Connection::publish_head(std::uint16_t channel, std::string_view exchange, std::string_view routing_key,
                                      bool mandatory, const Properties& properties, std::size_t body_size) {
  BasicProperties p(properties);
  amqp_basic_publish_t method{};
  method.exchange = bytes(exchange);
  method.routing_key = bytes(routing_key);
  method.mandatory = mandatory;
  amqp_frame_t header{};
  header.frame_type = AMQP_FRAME_HEADER;
  header.channel = channel;
  header.payload.properties.class_id = AMQP_BASIC_CLASS;
  header.payload.properties.body_size = body_size;
  header.payload.properties.decoded = &p.raw;
  room_ -= std::min(room_, publish_overhead);
  if (const auto done = write_gathered(); !done) return done;
  if (auto sent = status(amqp_send_method(state_, channel, AMQP_BASIC_PUBLISH_METHOD, &method), "publishing"); !sent)
    return sent;
  return status(amqp_send_frame(state_, &header), "publishing");
}

Result<std::size_t> Connection::publish_body(std::uint16_t channel, std::string_view rest, std::size_t most) {
  const std::size_t largest = std::min(body_part, frame_max_ - around_frame);
  std::size_t gone = 0;
  if (const auto done = write_gathered(); !done) return tl::unexpected(done.error());
  while (gone < rest.size() && gone < most) {
    const std::string_view part = rest.substr(gone, largest);
    if (!send_room(part.size() + frame_overhead)) break;
    room_ -= part.size() + frame_overhead;
    amqp_frame_t frame{};
    frame.frame_type = AMQP_FRAME_BODY;
    frame.channel = channel;
    frame.payload.body_fragment = bytes(part);
    if (const auto sent = status(amqp_send_frame(state_, &frame), "publishing"); !sent)
      return tl::unexpected(sent.error());
    gone += part.size();
  }
  return gone;
}

Result<void> Connection::ack(std::uint16_t channel, std::uint64_t tag, bool multiple) {
  room_ -= std::min(room_, frame_overhead);
  amqp_basic_ack_t method{tag, multiple};
  if (gathering_ && frames_.method(channel, AMQP_BASIC_ACK_METHOD, &method)) return {};
  return status(amqp_basic_ack(state_, channel, tag, multiple), "acknowledging");
}
Result<void> Connection::reject(std::uint16_t channel, std::uint64_t tag, bool requeue) {
  room_ -= std::min(room_, frame_overhead);
  amqp_basic_nack_t method{tag, false, requeue};
  if (gathering_ && frames_.method(channel, AMQP_BASIC_NACK_METHOD, &method)) return {};
  return status(amqp_basic_nack(state_, channel, tag, 0, requeue), "rejecting");
}

void Connection::begin_writes(bool several) {
  gathering_ = !tls_;
  corked_ = tls_ && several;
  const int on = 1;
  if (corked_) ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

Result<void> Connection::end_writes() {
  gathering_ = false;
  const int off = 0;
  if (std::exchange(corked_, false)) ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
  return write_gathered();
}

/// Writes everything at once, because there was room. If there is none after all, it blocks as rabbitmq-c would, until
/// there is room or TCP_USER_TIMEOUT has ended the connection.
Result<void> Connection::write_gathered() {
  if (broken_ != 0) return failure(std::strerror(broken_), "writing to the broker");
  std::string_view rest = frames_.bytes();
  while (!rest.empty()) {
    const ssize_t gone = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (gone >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(gone));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      broken_ = errno;
      frames_.clear();
      return write_gathered();
    }
    pollfd socket{fd_, POLLOUT, 0};
    ::poll(&socket, 1, -1);
  }
  frames_.clear();
  return {};
}

Result<bool> Connection::next_frame(amqp_frame_t& frame) {
  timeval now{0, 0};
  const int got = amqp_simple_wait_frame_noblock(state_, &frame, &now);
  if (got == AMQP_STATUS_OK) return true;
  if (got == AMQP_STATUS_TIMEOUT) return false;
  if (got == AMQP_STATUS_HEARTBEAT_TIMEOUT)
    return failure("the broker has sent no heartbeat", "connection to the broker");
  return failure(amqp_error_string2(got), "connection to the broker");
}

Result<void> Connection::heartbeat(SteadyTime now) {
  const int agreed = amqp_get_heartbeat(state_);
  if (agreed <= 0 || now < heartbeat_due_ || !send_room(frame_overhead)) return {};
  heartbeat_due_ = now + std::chrono::seconds(agreed) / 2;
  if (const auto done = write_gathered(); !done) return done;
  amqp_frame_t frame{};
  frame.frame_type = AMQP_FRAME_HEARTBEAT;
  return status(amqp_send_frame(state_, &frame), "sending a heartbeat");
}

void Connection::release(std::uint16_t channel) { amqp_maybe_release_buffers_on_channel(state_, channel); }

Result<void> Connection::answer_close(std::uint16_t channel) {
  amqp_channel_close_ok_t ok{};
  return status(amqp_send_method(state_, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok), "closing a channel");
}

void Connection::answer_close(const amqp_frame_t& frame) {
  if (frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD) {
    amqp_connection_close_ok_t ok{};
    amqp_send_method(state_, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
  } else if (frame.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    amqp_channel_close_ok_t ok{};
    amqp_send_method(state_, frame.channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
  }
}

void Connection::close() { amqp_connection_close(state_, AMQP_REPLY_SUCCESS); }

std::optional<std::string> close_text(const amqp_frame_t& frame) {
  if (frame.frame_type != AMQP_FRAME_METHOD) return {};
  if (frame.payload.method.id != AMQP_CONNECTION_CLOSE_METHOD && frame.payload.method.id != AMQP_CHANNEL_CLOSE_METHOD)
    return {};
  return server_text(frame.payload.method);
}

std::uint16_t close_code(const amqp_frame_t& frame) {
  if (frame.frame_type != AMQP_FRAME_METHOD) return 0;
  if (frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD)
    return static_cast<const amqp_connection_close_t*>(frame.payload.method.decoded)->reply_code;
  if (frame.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD)
    return static_cast<const amqp_channel_close_t*>(frame.payload.method.decoded)->reply_code;
  return 0;
}

}  // namespace nuropb::amqp
