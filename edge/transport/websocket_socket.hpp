#pragma once
// One WebSocket in websocketpp, and direct writes that bypass websocketpp. Only for websocket_listener.cpp, and
// therefore C++17 (websocket.hpp).

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/connection_base.hpp>
#include <websocketpp/endpoint_base.hpp>
#include <websocketpp/http/request.hpp>
#include <websocketpp/http/response.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/message_buffer/alloc.hpp>
#include <websocketpp/message_buffer/message.hpp>
#include <websocketpp/processors/hybi13.hpp>
#include <websocketpp/random/random_device.hpp>
#include <websocketpp/server.hpp>
#include <websocketpp/transport/asio/endpoint.hpp>

#include "common/close_codes.hpp"
#include "edge/net/pulse.hpp"
#include "edge/transport/unmask_in_words.hpp"
#include "edge/transport/utf8_in_runs.hpp"
#include "edge/transport/websocket.hpp"
#include "edge/transport/websocket_parts.hpp"

namespace nuropb::edge {

/// What a connection has read of incomplete messages, and of frames that complete none.
struct Incoming {
  /// The connection being read now: websocketpp does not say to which one a piece of payload belongs.
  inline static Incoming* current = nullptr;
  static constexpr std::int64_t smallest_frame = 6, largest_head = 14, heads_for_payload = 64, counted_from = 32;

  std::string* unfinished = nullptr;  ///< websocketpp's buffer of an incomplete message; null: there is none
  std::int64_t payload = 0;           ///< bytes of messages in the current read
  std::int64_t heads = 0;             ///< bytes of heads and control frames in excess of what the messages needed
  bool told = false;                  ///< `unfinished` was reported to the receiver
  bool discards = false;              ///< the connection is closing: what arrives is dropped

  void complete() {
    unfinished = nullptr;
    heads -= largest_head;
  }
  /// Number of frames to report to the receiver, after a read of `bytes`.
  std::size_t frames(std::size_t bytes) {
    heads += static_cast<std::int64_t>(bytes) - payload - payload / heads_for_payload;
    payload = 0;
    if (heads < 0) heads = 0;
    if (heads < counted_from) return 0;
    return static_cast<std::size_t>(std::exchange(heads, 0) / smallest_frame);
  }
  void discard() {
    discards = true;
    if (unfinished) std::string().swap(*unfinished);
  }
};

/// Our state of a websocketpp connection; the config below makes it websocketpp's base class.
struct Attachment : websocketpp::connection_base {
  std::unique_ptr<Connection> face;
  // websocketpp keeps a connection alive through its pending reads and writes only, so one whose reading is paused
  // would be destroyed: from open to close it holds itself.
  std::shared_ptr<void> self;
  std::unique_ptr<Receiver> receiver;
  std::unique_ptr<Liveness::Socket> life;
  std::string peer;
  ClientCertificate certificate;
  std::uint64_t taken_at_pong = 0;
  std::size_t compress_from = SIZE_MAX;  ///< minimum size for compression, if it was negotiated
  std::size_t max_message = SIZE_MAX;    ///< limit for the decompressed message, below the general one
  std::uint32_t pongs = 0;               ///< pongs since the peer accepted data from us
  std::string corked;                    ///< frames of this turn, to be written together
  Incoming incoming;
};

/// Exceptions of callbacks must not end the event loop.
template <class Work>
auto guarded(Work&& work, decltype(work()) otherwise) {
  try {
    return work();
  } catch (const std::exception&) { return otherwise; }
}

/// websocketpp's transport, extended to report when the kernel has accepted a write: websocketpp only knows what it has
/// not begun to write, and reports nothing.
template <class Config>
struct NotifyingTransport : websocketpp::transport::asio::endpoint<Config> {
  struct transport_con_type : websocketpp::transport::asio::connection<Config> {
    using Base = websocketpp::transport::asio::connection<Config>;
    using Base::Base;
    void async_write(const char* bytes, std::size_t length, websocketpp::transport::write_handler then) {
      Base::async_write(bytes, length, std::move(then));
    }
    /// Writes frames, one write at a time. `then` is a member of the connection, which outlives the write.
    void async_write(const std::vector<websocketpp::transport::buffer>& buffers,
                     const websocketpp::transport::write_handler& then) {
      writing_ = 0;
      for (const auto& buffer : buffers) writing_ += buffer.len;
      Base::async_write(buffers, [this, &then](const websocketpp::lib::error_code& error) {
        writing_ = 0;
        then(error);
        guarded(
            [&] {
              if (attachment && attachment->receiver) attachment->receiver->on_written();
              return true;
            },
            false);
      });
    }
    /// `then` of an open connection is a member of it, which outlives the read.
    void async_read_at_least(std::size_t least, char* into, std::size_t size,
                             const websocketpp::transport::read_handler& then) {
      if (!attachment) return Base::async_read_at_least(least, into, size, then);
      Base::async_read_at_least(
          least, into, size,
          [this, &then](const websocketpp::lib::error_code& error, std::size_t bytes) { take(then, error, bytes); });
    }
    [[nodiscard]] std::size_t writing() const { return writing_; }
    Attachment* attachment = nullptr;

