// The only translation unit that sees websocketpp. C++17, see websocket.hpp.

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/connection_base.hpp>
#include <websocketpp/endpoint_base.hpp>
#include <websocketpp/http/request.hpp>
#include <websocketpp/http/response.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/message_buffer/alloc.hpp>
#include <websocketpp/message_buffer/message.hpp>
#include <websocketpp/random/random_device.hpp>
#include <websocketpp/server.hpp>
#include <websocketpp/transport/asio/endpoint.hpp>
#include <websocketpp/utf8_validator.hpp>

#include "common/close_codes.hpp"
#include "edge/pulse.hpp"
#include "edge/websocket.hpp"
#include "edge/websocket_parts.hpp"

namespace nuropb::edge {

namespace {

using websocketpp::frame::opcode::text;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t most_pongs = 64;  ///< that may wait for a consumer to read; RFC 6455 section 5.5.3 asks for the last only

/// What hangs on a connection of websocketpp; the config below makes it its base class.
struct Attachment : websocketpp::connection_base {
  std::unique_ptr<Connection> face;
  // websocketpp keeps a connection alive by its outstanding reads and writes only, so one whose reading is paused would
  // vanish without a word: from open to close it holds itself.
  std::shared_ptr<void> self;
  std::unique_ptr<Receiver> receiver;
  std::unique_ptr<Liveness::Socket> life;
  std::string peer, client_name;
  std::uint64_t taken_at_pong = 0;
  std::size_t compress_from = SIZE_MAX;  ///< messages of so many bytes, where it was negotiated
  std::size_t max_message = SIZE_MAX;  ///< of what a message unfolds to, below what holds for all
  std::uint32_t pongs = 0;  ///< since it took something from us
  std::string corked;       ///< frames of this turn, to go in one write
};

/// Nothing that a callback does may end the event loop.
template <class Work>
auto guarded(Work&& work, decltype(work()) otherwise) {
  try {
    return work();
  } catch (const std::exception&) {
    return otherwise;
  }
}

/// websocketpp's transport, which also tells when the kernel has taken a write: websocketpp knows only what it has not yet
/// begun to write, and tells nobody.
template <class Config>
struct NotifyingTransport : websocketpp::transport::asio::endpoint<Config> {
  struct transport_con_type : websocketpp::transport::asio::connection<Config> {
    using Base = websocketpp::transport::asio::connection<Config>;
    using Base::Base;
    void async_write(const char* bytes, std::size_t length, websocketpp::transport::write_handler then) {
      Base::async_write(bytes, length, std::move(then));
    }
    /// Frames, one write at a time. `then` is a member of the connection, which outlives the write.
    void async_write(const std::vector<websocketpp::transport::buffer>& buffers, const websocketpp::transport::write_handler& then) {
      writing_ = 0;
      for (const auto& buffer : buffers) writing_ += buffer.len;
      Base::async_write(buffers, [this, &then](const websocketpp::lib::error_code& error) {
        writing_ = 0;
        then(error);
        guarded([&] {
          if (attachment && attachment->receiver) attachment->receiver->on_written();
          return true;
        }, false);
      });
    }
    [[nodiscard]] std::size_t writing() const { return writing_; }
    Attachment* attachment = nullptr;

   private:
    std::size_t writing_ = 0;
  };
};

// One thread, so no locks; no logging on the hot path; read buffers that let 20,000 idle sockets fit.
struct Configuration {
  using type = Configuration;
  using concurrency_type = websocketpp::concurrency::none;
  using request_type = websocketpp::http::parser::request;
  using response_type = websocketpp::http::parser::response;
  using message_type = websocketpp::message_buffer::message<websocketpp::message_buffer::alloc::con_msg_manager>;
  using con_msg_manager_type = websocketpp::message_buffer::alloc::con_msg_manager<message_type>;
  using endpoint_msg_manager_type = websocketpp::message_buffer::alloc::endpoint_msg_manager<con_msg_manager_type>;
  using elog_type = websocketpp::log::stub;
  using alog_type = websocketpp::log::stub;
  using rng_type = websocketpp::random::random_device::int_generator<std::uint32_t, concurrency_type>;

