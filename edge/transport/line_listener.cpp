#include "edge/transport/line_listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <new>
#include <unordered_set>
#include <vector>

#include "common/close_codes.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "edge/transport/line_reader.hpp"
#include "edge/net/pulse.hpp"

namespace nuropb::edge {
namespace {

using Tcp = boost::asio::ip::tcp;
using SystemError = boost::system::error_code;

constexpr std::size_t read_buffer = 4096;
constexpr std::size_t gathered = 32;                // messages per write
constexpr std::size_t farewell_bytes = 256 * 1024;  // maximum that is read during the lingering close
// From close() on, however slowly the last lines are written.
constexpr auto longest_farewell = std::chrono::seconds(3);
constexpr auto farewell = std::chrono::milliseconds(1000);  // from our FIN on
constexpr std::string_view line_end = "\n";

/// Exceptions of callbacks must not end the event loop.
template <class Work>
void guarded(Work&& work) {
  try {
    work();
  } catch (const std::exception& e) { log::error("a client's line could not be handled", {{"reason", e.what()}}); }
}

}  // namespace

std::string encode_close_line(std::uint16_t code, std::string_view reason) {
  return R"({"type":"close","payload":{"code":)" + std::to_string(code) + R"(,"reason":)" + json::quoted(reason) +
         "}}\n";
}

struct LineListener::Impl {
  class Open;

  Impl(boost::asio::io_context& context, Settings s, Callbacks c);
  void enter(Guest guest);
  void keep_alive(Tcp::socket& socket) const;

