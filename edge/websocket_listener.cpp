// The only translation unit that sees websocketpp. C++17, see websocket.hpp.

#include <netinet/tcp.h>
#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/connection_base.hpp>
#include <websocketpp/endpoint_base.hpp>
#include <websocketpp/extensions/permessage_deflate/disabled.hpp>
#include <websocketpp/http/request.hpp>
#include <websocketpp/http/response.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/message_buffer/alloc.hpp>
#include <websocketpp/message_buffer/message.hpp>
#include <websocketpp/random/random_device.hpp>
#include <websocketpp/server.hpp>
#include <websocketpp/transport/asio/endpoint.hpp>

#include "edge/websocket.hpp"

namespace nuropb::edge {

namespace {

/// What hangs on a connection of websocketpp; the config below makes it its base class.
struct Attachment : websocketpp::connection_base {
  std::unique_ptr<Connection> face;
  // websocketpp keeps a connection alive by its outstanding reads and writes only, so one whose reading is paused would
  // vanish without a word: from open to close it holds itself.
  std::shared_ptr<void> self;
  std::unique_ptr<Receiver> receiver;
};

constexpr int not_sent = 128 * 1024;  // bytes that the kernel takes for a socket before it has sent them

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
    using socket_type = websocketpp::transport::asio::basic_socket::endpoint;
    static const bool enable_multithreading = false;
    static const long timeout_socket_pre_init = 5000;
    static const long timeout_proxy = 5000;
    static const long timeout_socket_post_init = 5000;
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
  struct permessage_deflate_config {};
  using permessage_deflate_type = websocketpp::extensions::permessage_deflate::disabled<permessage_deflate_config>;
};

/// With the accept loop opened up: websocketpp's own starts again at once after an error, for ever.
class Server : public websocketpp::server<Configuration> {
 public:
  template <class Done>
  void accept_one(const connection_ptr& socket, Done&& done, websocketpp::lib::error_code& error) {
    transport_type::async_accept(websocketpp::lib::static_pointer_cast<transport_con_type>(socket), std::forward<Done>(done), error);
  }
};
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
  auto message = std::make_shared<Message>(nullptr, frame::opcode::text, text.size());
  message->set_header(frame::prepare_header(frame::basic_header(frame::opcode::text, text.size(), true, false), frame::extended_header(text.size())));
  message->set_payload(text.data(), text.size());
  message->set_prepared(true);
  Frame out;
  out.text_ = message->get_payload();
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
  std::string remote() const override { return socket_.get_remote_endpoint(); }

 private:
  const Socket& socket_;
  std::string target_;
};

class SocketConnection final : public Connection {
 public:
  explicit SocketConnection(Socket& socket) : socket_(socket) {}
  void send_text(std::string_view text) override { send(text, websocketpp::frame::opcode::text); }
  void send_binary(std::string_view bytes) override { send(bytes, websocketpp::frame::opcode::binary); }
  void send_frame(const Frame& frame) override {
    websocketpp::lib::error_code ignored;
    if (frame) ignored = socket_.send(FrameAccess::message(frame));
  }
  void close(std::uint16_t code, std::string_view reason) override {
    websocketpp::lib::error_code ignored;
    socket_.close(code, std::string(reason), ignored);
  }
  // websocketpp's pause_reading() takes effect only after the next read was started, and a resume before that one ended
  // would start a second into the same buffer. Called at once, from within a callback (websocket.hpp asks for that),
  // it keeps the next read from being started at all.
  void pause_reading() override { socket_.handle_pause_reading(); }
  void resume_reading() override { socket_.resume_reading(); }
  void limit_message(std::size_t bytes) override { socket_.set_max_message_size(bytes); }
  std::size_t buffered_bytes() const override { return socket_.get_buffered_amount() + socket_.writing(); }
  std::uint16_t closed_with() const override { return socket_.get_local_close_code(); }
  bool peer_gone() const override {
    pollfd end{socket_.get_raw_socket().native_handle(), POLLRDHUP, 0};
    return ::poll(&end, 1, 0) > 0;
  }

 private:
  void send(std::string_view payload, websocketpp::frame::opcode::value opcode) {
    websocketpp::lib::error_code ignored;  // a socket that is closing: its end is told by on_close
    ignored = socket_.send(payload.data(), payload.size(), opcode);
  }

  Socket& socket_;
};

void put(Socket& socket, const HttpAnswer& answer) {
  socket.set_status(static_cast<websocketpp::http::status_code::value>(answer.status));
  for (const auto& [name, value] : answer.headers) socket.replace_header(name, value);
  socket.set_body(answer.body);
}

}  // namespace

