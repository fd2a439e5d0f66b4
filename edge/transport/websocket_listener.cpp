// The only translation unit that includes websocketpp. C++17, see websocket.hpp.

#include "edge/transport/websocket_socket.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>

namespace nuropb::edge {

namespace {

/// The content of a Frame.
struct CountedMessage final : Message {
  explicit CountedMessage(std::string bytes) : Message(nullptr, websocketpp::frame::opcode::text) {
    get_raw_payload() = std::move(bytes);
    set_prepared(true);
    in_memory += get_payload().size();
  }
  ~CountedMessage() { in_memory -= get_payload().size(); }
  inline static std::size_t in_memory = 0;
};

}  // namespace

std::size_t Frame::bytes_in_memory() { return CountedMessage::in_memory; }

Frame prepare(std::string_view text) {
  namespace frame = websocketpp::frame;
  // A server's frames are not masked (RFC 6455 section 5.1), so the same bytes serve every socket. Compressed they
  // would differ per socket; an uncompressed frame (without RSV1) is valid on a socket that negotiated compression.
  std::string bytes = frame::prepare_header(frame::basic_header(frame::opcode::text, text.size(), true, false),
                                            frame::extended_header(text.size()));
  const std::size_t head = bytes.size();
  bytes.append(text);
  // Includes its head, so that a single write suffices.
  auto message = std::make_shared<CountedMessage>(std::move(bytes));
  Frame out;
  out.text_ = std::string_view(message->get_payload()).substr(head);
  out.message_ = std::move(message);
  return out;
}

namespace {

using websocketpp::frame::opcode::text;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t most_pongs = 64;  ///< that may be queued; RFC 6455 section 5.5.3 only requires the last one

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
  const ClientCertificate& certificate() const override { return socket_.certificate; }

 private:
  const Socket& socket_;
  std::string target_;
};

void put(Socket& socket, const HttpAnswer& answer) {
  socket.set_status(static_cast<websocketpp::http::status_code::value>(answer.status));
  for (const auto& [name, value] : answer.headers) socket.replace_header(name, value);
  if (socket.get_request().get_method() != "HEAD") return socket.set_body(answer.body);
  socket.replace_header("Content-Length", std::to_string(answer.body.size()));
}

/// RFC 6455 section 4.2.1: 16 bytes in base64. websocketpp accepts anything.
bool good_key(const std::string& key) {
  if (key.size() != 24 || key[22] != '=' || key[23] != '=') return false;
  return std::all_of(key.begin(), key.begin() + 22,
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '/'; });
}

/// Frees the headers of request and response, which websocketpp would keep as long as the socket is open.
void forget_handshake(const Socket& socket) {
  const_cast<Configuration::request_type&>(socket.get_request()) = {};
  const_cast<Configuration::response_type&>(socket.get_response()) = {};
}

