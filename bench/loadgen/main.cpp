// nuropb-loadgen: consumers of a gateway. Opens so many WebSockets, keeps so many requests outstanding on each, checks
// that every answer is the right one for a request that waits, once, and prints what it found as JSON.
//
// One thread over epoll and its own minimal framing: it has to cost less than what it measures.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "bench/outcome.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using nuropb::bench::Outcome;

struct Options {
  std::vector<std::string> urls{"ws://127.0.0.1:8880/websocket"};
  std::string token = "demo-token", service = "demo", method = "echo", params = "{\"text\":\"hello\"}";
  int connections = 16;
  int outstanding = 8;
  double seconds = 3;
  std::uint64_t requests = 0;  ///< 0: as many as fit into the seconds
};

[[noreturn]] void die(const std::string& why) {
  std::cerr << "nuropb-loadgen: " << why << '\n';
  std::exit(1);
}

struct Place {
  std::string host, path;
  std::uint16_t port = 0;
};

Place place_of(const std::string& url) {
  constexpr std::string_view scheme = "ws://";
  const auto colon = url.find(':', scheme.size());
  const auto slash = url.find('/', scheme.size());
  if (!url.starts_with(scheme) || colon == std::string::npos || slash == std::string::npos || slash < colon) die("--url is not ws://ADDRESS:PORT/PATH: " + url);
  Place place{url.substr(scheme.size(), colon - scheme.size()), url.substr(slash)};
  const char *const first = url.data() + colon + 1, *const last = url.data() + slash;
  if (const auto [end, wrong] = std::from_chars(first, last, place.port); wrong != std::errc() || end != last) die("--url has no port: " + url);
  return place;
}

class Consumer {
 public:
  Consumer(const Options& options, Place place, Outcome& outcome)
      : options_(options), place_(std::move(place)), outcome_(outcome), sent_(static_cast<std::size_t>(options.outstanding)) {
    connect();
    handshake();
  }
  ~Consumer() { ::close(fd_); }
  Consumer(const Consumer&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] int waiting() const { return waiting_; }

  void start() {
    for (std::size_t slot = 0; slot < sent_.size() && (options_.requests == 0 || outcome_.sent < options_.requests); ++slot) request(slot);
    flush();
  }