struct WebSocketListener::Impl {
  Impl(boost::asio::io_context& context, Settings s, Callbacks c)
      : io(context), settings(std::move(s)), callbacks(std::move(c)), retry(context) {}

  void configure() {
    server.init_asio(&io);
    server.set_reuse_addr(true);
    server.set_listen_backlog(static_cast<int>(settings.backlog));
    server.set_max_message_size(settings.max_message);
    server.set_open_handshake_timeout(settings.handshake_ms);
    server.set_user_agent("");
    server.set_tcp_pre_bind_handler([](const auto& acceptor) {
      // Every edge binds the same port, and the kernel spreads connections over them.
      const int on = 1;
      if (::setsockopt(acceptor->native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
        return websocketpp::lib::error_code(errno, std::system_category());
      }
      return websocketpp::lib::error_code();
    });
    server.set_tcp_post_init_handler([this](websocketpp::connection_hdl handle) {
      websocketpp::lib::error_code error;
      const auto socket = server.get_con_from_hdl(handle, error);
      boost::system::error_code ignored;
      if (error) return;
      socket->get_raw_socket().set_option(boost::asio::ip::tcp::no_delay(true), ignored);
      // What a slow consumer does not read waits in our queue, which has rules, and not by megabytes in the kernel's.
      using NotSent = boost::asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
      socket->get_raw_socket().set_option(NotSent(not_sent), ignored);
    });
    server.set_validate_handler([this](websocketpp::connection_hdl handle) {
      return guarded([&] {
        const auto socket = server.get_con_from_hdl(handle);
        HttpAnswer answer;
        if (callbacks.admit(SocketHandshake(*socket), answer)) {
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
        socket->face = std::make_unique<SocketConnection>(*socket);
        socket->receiver = callbacks.on_open(*socket->face, SocketHandshake(*socket));
        return true;
      }, false);
    });
    server.set_message_handler([this](websocketpp::connection_hdl handle, const Server::message_ptr& message) {
      guarded([&] {
        const auto socket = server.get_con_from_hdl(handle);
        if (!socket->receiver) return true;
        if (message->get_opcode() == websocketpp::frame::opcode::binary) socket->receiver->on_binary(message->get_payload());
        else socket->receiver->on_message(message->get_payload());
        return true;
      }, false);
    });
    server.set_close_handler([this](websocketpp::connection_hdl handle) { ended(handle); });
    server.set_fail_handler([this](websocketpp::connection_hdl handle) { ended(handle); });
  }

  void ended(websocketpp::connection_hdl handle) {
    guarded([&] {
      const auto socket = server.get_con_from_hdl(handle);
      const auto self = std::move(socket->self);
      if (const auto receiver = std::move(socket->receiver)) receiver->on_close();
      return true;
    }, false);
  }

  void accept() {
    websocketpp::lib::error_code error;
    const auto socket = server.get_connection();
    if (!socket) return accept_later();
    server.accept_one(
        socket,
        [this, socket](const websocketpp::lib::error_code& failed) {
          if (stopped) return;
          if (failed) {
            // Out of descriptors or memory: trying again at once would only burn the CPU that could free some.
            websocketpp::lib::error_code ignored;
            socket->terminate(ignored);
            return accept_later();
          }
          guarded([&] { socket->start(); return true; }, false);
          accept();
        },
        error);
    if (error && !stopped) accept_later();
  }

  void accept_later() {
    retry.expires_after(std::chrono::milliseconds(100));
    retry.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled && !stopped) accept();
    });
  }

  boost::asio::io_context& io;
  Settings settings;
  Callbacks callbacks;
  boost::asio::steady_timer retry;
  Server server;
  bool stopped = false;
};

WebSocketListener::WebSocketListener(boost::asio::io_context& io, Settings settings, Callbacks callbacks)
    : impl_(std::make_unique<Impl>(io, std::move(settings), std::move(callbacks))) {}
WebSocketListener::~WebSocketListener() = default;

std::string WebSocketListener::listen() {
  const std::string where = impl_->settings.address + " port " + std::to_string(impl_->settings.port);
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(impl_->settings.address, error);
  if (error) return "listen.address '" + impl_->settings.address + "' is not an IP address";
  try {
    impl_->configure();
    impl_->server.listen(boost::asio::ip::tcp::endpoint(address, impl_->settings.port));
    impl_->accept();
  } catch (const std::exception& e) {
    return "can't listen on " + where + ": " + e.what();
  }
  return {};
}

std::uint16_t WebSocketListener::port() const {
  boost::system::error_code error;
  return impl_->server.get_local_endpoint(error).port();
}

void WebSocketListener::stop() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->retry.cancel();
  websocketpp::lib::error_code ignored;
  impl_->server.stop_listening(ignored);
}

}  // namespace nuropb::edge