/// websocketpp only detects a truncated character if the message has a single frame, and not at the end of a
/// decompressed message (RFC 6455 section 8.1).
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
      : io(context),
        settings(std::move(s)),
        callbacks(std::move(c)),
        pulse(context, settings.liveness),
        corked(context),
        door(context, settings.door,
             {[this](Guest guest) {
                if (guest.is_call) callbacks.on_call(std::move(guest));
                else enter(std::move(guest));
              },
              [this](std::string_view page) { return callbacks.probe(page); }, [this] { callbacks.turned_away(); }}) {}

  void configure() {
    StreamSocket::farewell = [this](std::shared_ptr<Stream> stream) { door.see_off(std::move(stream)); };
    BoundedDeflate::offered = settings.compression;
    BoundedDeflate::settings = settings.deflate;
    server.init_asio(&io);
    server.set_max_message_size(settings.max_message);
    server.set_user_agent("");
    server.set_validate_handler([this](websocketpp::connection_hdl handle) {
      return guarded(
          [&] {
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
          },
          false);
    });
    server.set_http_handler([this](websocketpp::connection_hdl handle) {
      guarded(
          [&] {
            const auto socket = server.get_con_from_hdl(handle);
            put(*socket, callbacks.on_http(SocketHandshake(*socket)));
            return true;
          },
          false);
    });
    server.set_open_handler([this](websocketpp::connection_hdl handle) {
      guarded(
          [&] {
            const auto socket = server.get_con_from_hdl(handle);
            socket->self = socket;
            socket->attachment = socket.get();
            if (!socket->get_response_header("Sec-WebSocket-Extensions").empty())
              socket->compress_from = settings.compress_from;
            socket->face = std::make_unique<SocketConnection>(*socket, pulse, corked);
            socket->life = std::make_unique<SocketLife>(*socket);
            pulse.watch(*socket->life);
            socket->receiver = callbacks.on_open(*socket->face, SocketHandshake(*socket));
            forget_handshake(*socket);
            return true;
          },
          false);
    });
    server.set_message_handler([this](websocketpp::connection_hdl handle, const Server::message_ptr& message) {
      guarded(
          [&] {
            const auto socket = server.get_con_from_hdl(handle);
            socket->incoming.complete();
            const bool whole = !message->get_compressed() || BoundedDeflate::message_ended();
            if (!whole || (message->get_opcode() == text && !good_text(message))) {
              websocketpp::lib::error_code ignored;
              socket->close(websocketpp::close::status::invalid_payload,
                            whole ? "the text is not UTF-8" : "the message can't be decompressed", ignored);
              return true;
            }
            if (message->get_payload().size() > socket->max_message) {
              websocketpp::lib::error_code ignored;
              socket->close(websocketpp::close::status::message_too_big, "", ignored);
              return true;
            }
            if (socket->life) pulse.liveness.message(*socket->life, Clock::now());
            if (!socket->receiver) return true;
            if (message->get_opcode() == websocketpp::frame::opcode::binary)
              socket->receiver->on_binary(message->get_payload());
            else socket->receiver->on_message(message->get_payload());
            return true;
          },
          false);
    });
    server.set_ping_handler([this](websocketpp::connection_hdl handle, const std::string&) {
      return guarded(
          [&] {
            const auto socket = server.get_con_from_hdl(handle);
            heard(*socket);
            // Pongs for a client that does not read would accumulate, because websocketpp's limits do not count them.
            if (socket->stream().written() != socket->taken_at_pong) socket->pongs = 0;
            socket->taken_at_pong = socket->stream().written();
            return ++socket->pongs <= most_pongs;
          },
          false);
    });
    server.set_pong_handler([this](websocketpp::connection_hdl handle, const std::string&) {
      guarded(
          [&] {
            heard(*server.get_con_from_hdl(handle));
            return true;
          },
          false);
    });
    server.set_close_handler([this](websocketpp::connection_hdl handle) { ended(handle); });
    server.set_fail_handler([this](websocketpp::connection_hdl handle) { ended(handle); });
  }

  ~Impl() { StreamSocket::farewell = nullptr; }

  void enter(Guest guest) {
    guarded(
        [&] {
          const auto socket = server.get_connection();
          if (!socket) return false;
          socket->peer = std::move(guest.peer);
          socket->certificate = std::move(guest.certificate);
          socket->adopt(std::move(guest.stream));
          socket->set_open_handshake_timeout(std::max<long>(guest.time_left.count(), 1));
          socket->start();
          return true;
        },
        false);
  }

  void heard(Socket& socket) {
    if (socket.life) pulse.liveness.heard(*socket.life, Clock::now());
  }

  void ended(websocketpp::connection_hdl handle) {
    guarded(
        [&] {
          const auto socket = server.get_con_from_hdl(handle);
          const auto self = std::move(socket->self);
          socket->life.reset();
          if (const auto receiver = std::move(socket->receiver)) receiver->on_close();
          return true;
        },
        false);
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
  } catch (const std::exception& e) { return std::string("can't listen: ") + e.what(); }
}

std::uint16_t WebSocketListener::port() const { return impl_->door.port(); }
void WebSocketListener::enter(Guest guest) { impl_->enter(std::move(guest)); }
void WebSocketListener::stop() { impl_->door.close(); }
std::string WebSocketListener::reload_tls() { return impl_->door.reload_tls(); }

}  // namespace nuropb::edge
