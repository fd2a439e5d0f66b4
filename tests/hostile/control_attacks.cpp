// Attacks through meshd's control socket.

#include "tests/hostile/attacks.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

namespace nuropb::hostile {
namespace {

using nlohmann::json;
using records::CredentialKind;

[[noreturn]] void control(Attacker& edge, const Arguments& arguments) {
  const std::string& what = arguments.at(0);
  if (what == "second-hello") (void)edge.channel().send_hello({shm::abi, ""});
  else if (what == "welcome") (void)edge.channel().send_welcome({1, 2, "x"}, edge.fd_m(), edge.fd_e(), edge.bell());
  else if (what == "rubbish") (void)!::send(edge.channel().fd(), "rubbish", 7, MSG_NOSIGNAL);
  else if (what == "doorbells" || what == "packets") {
    // In a pipe in packet mode each byte is read separately.
    if (what == "packets" && ::fcntl(edge.bell().ring_fd(), F_SETFL, O_NONBLOCK | O_DIRECT) != 0) give_up("no packets");
    for (;;) edge.bell().ring();
  } else give_up("no such thing: " + what);
  edge.await_death();
}

/// After meshd's first ring the doorbell has no room, and later no reader; requests are answered all the same.
void bell(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  const std::string hearing = "/proc/self/fd/" + std::to_string(edge.bell().fd());
  const int filling = ::open(hearing.c_str(), O_WRONLY | O_NONBLOCK);
  if (filling < 0) give_up("its pipe can't be opened again");
  const std::string rubbish(4096, 'x');
  while (::write(filling, rubbish.data(), rubbish.size()) > 0) {}
  for (const int fd : {edge.bell().fd(), edge.bell().ring_fd(), filling}) (void)::fcntl(fd, F_SETFL, 0);
  edge.hears_nothing();
  for (int n = 0; n < 20; ++n) (void)edge.ask(0, 1, arguments.at(1), "echo", "{}");
  edge.put(records::Type::request, Attacker::request(0, 1, arguments.at(1), "echo", "{}"), 5000);
  ::close(filling);
  edge.bell() = {};
  if (!edge.next()) give_up("no answer without a doorbell");
  report({{"answered", true}});
}

/// Connects repeatedly, with packets of all sizes and with none, for the requested number of times, and continues until
/// meshd has accepted more connections than the test requires, however slowly a busy machine lets it.
void flood(const std::string& path, const Arguments& arguments) {
  const int rounds = std::stoi(arguments.at(0));
  constexpr int wanted = 150;
  const int null = ::open("/dev/null", O_RDONLY);
  std::vector<shm::ControlChannel> open;
  int connected = 0;
  for (int i = 0; i < rounds || connected < wanted; ++i) {
    auto channel = shm::ControlChannel::connect(path);
    if (!channel) {
      // The socket's queue is full.
      if (i >= rounds) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    ++connected;
    switch (i % 5) {
      case 0: (void)channel->send_hello({shm::abi + 1, std::string(400, 't')}); break;
      case 1: (void)!::send(channel->fd(), "rubbish", 7, MSG_NOSIGNAL | MSG_DONTWAIT); break;
      case 2:
        (void)channel->send_welcome({0, 0, "w"}, null, null,
                                    shm::Doorbell(shm::UniqueFd(::dup(null)), shm::UniqueFd(::dup(null))));
        break;
      case 3: (void)!::send(channel->fd(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT); break;
      default: break;  // sends nothing
    }
    open.push_back(std::move(*channel));
    if (open.size() > 200) open.erase(open.begin(), open.begin() + 100);
  }
  report({{"connected", connected}});
}

/// As many workers as there are slots, from one process.
void all_slots(const std::string& path, const Arguments& arguments) {
  std::vector<std::unique_ptr<Attacker>> workers;
  for (int i = 0; i < std::stoi(arguments.at(0)); ++i) workers.push_back(std::make_unique<Attacker>(path));
  report({{"attached", workers.size()}});
  std::string line;
  std::getline(std::cin, line);
}

/// Processes that are each a worker that meshd has to end.
void swarm(const std::string& path, const Arguments& arguments) {
  int killed = 0, refused = 0, children = 0;
  const auto wait = [&] {
    int status = 0;
    if (::wait(&status) <= 0) give_up("no child to wait for");
    --children;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++killed;
    else ++refused;
  };
  for (int i = 0; i < std::stoi(arguments.at(0)); ++i) {
    // Otherwise there would be no slot for them, which would be another reason for the refusal.
    if (children == 8) wait();
    if (::fork() == 0) {
      Attacker edge(path);
      (void)!::send(edge.channel().fd(), "rubbish", 7, MSG_NOSIGNAL);
      edge.await_death();
    }
    ++children;
  }
  while (children > 0) wait();
  report({{"killed", killed}, {"refused", refused}});
}

/// With the ticket of a live worker: it gets a slot of its own instead.
void worker_ticket(const std::string& path, const Arguments& arguments) {
  Attacker edge(path, from_hex(arguments.at(0)).value());
  json refused;
  if (arguments.size() > 1)
    refused = edge.open(0, 1, CredentialKind::ticket, from_hex(arguments.at(1)).value()).refused;
  report({{"slot", edge.welcome().slot}, {"generation", edge.welcome().generation}, {"refused", refused}});
}

}  // namespace

Attacks on_control_socket() { return {{"control", control}, {"bell", bell}}; }

LoneAttacks without_attaching() {
  return {{"flood", flood}, {"worker-ticket", worker_ticket}, {"all-slots", all_slots}, {"swarm", swarm}};
}

}  // namespace nuropb::hostile
