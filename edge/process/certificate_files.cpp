#include "edge/process/certificate_files.hpp"

#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "common/sandbox.hpp"
#include "common/text_file.hpp"

namespace nuropb::edge {
namespace {

constexpr std::size_t largest = 1U << 20;
constexpr auto patience = std::chrono::seconds(2);
constexpr std::uint32_t unreadable = UINT32_MAX;

bool send_all(int socket, const void* from, std::size_t size) {
  const auto* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t n = ::send(socket, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

[[noreturn]] void serve(int socket, const std::vector<std::string>& files) {
  for (;;) {
    std::uint32_t number = 0;
    const ssize_t n = ::recv(socket, &number, sizeof number, MSG_WAITALL);
    if (n < 0 && errno == EINTR) continue;
    if (n != sizeof number || number >= files.size()) ::_exit(0);
    auto text = read_text_file(files[number], largest);
    const std::uint32_t size = text ? static_cast<std::uint32_t>(text->size()) : unreadable;
    if (!send_all(socket, &size, sizeof size) || (text && !send_all(socket, text->data(), text->size()))) ::_exit(0);
    if (text) OPENSSL_cleanse(text->data(), text->size());
  }
}

/// Reads until `size` bytes have arrived. Returns false if the time is over or the other end is closed.
bool receive_all(int socket, void* to, std::size_t size, std::chrono::steady_clock::time_point until) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd wait{socket, POLLIN, 0};
    if (left <= 0 || (::poll(&wait, 1, static_cast<int>(left)) < 0 && errno != EINTR)) return false;
    const ssize_t n = ::recv(socket, at, size, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

Result<CertificateFiles> CertificateFiles::start(std::vector<std::string> files, bool seccomp) {
  CertificateFiles out;
  std::erase(files, "");
  if (files.empty()) return out;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return failure(std::string("cannot create sockets for the certificate reader:  ") + std::strerror(errno));
  out.socket_.reset(ends[0]);
  shm::UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return failure(std::string("cannot fork the certificate reader:  ") + std::strerror(errno));
  if (child == 0) {
    // The child ends together with the edge, and only then: a Ctrl-C reaches both.
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "nuropb-edge-tls", 0, 0, 0);
    ::dup2(theirs.get(), 3);
    ::close_range(4, ~0U, 0);
    if (!sandbox::give_up(false, false)) ::_exit(1);
    if (seccomp && !sandbox::allow_only(sandbox::Role::file_reader)) ::_exit(1);
    serve(3, files);
  }
  out.files_ = std::move(files);
  return out;
}

Result<std::string> CertificateFiles::read(const std::string& file) {
  const auto found = std::find(files_.begin(), files_.end(), file);
  if (found == files_.end() || !socket_) return failure("can't be read", file);
  const auto lost = [&] {
    socket_.reset();  // a late answer would be taken for the answer to another request
    return failure("can't be read: the certificate reader is gone", file, "the next edge has one");
  };
  const auto until = std::chrono::steady_clock::now() + patience;
  const auto number = static_cast<std::uint32_t>(found - files_.begin());
  std::uint32_t size = 0;
  if (!send_all(socket_.get(), &number, sizeof number) || !receive_all(socket_.get(), &size, sizeof size, until))
    return lost();
  if (size == unreadable) return failure("can't be read", file);
  if (size > largest) return lost();
  std::string text(size, '\0');
  if (!receive_all(socket_.get(), text.data(), size, until)) return lost();
  return text;
}

}  // namespace nuropb::edge