  struct transport_config {
    using concurrency_type = type::concurrency_type;
    using elog_type = type::elog_type;
    using alog_type = type::alog_type;
    using request_type = type::request_type;
    using response_type = type::response_type;
    using socket_type = StreamSocketEndpoint;
    static const bool enable_multithreading = false;
    static const long timeout_socket_pre_init = 5000;
    static const long timeout_proxy = 5000;
    static const long timeout_socket_post_init = 0;  // the door has seen to all of that
    static const long timeout_dns_resolve = 5000;
    static const long timeout_connect = 5000;
    static const long timeout_socket_shutdown = 5000;
  };
  using transport_type = NotifyingTransport<transport_config>;
  using endpoint_base = websocketpp::endpoint_base;
  using connection_base = Attachment;

  static const long timeout_open_handshake = 5000;
  static const long timeout_close_handshake = 3000;
  static const long timeout_pong = 5000;
  static const int client_version = 13;
  static const websocketpp::log::level elog_level = 0;
  static const websocketpp::log::level alog_level = 0;
  static const std::size_t connection_read_buffer_size = 4096;
  static const bool drop_on_protocol_error = false;
  static const bool silent_close = false;
  static const std::size_t max_message_size = 2 << 20;
  static const std::size_t max_http_body_size = 64 << 10;
  static const bool enable_extensions = true;
  using permessage_deflate_type = BoundedDeflate;
};

using Server = websocketpp::server<Configuration>;
using Socket = Server::connection_type;
using Message = Configuration::message_type;

}  // namespace

/// What a Frame holds is made by prepare() and by nobody else.
struct FrameAccess {
  static std::shared_ptr<Message> message(const Frame& frame) { return std::static_pointer_cast<Message>(frame.message_); }
};

Frame prepare(std::string_view text) {
  namespace frame = websocketpp::frame;
  // What a server sends is not masked (RFC 6455 section 5.1), so the same bytes do for every socket. Compressed they
  // would be another text for each: a frame without RSV1 is in order on a socket that negotiated compression.
  std::string bytes = frame::prepare_header(frame::basic_header(frame::opcode::text, text.size(), true, false), frame::extended_header(text.size()));
  const std::size_t head = bytes.size();
  bytes.append(text);
  auto message = std::make_shared<Message>(nullptr, frame::opcode::text);
  message->get_raw_payload() = std::move(bytes);  // with its head, so that one plain write does
  message->set_prepared(true);
  Frame out;
  out.text_ = std::string_view(message->get_payload()).substr(head);
  out.message_ = std::move(message);
  return out;
}

namespace {

class SocketHandshake final : public Handshake {
 public:
  explicit SocketHandshake(const Socket& socket) : socket_(socket), target_(socket.get_request().get_uri()) {}
  std::string_view path() const override { return std::string_view(target_).substr(0, target_.find('?')); }
  std::string_view query() const override {
    const auto mark = target_.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target_).substr(mark + 1);
  }
  std::string_view method() const override { return socket_.get_request().get_method(); }
  std::string_view header(const std::string& name) const override { return socket_.get_request_header(name); }
  std::string remote() const override { return socket_.peer; }
  std::string client_name() const override { return socket_.client_name; }

 private:
  const Socket& socket_;
  std::string target_;
};

/// Sockets with corked frames: uncorked once the turn of the event loop is over.
class Corked {
 public:
  explicit Corked(boost::asio::io_context& io) : io_(io) {}
  void add(Socket& socket);