  boost::asio::io_context& io;
  Settings settings;
  Callbacks callbacks;
  Pulse pulse;
  Door door;
  std::unordered_set<std::shared_ptr<Open>> open;
};

/// One connection. Kept alive by its listener until its end, and by pending operations.
class LineListener::Impl::Open final : public Connection,
                                       public Liveness::Socket,
                                       public std::enable_shared_from_this<Open> {
 public:
  Open(Impl& listener, Guest guest)
      : listener_(listener),
        stream_(std::move(guest.stream)),
        peer_(std::move(guest.peer)),
        certificate_(std::move(guest.certificate)),
        reader_(listener.settings.max_line) {}

  void begin() {
    listener_.pulse.watch(*this);
    guarded([this] { receiver_ = listener_.callbacks.on_open(*this, peer_, certificate_); });
    read();
  }
  /// For a connection that is not accepted.
  void refuse(const Closing& why) { close(why.code, why.reason); }

  // Connection
  void send_text(std::string_view text) override {
    put({Frame(), is_on_one_line(text) ? std::string(text) : on_one_line(text)});
  }
  void send_binary(std::string_view bytes) override { send_text(bytes); }
  void send_frame(const Frame& frame) override {
    if (!frame) return;
    if (is_on_one_line(frame.text())) put({frame, {}});
    else put({Frame(), on_one_line(frame.text())});
  }
  void close(std::uint16_t code, std::string_view reason) override {
    if (closing_) return;
    closing_ = true;
    closed_with_ = code;
    listener_.pulse.liveness.leave(*this);
    if (code != 0) {
      std::string last = encode_close_line(code, reason);
      last.pop_back();  // each line's end is written with it
      queue_.push_back({Frame(), std::move(last)});
    }
    deadline(longest_farewell);
    if (!taking_) reader_ = LineReader(0);  // nothing more is read
    paused_ = false;
    // Never calls on_close() from within this call (websocket.hpp).
    boost::asio::post(listener_.io, [self = shared_from_this()] {
      if (!self->writing_) self->write();
    });
    read();
  }
  void pause_reading() override {
    paused_ = true;
    listener_.pulse.liveness.leave(*this);
  }
  void resume_reading() override {
    if (closing_) return;
    paused_ = false;
    if (!ended_) listener_.pulse.watch(*this);
    read();
  }
  void limit_message(std::size_t bytes) override { reader_.limit(bytes); }
  [[nodiscard]] std::size_t buffered_bytes() const override { return buffered_; }
  [[nodiscard]] std::size_t own_bytes() const override { return std::min(own_, buffered_); }
  [[nodiscard]] std::uint16_t closed_with() const override { return closed_with_; }
  /// The end of the peer's side does not close the connection, because it may be waiting for responses.
  [[nodiscard]] bool peer_gone() const override {
    pollfd end{stream_->socket().native_handle(), 0, 0};
    return ::poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0;
  }

  // Liveness::Socket
  void send_ping() override {}
  [[nodiscard]] std::uint64_t taken() const override { return stream_->written(); }
  void on_unresponsive() override {}
  void on_idle() override {
    if (receiver_) guarded([this] { receiver_->on_timeout(close_code::idle, "no message for too long"); });
  }

 private:
  /// A queued line; its end is not included.
  struct Line {
    Frame frame;       // shared with other connections, or
    std::string text;  // our own
    [[nodiscard]] std::string_view view() const { return frame ? frame.text() : std::string_view(text); }
  };

  void put(Line line) {
    if (closing_) return;
    buffered_ += line.view().size() + line_end.size();
    if (!line.frame) own_ += line.text.size();
    queue_.push_back(std::move(line));
    if (!writing_) write();
  }

  void write() {
    if (gone_) return;
    if (queue_.empty()) {
      if (closing_) say_goodbye();
      return;
    }
    std::vector<boost::asio::const_buffer> buffers;
    std::size_t skip = front_sent_;
    for (std::size_t i = 0; i < std::min(queue_.size(), gathered); ++i) {
      for (const std::string_view part : {queue_[i].view(), line_end}) {
        const std::size_t left_out = std::min(skip, part.size());
        skip -= left_out;
        if (left_out < part.size())
          buffers.push_back(boost::asio::buffer(part.data() + left_out, part.size() - left_out));
      }
    }
    writing_ = true;
    stream_->async_write_some(buffers, [self = shared_from_this()](const SystemError& error, std::size_t bytes) {
      self->written(error, bytes);
    });
  }
  void written(const SystemError& error, std::size_t bytes) {
    writing_ = false;
    if (gone_) return;
    if (error) return end();
    front_sent_ += bytes;
    while (!queue_.empty() && front_sent_ >= queue_.front().view().size() + line_end.size()) {
      const std::size_t size = queue_.front().view().size() + line_end.size();
      front_sent_ -= size;
      buffered_ -= std::min(buffered_, size);
      if (!queue_.front().frame) own_ -= std::min(own_, queue_.front().text.size());
      queue_.pop_front();
    }
    if (receiver_ && !closing_) guarded([this] { receiver_->on_written(); });
    if (!writing_) write();
  }
  /// Everything is written, and nothing more will be.
  void say_goodbye() {
    if (said_goodbye_) return;
    said_goodbye_ = true;
    stream_->shutdown(Tcp::socket::shutdown_send);
    if (ended_) return end();
    deadline(farewell);
  }

  void read() {
    if (reading_ || taking_ || paused_ || ended_ || gone_) return;
    reading_ = true;
    if (buffer_.empty()) buffer_.resize(read_buffer);
    stream_->async_read_some(boost::asio::buffer(buffer_),
                             [self = shared_from_this()](const SystemError& error, std::size_t bytes) {
                               try {
                                 self->got(error, bytes);
                               } catch (const std::bad_alloc&) {
                                 // Closes this connection only.
                                 if (Costs* const costs = self->costs()) costs->on_no_memory();
                                 self->end();
                               }
                             });
  }
  void got(const SystemError& error, std::size_t bytes) {
    reading_ = false;
    if (gone_) return;
    if (error && error != boost::asio::error::eof) return end();
    if (error) {
      ended_ = true;
      listener_.pulse.liveness.leave(*this);
    }
    if (closing_) {
      after_closing_ += bytes;
      if (ended_ ? said_goodbye_ : after_closing_ > farewell_bytes) return end();
      return read();
    }
    taking_ = true;
    const auto take = [this](std::string_view line) {
      listener_.pulse.liveness.message(*this, std::chrono::steady_clock::now());
      if (receiver_) guarded([&] { receiver_->on_message(line); });
      return !closing_;
    };
    const auto problem = ended_ ? reader_.finish(take) : reader_.feed(std::string_view(buffer_.data(), bytes), take);
    taking_ = false;
    tell_unfinished();
    if (problem == LineReader::Problem::too_long) fail(close_code::message_too_big, "the line is too long");
    else if (problem == LineReader::Problem::not_utf8) fail(close_code::invalid_text, "the line is not UTF-8");
    else if (ended_ && !closing_ && receiver_) guarded([this] { receiver_->on_end(); });
    read();
  }
  [[nodiscard]] Costs* costs() const { return receiver_ ? receiver_->costs() : nullptr; }
  void tell_unfinished() {
    const std::size_t bytes = closing_ ? 0 : reader_.kept();
    if (closing_) reader_ = LineReader(0);
    if (!costs() || (bytes == 0 && !told_unfinished_)) return;
    told_unfinished_ = bytes > 0;
    guarded([&] { costs()->on_unfinished(bytes); });
  }
  /// Closes without involving the receiver, which is notified by on_close().
  void fail(std::uint16_t code, std::string_view reason) { close(code, reason); }

  void deadline(std::chrono::milliseconds limit) {
    if (!timer_) timer_ = std::make_unique<boost::asio::steady_timer>(listener_.io);
    timer_->expires_after(limit);
    timer_->async_wait([self = shared_from_this()](const SystemError& cancelled) {
      if (!cancelled) self->end();
    });
  }
  void end() {
    if (gone_) return;
    gone_ = true;
    SystemError ignored;
    if (timer_) timer_->cancel();
    listener_.pulse.liveness.leave(*this);
    stream_->socket().close(ignored);
    stream_->carry(nullptr);
    const auto self = shared_from_this();
    listener_.open.erase(self);
    if (const auto receiver = std::move(receiver_)) guarded([&] { receiver->on_close(); });
  }

  Impl& listener_;
  std::shared_ptr<Stream> stream_;
  std::string peer_;
  ClientCertificate certificate_;
  LineReader reader_;
  std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<boost::asio::steady_timer> timer_;  // of a closing connection
  std::string buffer_;
  std::deque<Line> queue_;
  std::size_t front_sent_ = 0;  // bytes of the front line that were sent
  std::size_t buffered_ = 0;    // bytes of lines that the kernel has not accepted, without `close`
  std::size_t own_ = 0;         // the part of them that is not in a Frame
  std::size_t after_closing_ = 0;
  std::uint16_t closed_with_ = 0;
  bool reading_ = false, writing_ = false;
  bool taking_ = false;  // lines are being passed to the receiver
  bool paused_ = false;
  bool told_unfinished_ = false;  // an incomplete line was reported to the receiver
  bool ended_ = false;            // the peer has ended its side of TCP
  bool closing_ = false;          // we are closing: the queue gets no more lines
  bool said_goodbye_ = false;     // our FIN was sent
  bool gone_ = false;
};

LineListener::Impl::Impl(boost::asio::io_context& context, Settings s, Callbacks c)
    : io(context),
      settings(std::move(s)),
      callbacks(std::move(c)),
      pulse(context, {std::chrono::milliseconds(0), std::chrono::milliseconds(1), settings.liveness.idle}),
      door(context, settings.door,
           {[this](Guest guest) { enter(std::move(guest)); }, nullptr, [this] { callbacks.turned_away(); }}) {}

void LineListener::Impl::keep_alive(Tcp::socket& socket) const {
  using std::chrono::seconds;
  const auto s = [](auto time) {
    return static_cast<int>(std::max<std::int64_t>(std::chrono::duration_cast<seconds>(time).count(), 1));
  };
  if (settings.liveness.ping.count() == 0) return;
  const int on = 1, idle = s(settings.liveness.ping), probes = 4, between = s(settings.liveness.pong / probes);
  const int unheard = static_cast<int>((settings.liveness.ping + settings.liveness.pong).count());
  const int fd = socket.native_handle();
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard, sizeof unheard);
}

void LineListener::Impl::enter(Guest guest) {
  keep_alive(guest.stream->socket());
  const std::string peer = guest.peer;
  const auto one = std::make_shared<Open>(*this, std::move(guest));
  open.insert(one);
  const Closing refused = callbacks.admit(peer);
  if (refused.code == 0) return one->begin();
  callbacks.turned_away();
  one->refuse(refused);
}

LineListener::LineListener(boost::asio::io_context& io, Settings settings, Callbacks callbacks) {
  settings.door.not_http = encode_close_line(close_code::too_many_connections, "too many connections: try again later");
  impl_ = std::make_unique<Impl>(io, std::move(settings), std::move(callbacks));
}
LineListener::~LineListener() = default;
std::string LineListener::listen() { return impl_->door.open(); }
std::uint16_t LineListener::port() const { return impl_->door.port(); }
void LineListener::stop() { impl_->door.close(); }
std::string LineListener::reload_tls() { return impl_->door.reload_tls(); }

}  // namespace nuropb::edge