   private:
    void take(const websocketpp::transport::read_handler& then, const websocketpp::lib::error_code& error,
              std::size_t bytes) {
      Incoming& incoming = attachment->incoming;
      Incoming::current = &incoming;
      try {
        then(error, bytes);
      } catch (const std::bad_alloc&) {
        // Closes this connection only.
        Incoming::current = nullptr;
        incoming.discard();
        if (Costs* const costs = costs_of()) costs->on_no_memory();
        return then(websocketpp::transport::error::make_error_code(websocketpp::transport::error::eof), 0);
      }
      Incoming::current = nullptr;
      tell(incoming, bytes);
    }
    void tell(Incoming& incoming, std::size_t bytes) {
      const std::size_t frames = incoming.frames(bytes);
      const bool holds = incoming.unfinished != nullptr && !incoming.discards;
      Costs* const costs = costs_of();
      if (!costs || (frames == 0 && !holds && !incoming.told)) return;
      guarded(
          [&] {
            if (holds || incoming.told) costs->on_unfinished(holds ? incoming.unfinished->capacity() : 0);
            incoming.told = holds;
            if (frames > 0) costs->on_frames(frames);
            return true;
          },
          false);
    }
    [[nodiscard]] Costs* costs_of() const { return attachment->receiver ? attachment->receiver->costs() : nullptr; }

    std::size_t writing_ = 0;
  };
};

/// Messages whose memory grows with the received bytes, because a head of 14 bytes can announce megabytes.
template <class Message>
class FrugalMessages : public std::enable_shared_from_this<FrugalMessages<Message>> {
 public:
  using ptr = std::shared_ptr<FrugalMessages>;
  using weak_ptr = std::weak_ptr<FrugalMessages>;
  using message_ptr = typename Message::ptr;
  static constexpr std::size_t at_once = 64 * 1024;

  message_ptr get_message() { return std::make_shared<Message>(this->shared_from_this()); }
  message_ptr get_message(websocketpp::frame::opcode::value opcode, std::size_t size) {
    return std::make_shared<Message>(this->shared_from_this(), opcode, size < at_once ? size : at_once);
  }
  bool recycle(Message*) { return false; }
};

// One thread, so no locks; no logging on the hot path; read buffers that let 20,000 idle sockets fit.
struct Configuration {
  using type = Configuration;
  using concurrency_type = websocketpp::concurrency::none;
  using request_type = websocketpp::http::parser::request;
  using response_type = websocketpp::http::parser::response;
  using message_type = websocketpp::message_buffer::message<FrugalMessages>;
  using con_msg_manager_type = FrugalMessages<message_type>;
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
    static const long timeout_socket_post_init = 0;  // the door has completed all of that
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
  static const std::size_t connection_read_buffer_size = 2048;
  static const bool drop_on_protocol_error = false;
  static const bool silent_close = false;
  static const std::size_t max_message_size = 2 << 20;
  static const std::size_t max_http_body_size = 64 << 10;
  static const bool enable_extensions = true;
  using permessage_deflate_type = BoundedDeflate;
};

}  // namespace nuropb::edge

/// Processes a piece of a frame's payload: unmasks, decompresses and validates it. websocketpp's own member for this
/// config, with unmasking by words; it must be declared before that is instantiated.
template <>
inline std::size_t websocketpp::processor::hybi13<nuropb::edge::Configuration>::process_payload_bytes(
    std::uint8_t* piece, std::size_t size, websocketpp::lib::error_code& error) {
  msg_metadata& message = *m_current_msg;
  nuropb::edge::Incoming* const incoming =
      frame::opcode::is_control(message.msg_ptr->get_opcode()) ? nullptr : nuropb::edge::Incoming::current;
  if (incoming) {
    incoming->payload += static_cast<std::int64_t>(size);
    if (incoming->discards) {
      m_bytes_needed -= size;
      return size;
    }
    incoming->unfinished = &message.msg_ptr->get_raw_payload();
  }
  if (frame::get_masked(m_basic_header)) message.prepared_key = nuropb::edge::unmask(piece, size, message.prepared_key);
  std::string& payload = message.msg_ptr->get_raw_payload();
  const auto before = static_cast<std::string::difference_type>(payload.size());
  if (m_permessage_deflate.is_enabled() && message.msg_ptr->get_compressed()) {
    error = m_permessage_deflate.decompress(piece, size, payload);
    if (error) return 0;
  } else {
    payload.append(reinterpret_cast<const char*>(piece), size);
  }
  const bool text = message.msg_ptr->get_opcode() == frame::opcode::text;
  if (text && !message.validator.decode(payload.begin() + before, payload.end())) {
    error = make_error_code(error::invalid_utf8);
    return 0;
  }
  m_bytes_needed -= size;
  return size;
}

