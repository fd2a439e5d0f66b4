#include "common/http/line_stream.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace nuropb {

void LineStream::write(std::string_view line) {
  if (gone_) return;
  if (lines_.size() + line.size() > most_waiting_) {
    ++left_out_;
    return;
  }
  if (left_out_ > 0) lines_ += "{\"left_out\":" + std::to_string(std::exchange(left_out_, 0)) + "}\n";
  lines_.append(line) += '\n';
  if (stream_ && under_way_.empty()) write_lines();
}

void LineStream::begin(HttpStream& stream, std::shared_ptr<void> connection, std::string_view head) {
  stream_ = &stream;
  connection_ = std::move(connection);
  stream.expires_never();
  lines_.insert(0, head);
  write_lines();
  await_end();
}

// The operation in progress keeps the connection, and with it the stream, alive, so leave() need not.

void LineStream::write_lines() {
  under_way_ = std::exchange(lines_, {});
  boost::asio::async_write(
      *stream_, boost::asio::buffer(under_way_),
      [self = shared_from_this(), connection = connection_](const boost::system::error_code& error, std::size_t) {
        self->under_way_.clear();
        if (self->gone_) return;
        if (error) self->leave();
        else if (!self->lines_.empty()) self->write_lines();
      });
}

/// The client has nothing more to send: any byte or error ends the stream.
void LineStream::await_end() {
  stream_->async_read_some(boost::asio::buffer(&one_, 1),
                           [self = shared_from_this(), connection = connection_](const boost::system::error_code&,
                                                                                 std::size_t) { self->leave(); });
}

void LineStream::leave() {
  if (gone_) return;
  gone_ = true;
  std::exchange(stream_, nullptr)->close();
  connection_.reset();
}

}  // namespace nuropb
