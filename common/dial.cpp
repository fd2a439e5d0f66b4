#include "common/dial.hpp"

#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nuropb {
namespace {

/// Connection attempts in progress. The destructor closes those that were not chosen.
class Attempts {
 public:
  explicit Attempts(const std::vector<DialAddress>& addresses) : addresses_(addresses) {}
  ~Attempts() {
    for (const pollfd& one : waiting_) ::close(one.fd);
  }
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  [[nodiscard]] bool more() const { return next_ < addresses_.size(); }
  [[nodiscard]] bool none() const { return waiting_.empty(); }
  [[nodiscard]] int error() const { return error_; }

  /// Starts the next attempt. Returns true if it is connected at once, as on the same host.
  bool begin() {
    const std::size_t at = next_++;
    const DialAddress& to = addresses_[at];
    const int fd = ::socket(to.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      error_ = errno;
      return false;
    }
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to.address), to.size) == 0) {
      connected_ = {fd, at};
      return true;
    }
    if (errno == EINPROGRESS) {
      waiting_.push_back({fd, POLLOUT, 0});
      indexes_.push_back(at);
    } else {
      error_ = errno;
      ::close(fd);
    }
    return false;
  }

  /// Waits for an attempt to end. Returns true if one is connected. `failed`: one has failed, so the next can start
  /// now.
  bool wait(milliseconds time, bool& failed) {
    const int ready =
        ::poll(waiting_.data(), waiting_.size(), static_cast<int>(std::max<std::int64_t>(time.count(), 0)));
    for (std::size_t i = 0; ready > 0 && i < waiting_.size();) {
      if (waiting_[i].revents == 0) {
        ++i;
        continue;
      }
      int error = 0;
      socklen_t size = sizeof error;
      if (::getsockopt(waiting_[i].fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
      const pollfd one = waiting_[i];
      const std::size_t at = indexes_[i];
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
      indexes_.erase(indexes_.begin() + static_cast<std::ptrdiff_t>(i));
      if (error == 0) {
        connected_ = {one.fd, at};
        return true;
      }
      ::close(one.fd);
      error_ = error;
      failed = true;
    }
    return false;
  }

  [[nodiscard]] Dialled result() const {
    Dialled out;
    out.fd = connected_.fd;
    out.to = addresses_[connected_.at];
    for (std::size_t i = 0; i < connected_.at; ++i) out.passed_over.push_back(addresses_[i].text());
    return out;
  }

 private:
  struct Connected {
    int fd = -1;
    std::size_t at = 0;
  };
  const std::vector<DialAddress>& addresses_;
  std::size_t next_ = 0;
  std::vector<pollfd> waiting_;
  std::vector<std::size_t> indexes_;  // of waiting_ in addresses_
  Connected connected_;
  int error_ = 0;
};

Dialled none(int error) {
  Dialled out;
  out.error = error;
  return out;
}

}  // namespace

std::string DialAddress::host() const {
  char text[NI_MAXHOST] = {};
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return text;
}

std::string DialAddress::text() const {
  char port[NI_MAXSERV] = {};
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, nullptr, 0, port, sizeof port, NI_NUMERICSERV);
  const std::string at = host();
  return (at.find(':') == std::string::npos ? at : "[" + at + "]") + ":" + port;
}

std::vector<DialAddress> in_turn(std::vector<DialAddress> addresses) {
  if (addresses.empty()) return addresses;
  const auto family = addresses.front().address.ss_family;
  std::vector<DialAddress> first, second, out;
  for (DialAddress& one : addresses) (one.address.ss_family == family ? first : second).push_back(one);
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) out.push_back(first[i]);
    if (i < second.size()) out.push_back(second[i]);
  }
  return out;
}

std::vector<DialAddress> look_up(const std::string& host, std::uint16_t port, std::string& why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) {  // AI_ADDRCONFIG omits ::1 if the host has no other IPv6 address
    hints.ai_flags = AI_NUMERICSERV;
    failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  }
  std::vector<DialAddress> out;
  for (const addrinfo* each = list; each; each = each->ai_next) {
    DialAddress one;
    if (each->ai_addrlen > sizeof one.address) continue;
    std::memcpy(&one.address, each->ai_addr, each->ai_addrlen);
    one.size = each->ai_addrlen;
    out.push_back(one);
  }
  if (list) ::freeaddrinfo(list);
  if (failed != 0) why = ::gai_strerror(failed);
  return in_turn(std::move(out));
}

Dialled dial(const std::vector<DialAddress>& addresses, SteadyTime deadline) {
  Attempts attempts(addresses);
  SteadyTime next{};
  for (;;) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= deadline) return none(ETIMEDOUT);
    if (attempts.more() && (now >= next || attempts.none())) {
      if (attempts.begin()) return attempts.result();
      next = now + dial_delay;
      continue;
    }
    if (attempts.none()) return none(attempts.error() != 0 ? attempts.error() : EHOSTUNREACH);
    const SteadyTime until = attempts.more() ? std::min(deadline, next) : deadline;
    bool failed = false;
    if (attempts.wait(std::chrono::ceil<milliseconds>(until - now), failed)) return attempts.result();
    if (failed) next = now;
  }
}

}  // namespace nuropb