 private:
  boost::asio::io_context& io_;
  std::vector<std::shared_ptr<Socket>> sockets_;
};

/// Frames go to the kernel directly where nothing is in their way. websocketpp's own path, a completion through the event
/// loop for each write, is for what the kernel does not take at once, for TLS and for compression.
class SocketConnection final : public Connection {
 public:
  SocketConnection(Socket& socket, Pulse& pulse, Corked& corked) : socket_(socket), pulse_(pulse), corked_(corked) {}
  void send_text(std::string_view text) override { send(text, websocketpp::frame::opcode::text); }
  void send_binary(std::string_view bytes) override { send(bytes, websocketpp::frame::opcode::binary); }
  void send_frame(const Frame& frame) override {
    if (!frame) return;
    if (frame.size() >= socket_.compress_from) return send(frame.text(), websocketpp::frame::opcode::text);
    uncork();
    const auto message = FrameAccess::message(frame);
    if (!free()) return queue(message);
    const std::string& bytes = message->get_payload();
    const std::size_t taken = socket_.stream().write_now(bytes.data(), bytes.size());
    if (taken == 0) queue(message);
    else if (taken < bytes.size()) queue_bytes(bytes.substr(taken));
  }
  void uncork() {
    if (socket_.corked.empty()) return;
    std::string bytes = std::exchange(socket_.corked, {});
    const std::size_t taken = free() ? socket_.stream().write_now(bytes.data(), bytes.size()) : 0;
    if (taken < bytes.size()) queue_bytes(bytes.substr(taken));
    else if (socket_.receiver) socket_.receiver->on_written();
  }
  void close(std::uint16_t code, std::string_view reason) override {
    uncork();
    websocketpp::lib::error_code ignored;
    socket_.close(code, std::string(reason), ignored);
  }
  // websocketpp's pause_reading() takes effect only after the next read was started, and a resume before that one ended
  // would start a second into the same buffer. Called at once, from within a callback (websocket.hpp asks for that),
  // it keeps the next read from being started at all.
  void pause_reading() override {
    if (socket_.life) pulse_.liveness.leave(*socket_.life);
    socket_.handle_pause_reading();
  }
  void resume_reading() override {
    if (socket_.life) pulse_.watch(*socket_.life);
    socket_.resume_reading();
  }
  void limit_message(std::size_t bytes) override {
    socket_.set_max_message_size(bytes);
    socket_.max_message = bytes;
  }
  std::size_t buffered_bytes() const override { return socket_.get_buffered_amount() + socket_.writing() + socket_.corked.size(); }
  std::uint16_t closed_with() const override { return socket_.get_local_close_code(); }
  bool peer_gone() const override {
    pollfd end{socket_.stream().socket().native_handle(), POLLRDHUP, 0};
    return ::poll(&end, 1, 0) > 0;
  }

 private:
  static constexpr std::size_t most_corked = 16 * 1024;

  /// Whether nothing is on its way that a write could overtake.
  bool free() const {
    return socket_.get_state() == websocketpp::session::state::open && !socket_.stream().secure() && socket_.writing() == 0 && socket_.get_buffered_amount() == 0;
  }
  void queue(const std::shared_ptr<Message>& message) {
    websocketpp::lib::error_code ignored;  // a socket that is closing: its end is told by on_close
    ignored = socket_.send(message);
  }
  /// Frames, or the rest of one, as they are.
  void queue_bytes(const std::string& bytes) {
    auto message = std::make_shared<Message>(nullptr, websocketpp::frame::opcode::binary, bytes.size());
    message->set_payload(bytes);
    message->set_prepared(true);
    queue(message);
  }
  void send(std::string_view payload, websocketpp::frame::opcode::value opcode) {
    if (payload.size() >= socket_.compress_from) {
      uncork();
      const auto message = socket_.get_message(opcode, payload.size());
      message->append_payload(payload.data(), payload.size());
      message->set_compressed(true);
      return queue(message);
    }
    if (payload.size() < most_corked && (!socket_.corked.empty() || free())) {
      if (socket_.corked.empty()) corked_.add(socket_);
      append_frame(payload, opcode);
      if (socket_.corked.size() >= most_corked) uncork();
      return;
    }
    uncork();
    websocketpp::lib::error_code ignored;
    ignored = socket_.send(payload.data(), payload.size(), opcode);
  }
  void append_frame(std::string_view payload, websocketpp::frame::opcode::value opcode) {
    namespace frame = websocketpp::frame;
    socket_.corked += frame::prepare_header(frame::basic_header(opcode, payload.size(), true, false), frame::extended_header(payload.size()));
    socket_.corked += payload;
  }