namespace nuropb::edge {

using Server = websocketpp::server<Configuration>;
using Socket = Server::connection_type;
using Message = Configuration::message_type;

/// Access to a Frame's content. Only prepare() creates it.
struct FrameAccess {
  static std::shared_ptr<Message> message(const Frame& frame) {
    return std::static_pointer_cast<Message>(frame.message_);
  }
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

/// Frames are written to the kernel directly if nothing is queued before them. websocketpp's own path, with a
/// completion through the event loop per write, is used for what the kernel does not accept immediately, for TLS and
/// for compression.
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
    // The rest of a partial write would have to be copied, and a large frame may go to very many sockets.
    if (!free() || frame.size() > most_corked) return queue(message);
    const std::string& bytes = message->get_payload();
    const std::size_t taken = socket_.stream().write_now(bytes.data(), bytes.size());
    if (taken == 0) queue(message);
    else if (taken < bytes.size()) queue_bytes(bytes.substr(taken));
  }
  void fetch(unsigned step) const override {
    if (step == 0) {
      __builtin_prefetch(&socket_.compress_from);
      __builtin_prefetch(&socket_.corked);
      __builtin_prefetch(&socket_.attachment);
      // The buffered amount is located before the request.
      __builtin_prefetch(reinterpret_cast<const char*>(&socket_.get_request()) - 64);
      socket_.fetch();
    } else {
      socket_.fetch_stream();
    }
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
    socket_.incoming.discard();
    websocketpp::lib::error_code ignored;
    socket_.close(code, std::string(reason), ignored);
  }
  // websocketpp's pause_reading() takes effect only after the next read was started, and a resume before that one ended
  // would start a second read into the same buffer. Called immediately, from within a callback (as websocket.hpp
  // requires), it prevents the next read from being started.
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
  std::size_t buffered_bytes() const override {
    return socket_.get_buffered_amount() + socket_.writing() + socket_.corked.size();
  }
  std::size_t own_bytes() const override {
    const std::size_t buffered = buffered_bytes();
    if (buffered == 0) own_ = 0;
    return std::min(own_ + socket_.corked.size(), buffered);
  }
  std::uint16_t closed_with() const override { return socket_.get_local_close_code(); }
  bool peer_gone() const override {
    pollfd end{socket_.stream().socket().native_handle(), POLLRDHUP, 0};
    return ::poll(&end, 1, 0) > 0;
  }

 private:
  static constexpr std::size_t most_corked = 16 * 1024;

  /// Whether nothing is queued that a direct write could overtake.
  bool free() const {
    return socket_.get_state() == websocketpp::session::state::open && !socket_.stream().secure() &&
           socket_.writing() == 0 && socket_.get_buffered_amount() == 0;
  }
  void queue(const std::shared_ptr<Message>& message) {
    websocketpp::lib::error_code ignored;  // a closing socket, whose end on_close reports
    ignored = socket_.send(message);
  }
  /// Queues complete frames, or the rest of one, unchanged.
  void queue_bytes(const std::string& bytes) {
    auto message = std::make_shared<Message>(nullptr, websocketpp::frame::opcode::binary, bytes.size());
    message->set_payload(bytes);
    message->set_prepared(true);
    own_ += bytes.size();
    queue(message);
  }
  void send(std::string_view payload, websocketpp::frame::opcode::value opcode) {
    if (payload.size() >= socket_.compress_from) {
      uncork();
      const auto message = socket_.get_message(opcode, payload.size());
      message->append_payload(payload.data(), payload.size());
      message->set_compressed(true);
      own_ += payload.size();
      return queue(message);
    }
    if (payload.size() < most_corked && (!socket_.corked.empty() || free())) {
      if (socket_.corked.empty()) corked_.add(socket_);
      append_frame(payload, opcode);
      if (socket_.corked.size() >= most_corked) uncork();
      return;
    }
    uncork();
    own_ += payload.size();
    websocketpp::lib::error_code ignored;
    ignored = socket_.send(payload.data(), payload.size(), opcode);
  }
  void append_frame(std::string_view payload, websocketpp::frame::opcode::value opcode) {
    namespace frame = websocketpp::frame;
    socket_.corked += frame::prepare_header(frame::basic_header(opcode, payload.size(), true, false),
                                            frame::extended_header(payload.size()));
    socket_.corked += payload;
  }

  Socket& socket_;
  Pulse& pulse_;
  Corked& corked_;
  mutable std::size_t own_ = 0;  // bytes queued outside of Frames since the queue was last empty
};

inline void Corked::add(Socket& socket) {
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

}  // namespace nuropb::edge
