#include "edge/net/stream.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace nuropb::edge {

std::size_t Stream::write_now(const void* bytes, std::size_t size) {
  const ssize_t taken = ::send(socket_.native_handle(), bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (taken <= 0) return 0;
  written_ += static_cast<std::size_t>(taken);
  return static_cast<std::size_t>(taken);
}

Stream::Step Stream::outcome(int result) {
  Step step;
  const int cause = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: step.wants_read = true; break;
    case SSL_ERROR_WANT_WRITE: step.wants_write = true; break;
    case SSL_ERROR_ZERO_RETURN: step.error = boost::asio::error::eof; break;
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      if (cause == 0) step.error = boost::asio::error::eof;
      else step.error = Error(cause, boost::system::system_category());
      break;
    default:
      // A server cannot act on most TLS errors; the exception is the client's certificate.
      broken_ = true;
      step.error = is_about_certificate(ERR_GET_REASON(ERR_peek_error())) ? Error(boost::asio::error::access_denied)
                                                                          : boost::asio::error::connection_aborted;
  }
  ERR_clear_error();
  return step;
}

Stream::Step Stream::read_tls(boost::asio::mutable_buffer into) {
  ERR_clear_error();
  if (into.size() == 0) return {};
  errno = 0;
  std::size_t bytes = 0;
  const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &bytes);
  if (result <= 0) return outcome(result);
  Step step;
  step.bytes = bytes;
  return step;
}

Stream::Step Stream::write_tls(const std::string& bytes) {
  ERR_clear_error();
  if (bytes.empty()) return {};
  if (broken_) {
    Step step;
    step.error = boost::asio::error::broken_pipe;
    return step;
  }
  errno = 0;
  std::size_t taken = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &taken);
  if (result <= 0) return outcome(result);
  written_ += taken;
  Step step;
  step.bytes = taken;
  return step;
}

Stream::Step Stream::handshake_tls() {
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  return result == 1 ? Step{} : outcome(result);
}

}  // namespace nuropb::edge