  Socket& socket_;
  Pulse& pulse_;
  Corked& corked_;
};

void Corked::add(Socket& socket) {
  if (sockets_.empty()) {
    boost::asio::post(io_, [this] {
      std::vector<std::shared_ptr<Socket>> sockets;
      std::swap(sockets, sockets_);
      for (const auto& one : sockets) {
        if (one->face) static_cast<SocketConnection&>(*one->face).uncork();
      }
    });
  }
  sockets_.push_back(std::static_pointer_cast<Socket>(socket.self));
}

class SocketLife final : public Liveness::Socket {
 public:
  explicit SocketLife(edge::Socket& socket) : socket_(socket) {}
  void send_ping() override {
    websocketpp::lib::error_code ignored;
    socket_.ping("", ignored);
  }
  std::uint64_t taken() const override { return socket_.stream().written(); }
  void on_unresponsive() override {
    if (socket_.receiver) socket_.receiver->on_timeout(close_code::unresponsive, "no answer to a ping");
  }
  void on_idle() override {
    if (socket_.receiver) socket_.receiver->on_timeout(close_code::idle, "no message for too long");
  }

 private:
  edge::Socket& socket_;
};

void put(Socket& socket, const HttpAnswer& answer) {
  socket.set_status(static_cast<websocketpp::http::status_code::value>(answer.status));
  for (const auto& [name, value] : answer.headers) socket.replace_header(name, value);
  socket.set_body(answer.body);
}

/// RFC 6455 section 4.2.1: 16 bytes in base64. websocketpp takes anything.
bool good_key(const std::string& key) {
  if (key.size() != 24 || key[22] != '=' || key[23] != '=') return false;
  return std::all_of(key.begin(), key.begin() + 22, [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '/'; });
}

/// websocketpp looks for a character that was cut off only where the last frame is the first one, and not at all at
/// what unfolds from the end of a compressed message (RFC 6455 section 8.1).
bool good_text(const Server::message_ptr& message) {
  const std::string& payload = message->get_payload();
  if (message->get_compressed()) return websocketpp::utf8_validator::validate(payload);
  for (std::size_t back = 1; back <= 3 && back <= payload.size(); ++back) {
    const auto byte = static_cast<unsigned char>(payload[payload.size() - back]);
    if (byte < 0x80) return true;
    if (byte >= 0xc0) return back >= (byte >= 0xf0 ? 4u : byte >= 0xe0 ? 3u : 2u);
  }
  return true;
}

}  // namespace

struct WebSocketListener::Impl {
  Impl(boost::asio::io_context& context, Settings s, Callbacks c)
      : io(context), settings(std::move(s)), callbacks(std::move(c)), pulse(context, settings.liveness), corked(context),
        door(context, settings.door, {[this](Guest guest) { enter(std::move(guest)); }, [this](std::string_view page) { return callbacks.probe(page); }, [this] { callbacks.turned_away(); }}) {}

