#pragma once
// Replacements for parts of websocketpp: a socket that is a Stream, and a bounded permessage-deflate. Only for
// websocket_listener.cpp.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <websocketpp/common/connection_hdl.hpp>
#include <websocketpp/http/constants.hpp>
#include <websocketpp/processors/base.hpp>
#include <websocketpp/transport/asio/base.hpp>
#include <websocketpp/transport/asio/security/base.hpp>
#include <websocketpp/uri.hpp>

#include "edge/transport/deflate.hpp"
#include "edge/net/stream.hpp"

namespace nuropb::edge {

/// websocketpp's socket policy for a connection. One class serves plain and TLS, because otherwise all of websocketpp
/// would be compiled twice.
class StreamSocket : public std::enable_shared_from_this<StreamSocket> {
 public:
  using type = StreamSocket;
  using ptr = std::shared_ptr<type>;
  using ErrorCode = websocketpp::lib::error_code;

  ptr get_shared() { return shared_from_this(); }
  bool is_secure() const { return stream_ && stream_->secure(); }
  /// To be called before start().
  void adopt(std::shared_ptr<Stream> stream) { stream_ = std::move(stream); }
  /// Receives streams after their last frame, for a lingering close.
  inline static std::function<void(std::shared_ptr<Stream>)> farewell;

  Stream& stream() const { return *stream_; }
  /// Prefetches the pointer to the stream, and then the stream.
  void fetch() const { __builtin_prefetch(&stream_); }
  void fetch_stream() const {
    const auto* const memory = reinterpret_cast<const char*>(stream_.get());
    __builtin_prefetch(memory);
    __builtin_prefetch(memory + 64);
  }
  Stream& get_socket() { return *stream_; }
  Stream& get_next_layer() { return *stream_; }
  Stream::Tcp& get_raw_socket() { return stream_->socket(); }
  /// For websocketpp's log, which is disabled.
  std::string get_remote_endpoint(ErrorCode&) const { return {}; }

  template <class Code>
  static ErrorCode translate_ec(Code) {
    return websocketpp::transport::error::make_error_code(websocketpp::transport::error::pass_through);
  }
  static ErrorCode translate_ec(ErrorCode ec) { return ec; }

 protected:
  ErrorCode init_asio(boost::asio::io_context*, std::shared_ptr<boost::asio::io_context::strand>, bool) { return {}; }
  void set_uri(websocketpp::uri_ptr) {}
  void set_handle(websocketpp::connection_hdl) {}
  void pre_init(websocketpp::transport::asio::socket::init_handler done) { done({}); }
  void post_init(websocketpp::transport::asio::socket::init_handler done) { done({}); }
  boost::system::error_code cancel_socket() {
    boost::system::error_code error;
    stream_->socket().cancel(error);
    return error;
  }
  void async_shutdown(websocketpp::transport::asio::socket::shutdown_handler done) {
    // Closing a connection with unread bytes resets it, and the close frame is lost with it.
    if (stream_->reading() || !farewell) return done(stream_->shutdown());
    const auto error = stream_->shutdown(Stream::Tcp::shutdown_send);
    if (!error) farewell(stream_);
    done(error);
  }
  ErrorCode get_ec() const { return {}; }

 private:
  std::shared_ptr<Stream> stream_;
};

/// The endpoint's part of the policy.
class StreamSocketEndpoint {
 public:
  using type = StreamSocketEndpoint;
  using socket_con_type = StreamSocket;
  using socket_con_ptr = StreamSocket::ptr;
  bool is_secure() const { return false; }

 protected:
  websocketpp::lib::error_code init(const socket_con_ptr&) { return {}; }
};

/// websocketpp creates one per connection and passes it no arguments, so the settings are process-wide.
class BoundedDeflate {
 public:
  using ErrorCode = websocketpp::lib::error_code;
  inline static bool offered = false;
  inline static DeflateSettings settings;

  BoundedDeflate() = default;
  BoundedDeflate(const BoundedDeflate&) = delete;
  BoundedDeflate& operator=(const BoundedDeflate&) = delete;
  ~BoundedDeflate() {
    if (unfolding_ == this) unfolding_ = nullptr;
  }

  bool is_implemented() const { return offered; }
  bool is_enabled() const { return deflate_ != nullptr; }
  ErrorCode init(bool) { return {}; }
  std::string generate_offer() const { return {}; }
  ErrorCode validate_offer(const websocketpp::http::attribute_list&) { return {}; }

  std::pair<ErrorCode, std::string> negotiate(const websocketpp::http::attribute_list& offer) {
    auto deflate = std::make_unique<Deflate>(settings);
    std::string answer = deflate->negotiate(offer);
    if (answer.empty())
      return {websocketpp::processor::error::make_error_code(websocketpp::processor::error::extension_parse_error), {}};
    deflate_ = std::move(deflate);
    return {{}, answer};
  }

  ErrorCode compress(const std::string& in, std::string& out) { return code(deflate_->fold(in, out)); }
  ErrorCode decompress(const std::uint8_t* bytes, std::size_t length, std::string& out) {
    unfolding_ = this;
    return code(deflate_->unfold(bytes, length, out));
  }
  /// For the connection that decompressed last: websocketpp delivers a message as soon as it is complete. Returns false
  /// if it was truncated.
  static bool message_ended() {
    const bool whole = !unfolding_ || unfolding_->deflate_->message_ended() == Deflate::Outcome::ok;
    unfolding_ = nullptr;
    return whole;
  }

 private:
  static ErrorCode code(Deflate::Outcome outcome) {
    namespace error = websocketpp::processor::error;
    switch (outcome) {
      case Deflate::Outcome::ok: return {};
      case Deflate::Outcome::invalid: return error::make_error_code(error::invalid_payload);
      case Deflate::Outcome::too_big: return error::make_error_code(error::message_too_big);
      case Deflate::Outcome::no_memory: break;
    }
    return error::make_error_code(error::general);
  }

  inline static BoundedDeflate* unfolding_ = nullptr;
  std::unique_ptr<Deflate> deflate_;
};

}  // namespace nuropb::edge