  /// Reads what is there and sends the next request for each answer, until told to stop.
  void readable(const bool& go_on) {
    char buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) die("the gateway closed a connection");
    in_.append(buffer, static_cast<std::size_t>(n));
    std::size_t at = 0;
    while (auto frame = next_frame(at)) answer(*frame, go_on);
    in_.erase(0, at);
    flush();
  }

 private:
  void connect() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(place_.port);
    if (::inet_pton(AF_INET, place_.host.c_str(), &to.sin_addr) != 1) die("the host of --url is not an IPv4 address");
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) die(std::string("connect: ") + std::strerror(errno));
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  void handshake() {
    out_ = "GET " + place_.path + " HTTP/1.1\r\nHost: " + place_.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer " + options_.token + "\r\n\r\n";
    flush();
    std::size_t end;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) receive();
    if (in_.compare(9, 3, "101") != 0) die("handshake: " + in_.substr(0, in_.find('\r')));
    in_.erase(0, end + 4);
    std::size_t at = 0;
    for (;;) {
      if (const auto hello = next_frame(at)) {
        if (hello->find("\"hello\"") == std::string_view::npos) die("no hello: " + std::string(*hello));
        break;
      }
      receive();
    }
    in_.erase(0, at);
  }

  void receive() {
    char buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) die("the gateway closed the connection while it was being opened");
    in_.append(buffer, static_cast<std::size_t>(n));
  }

  /// A whole text frame, if one is there; `at` moves behind it.
  std::optional<std::string_view> next_frame(std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(in_[at + i]); };
    if (in_.size() - at < 2) return {};
    std::size_t head = 2, size = byte(1) & 0x7f;
    if (size == 126) {
      if (in_.size() - at < 4) return {};
      size = static_cast<std::size_t>(byte(2) << 8 | byte(3));
      head = 4;
    } else if (size == 127) {
      if (in_.size() - at < 10) return {};
      size = 0;
      for (std::size_t i = 2; i < 10; ++i) size = size << 8 | byte(i);
      head = 10;
    }
    if (in_.size() - at < head + size) return {};
    if ((byte(0) & 0x0f) == 8) die("the gateway closed with code " + std::to_string(size >= 2 ? byte(head) << 8 | byte(head + 1) : 0));
    if (byte(0) != 0x81) die("a frame that is not a whole text");
    const std::string_view payload(in_.data() + at + head, size);
    at += head + size;
    return payload;
  }

  void request(std::size_t slot) {
    // The trace id is the slot and a count, so an answer can be told from every other and can count only once.
    Sent& sent = sent_[slot];
    ++sent.count;
    payload_ = "{\"type\":\"request\",\"payload\":{\"service\":\"" + options_.service + "\",\"method\":\"" + options_.method + "\",\"params\":" + options_.params +
               ",\"trace_id\":\"" + std::to_string(slot) + "." + std::to_string(sent.count) + "\"}}";
    const std::size_t size = payload_.size();
    out_.push_back(static_cast<char>(0x81));
    // Clients have to mask; with a mask of zeros the payload stays as it is (RFC 6455 section 5.3).
    if (size < 126) {
      out_.push_back(static_cast<char>(0x80 | size));
    } else if (size < 65536) {
      out_.push_back(static_cast<char>(0x80 | 126));
      out_.push_back(static_cast<char>(size >> 8));
      out_.push_back(static_cast<char>(size));
    } else {
      out_.push_back(static_cast<char>(0x80 | 127));
      for (int shift = 56; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(size >> shift));
    }
    out_.append(4, '\0');
    out_ += payload_;
    sent.at = Clock::now();
    sent.waits = true;
    ++waiting_;
    ++outcome_.sent;
  }

  void answer(std::string_view text, bool go_on) {
    static constexpr std::string_view mark = "\"trace_id\":";
    auto at = text.find(mark);
    if (at == std::string_view::npos) die("an answer without a trace_id: " + std::string(text));
    at = text.find('"', at + mark.size());
    std::size_t slot = 0;
    std::uint64_t count = 0;
    const auto first = std::from_chars(text.data() + at + 1, text.data() + text.size(), slot);
    const auto second = std::from_chars(first.ptr + 1, text.data() + text.size(), count);
    if (first.ec != std::errc() || second.ec != std::errc() || slot >= sent_.size()) die("an answer to nothing that was asked: " + std::string(text));
    Sent& sent = sent_[slot];
    if (!sent.waits || sent.count != count) die("an answer for the second time: " + std::string(text));
    sent.waits = false;
    --waiting_;
    outcome_.latency.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - sent.at).count()));
    ++outcome_.answered;
    // Both gateways write it so, ours without the blank.
    if (text.find("\"error\":null") == std::string_view::npos && text.find("\"error\": null") == std::string_view::npos) {
      outcome_.add_error(text);
    }
    if (go_on && (options_.requests == 0 || outcome_.sent < options_.requests)) request(slot);
  }

  void flush() {
    std::size_t at = 0;
    while (at < out_.size()) {
      const ssize_t n = ::send(fd_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) die(std::string("send: ") + std::strerror(errno));
      at += static_cast<std::size_t>(n);
    }
    out_.clear();
  }

  struct Sent {
    Clock::time_point at;
    std::uint64_t count = 0;
    bool waits = false;
  };
  const Options& options_;
  const Place place_;
  Outcome& outcome_;
  int fd_ = -1;
  int waiting_ = 0;
  std::string in_, out_, payload_;
  std::vector<Sent> sent_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Loads a gateway with requests and prints what it found as JSON", "nuropb-loadgen");
  app.add_option("--url", options.urls, "ws://ADDRESS:PORT/PATH; with several, connections take them in turn")->capture_default_str();
  app.add_option("--token", options.token)->capture_default_str();
  app.add_option("--service", options.service)->capture_default_str();
  app.add_option("--method", options.method)->capture_default_str();
  app.add_option("--params", options.params, "raw JSON")->capture_default_str();
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--outstanding", options.outstanding, "requests on each connection")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.001, 86400.0))->capture_default_str();
  app.add_option("--requests", options.requests, "stops after so many, or after the seconds");
  CLI11_PARSE(app, argc, argv);

  Outcome outcome;
  std::vector<std::unique_ptr<Consumer>> consumers;
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < options.connections; ++i) {
    const auto& url = options.urls[static_cast<std::size_t>(i) % options.urls.size()];
    consumers.push_back(std::make_unique<Consumer>(options, place_of(url), outcome));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = consumers.back().get();
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, consumers.back()->fd(), &event);
  }
  const auto started = Clock::now();
  const auto until = started + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  for (auto& consumer : consumers) consumer->start();
  const auto last_call = until + std::chrono::seconds(30);
  for (bool go_on = true;;) {
    epoll_event events[256];
    const int n = ::epoll_wait(epoll, events, 256, 100);
    const auto now = Clock::now();
    for (int i = 0; i < n; ++i) static_cast<Consumer*>(events[i].data.ptr)->readable(go_on);
    if (go_on && (now >= until || (options.requests > 0 && outcome.answered >= options.requests))) {
      go_on = false;
      outcome.stop(std::chrono::duration<double>(Clock::now() - started).count());
    }
    if (go_on) continue;
    int waiting = 0;
    for (const auto& consumer : consumers) waiting += consumer->waiting();
    if (waiting == 0) break;
    if (now >= last_call) die(std::to_string(waiting) + " requests were never answered");
  }
  outcome.print();
  return outcome.errors.empty() ? 0 : 1;
}