  void configure() {
    StreamSocket::farewell = [this](std::shared_ptr<Stream> stream) { door.see_off(std::move(stream)); };
    BoundedDeflate::offered = settings.compression;
    BoundedDeflate::settings = settings.deflate;
    server.init_asio(&io);
    server.set_max_message_size(settings.max_message);
    server.set_user_agent("");
    server.set_validate_handler([this](websocketpp::connection_hdl handle) {
      return guarded([&] {
        const auto socket = server.get_con_from_hdl(handle);
        HttpAnswer answer;
        if (!good_key(socket->get_request_header("Sec-WebSocket-Key"))) {
          answer.status = 400;
          answer.body = "Sec-WebSocket-Key is not 16 bytes in base64\n";
        } else if (callbacks.admit(SocketHandshake(*socket), answer)) {
          websocketpp::lib::error_code ignored;
          if (!answer.protocol.empty()) socket->select_subprotocol(answer.protocol, ignored);
          return true;
        }
        put(*socket, answer);
        return false;
      }, false);
    });
    server.set_http_handler([this](websocketpp::connection_hdl handle) {
      guarded([&] {
        const auto socket = server.get_con_from_hdl(handle);
        put(*socket, callbacks.on_http(SocketHandshake(*socket)));
        return true;
      }, false);
    });
    server.set_open_handler([this](websocketpp::connection_hdl handle) {
      guarded([&] {
        const auto socket = server.get_con_from_hdl(handle);
        socket->self = socket;
        socket->attachment = socket.get();
        if (!socket->get_response_header("Sec-WebSocket-Extensions").empty()) socket->compress_from = settings.compress_from;
        socket->face = std::make_unique<SocketConnection>(*socket, pulse, corked);
        socket->life = std::make_unique<SocketLife>(*socket);
        pulse.watch(*socket->life);
        socket->receiver = callbacks.on_open(*socket->face, SocketHandshake(*socket));
        return true;
      }, false);
    });
    server.set_message_handler([this](websocketpp::connection_hdl handle, const Server::message_ptr& message) {
      guarded([&] {
        const auto socket = server.get_con_from_hdl(handle);
        const bool whole = !message->get_compressed() || BoundedDeflate::message_ended();
        if (!whole || (message->get_opcode() == text && !good_text(message))) {
          websocketpp::lib::error_code ignored;
          socket->close(websocketpp::close::status::invalid_payload, whole ? "the text is not UTF-8" : "the message does not unfold", ignored);
          return true;
        }
        if (message->get_payload().size() > socket->max_message) {
          websocketpp::lib::error_code ignored;
          socket->close(websocketpp::close::status::message_too_big, "", ignored);
          return true;
        }
        if (socket->life) pulse.liveness.message(*socket->life, Clock::now());
        if (!socket->receiver) return true;
        if (message->get_opcode() == websocketpp::frame::opcode::binary) socket->receiver->on_binary(message->get_payload());
        else socket->receiver->on_message(message->get_payload());
        return true;
      }, false);
    });
    server.set_ping_handler([this](websocketpp::connection_hdl handle, const std::string&) {
      return guarded([&] {
        const auto socket = server.get_con_from_hdl(handle);
        heard(*socket);
        // Pongs for one who does not read would pile up: no limit of websocketpp's counts them.
        if (socket->stream().written() != socket->taken_at_pong) socket->pongs = 0;
        socket->taken_at_pong = socket->stream().written();
        return ++socket->pongs <= most_pongs;
      }, false);
    });
    server.set_pong_handler([this](websocketpp::connection_hdl handle, const std::string&) {
      guarded([&] {
        heard(*server.get_con_from_hdl(handle));
        return true;
      }, false);
    });
    server.set_close_handler([this](websocketpp::connection_hdl handle) { ended(handle); });
    server.set_fail_handler([this](websocketpp::connection_hdl handle) { ended(handle); });
  }

  ~Impl() { StreamSocket::farewell = nullptr; }

  void enter(Guest guest) {
    guarded([&] {
      const auto socket = server.get_connection();
      if (!socket) return false;
      socket->peer = std::move(guest.peer);
      socket->client_name = std::move(guest.client_name);
      socket->adopt(std::move(guest.stream));
      socket->set_open_handshake_timeout(std::max<long>(guest.time_left.count(), 1));
      socket->start();
      return true;
    }, false);
  }

  void heard(Socket& socket) {
    if (socket.life) pulse.liveness.heard(*socket.life, Clock::now());
  }

  void ended(websocketpp::connection_hdl handle) {
    guarded([&] {
      const auto socket = server.get_con_from_hdl(handle);
      const auto self = std::move(socket->self);
      socket->life.reset();
      if (const auto receiver = std::move(socket->receiver)) receiver->on_close();
      return true;
    }, false);
  }

  boost::asio::io_context& io;
  Settings settings;
  Callbacks callbacks;
  Pulse pulse;
  Corked corked;
  Door door;
  Server server;
};

WebSocketListener::WebSocketListener(boost::asio::io_context& io, Settings settings, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(io, std::move(settings), std::move(callbacks))) {}
WebSocketListener::~WebSocketListener() = default;

std::string WebSocketListener::listen() {
  try {
    impl_->configure();
    return impl_->door.open();
  } catch (const std::exception& e) {
    return std::string("can't listen: ") + e.what();
  }
}

std::uint16_t WebSocketListener::port() const { return impl_->door.port(); }
void WebSocketListener::stop() { impl_->door.close(); }
std::string WebSocketListener::reload_tls() { return impl_->door.reload_tls(); }

}  // namespace nuropb::edge
