// nuropb-ctl tap: shows a client's messages live.

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>

#include "meshd/ctl/admin_client.hpp"
#include "meshd/ctl/say.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

struct Tap {
  std::string user, session;
  std::uint64_t count = 0;
};

Result<shm::UniqueFd> connected(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return failure("the path is too long for a Unix socket", path, "gateway.runtime_dir");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  shm::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failure(std::string("can't connect: ") + std::strerror(errno), path,
                   "is nuropb-meshd running with this gateway.runtime_dir?");
  return fd;
}

/// The remaining members of an entry, after its columns.
std::string line_for_people(const json& line) {
  std::string out = text(line, "time") + (text(line, "direction") == "in" ? "  >> " : "  << ") + text(line, "what");
  if (line.contains("left_out"))
    return "(" + line["left_out"].dump() + " messages were dropped: this reader was too slow)";
  for (const auto& [name, value] : line.items()) {
    if (name == "time" || name == "direction" || name == "what" || name == "user_id" || name == "session_id") continue;
    out += "  " + shown(name) + " ";
    out += value.is_string() ? shown(value) : value.dump(-1, ' ', true, json::error_handler_t::replace);
  }
  return out + "  (" + text(line, "user_id") + ", " + text(line, "session_id").substr(0, 8) + ")";
}

class Lines {
 public:
  explicit Lines(int fd) : fd_(fd) {}
  /// Blocks until the next line, returned without its end. Returns false at the end.
  bool next(std::string& line) {
    for (;;) {
      const auto end = text_.find('\n');
      if (end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        return true;
      }
      // The end of our own output also ends the tap, even while nothing arrives.
      pollfd fds[2] = {{fd_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) return false;
      if ((fds[1].revents & (POLLERR | POLLHUP)) != 0) return false;
      char bytes[16384];
      const ssize_t got = ::read(fd_, bytes, sizeof bytes);
      if (got == 0 || (got < 0 && errno != EINTR)) return false;
      if (got > 0) text_.append(bytes, static_cast<std::size_t>(got));
      if (text_.size() > largest) return false;
    }
  }

 private:
  static constexpr std::size_t largest = 4U << 20;
  int fd_;
  std::string text_;
};

int tap(const Invocation& invocation, const Tap& options) {
  if (options.user.empty() == options.session.empty())
    return fail(usage_mistake, "missing target: use one of --user, --session");
  const auto key = admin_key(invocation.config.gateway.runtime_dir);
  if (!key) return fail(not_done, key.error());
  const auto fd = connected(invocation.config.gateway.runtime_dir + "/admin.sock");
  if (!fd) return fail(not_done, fd.error());
  const std::string body =
      written(options.user.empty() ? json{{"session_id", options.session}} : json{{"user_id", options.user}});
  const std::string request = "POST /tap HTTP/1.1\r\nHost: meshd\r\nAuthorization: Bearer " + *key +
                              "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                              "\r\n\r\n" + body;
  if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return fail(not_done, "meshd does not listen");
  Lines lines(fd->get());
  std::string line;
  const bool good = lines.next(line) && line.starts_with("HTTP/1.1 200");
  while (lines.next(line) && !line.empty()) {}
  if (!good) {
    const bool told = lines.next(line);
    const json said = told ? json::parse(line, nullptr, false) : json();
    return fail(not_done, "nuropb-ctl: " + (said.is_object() ? text(said, "error") : "meshd sent no response"));
  }
  std::cerr << "watching " << shown(options.user.empty() ? options.session : options.user)
            << "; names and shapes only, Ctrl-C ends it\n";
  for (std::uint64_t seen = 0; (options.count == 0 || seen < options.count) && lines.next(line); ++seen) {
    const json one = json::parse(line, nullptr, false);
    if (!one.is_object()) continue;
    std::cout << (invocation.json ? written(one) : line_for_people(one)) << std::endl;
    if (!std::cout) return done;
    if (options.count != 0 && seen + 1 == options.count) return done;
  }
  return fail(not_done, "meshd has ended the tap");
}

}  // namespace

void add_tap_command(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Tap>();
  CLI::App* const tapped = app.add_subcommand(
      "tap",
      "Shows the messages from and to a client: names, keys, types and sizes, but no values. Requires "
      "admin.tap; meshd logs who is watched\n"
      "Exit codes: 0 done; 1 it could not be done, or meshd ended it; 2 wrong command or settings");
  tapped->add_option("--user", options->user, "All sessions of this user, here");
  tapped->add_option("--session", options->session, "One session, by its id");
  tapped->add_option("--count", options->count, "Number of messages, then exits");
  runs(tapped, invocation, tap, options);
}

}  // namespace nuropb::ctl
