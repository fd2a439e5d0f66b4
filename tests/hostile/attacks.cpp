// nuropb-hostile-edge SOCKET ATTACK [ARGUMENT...]: one attack on meshd.
//
// Most end with our death by meshd's hand, which whoever started us sees as SIGKILL. Those that meshd has to bear print one
// line of JSON about what came of them, and end with 0. 3: it did not go as an attacker in possession of an edge can expect.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/record_format.hpp"
#include "tests/hostile/attacker.hpp"

namespace nuropb::hostile {
namespace {

using nlohmann::json;
using records::CredentialKind;
using records::Type;
using Arguments = std::vector<std::string>;

void report(const json& what) { std::cout << what.dump() << std::endl; }

// ------------------------------------------------------------------------------------------------ the shared memory

/// Any bytes at all, as whole records by their headers and otherwise.
[[noreturn]] void rubbish(Attacker& edge, const Arguments& arguments) {
  std::mt19937_64 random(std::stoull(arguments.at(0)));
  auto* const words = reinterpret_cast<std::uint64_t*>(edge.request_bytes());
  for (std::size_t i = 0; i < 8192; ++i) words[i] = random();
  edge.words().in_tail.value.store(65'536, std::memory_order_seq_cst);
  edge.channel().ring();
  edge.await_death();
}

[[noreturn]] void tail(Attacker& edge, const Arguments& arguments) {
  const std::map<std::string, std::uint64_t> positions{
      {"unaligned", 8}, {"beyond", edge.request_capacity() + 16}, {"end-of-time", UINT64_MAX - 15}};
  if (arguments.at(0) == "backwards") {
    edge.put(Type::open_session,
             records::OpenSession{0, 1, SessionId::random(), CredentialKind::header, "nobody's", "x", {}});
    if (!edge.next()) give_up("no verdict");
    edge.words().in_tail.value.store(16, std::memory_order_seq_cst);
  } else {
    edge.words().in_tail.value.store(positions.at(arguments.at(0)), std::memory_order_seq_cst);
  }
  edge.channel().ring();
  edge.await_death();
}

/// Words and bytes that change while meshd looks at them, under requests that are in order.
void racing(Attacker& edge, const Arguments& arguments) {
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0));
  if (mine.refused != 0) give_up("refused");
  std::atomic<bool> over = false;
  std::thread other([&] {
    std::mt19937_64 random(7);
    auto* const bytes = reinterpret_cast<volatile std::uint32_t*>(edge.request_bytes());
    while (!over) {
      // Lengths and types of records that were published: after meshd has judged them, if it looked twice.
      bytes[(random() % 4096) * 4] = static_cast<std::uint32_t>(random());
      edge.words().in_want_space.value.fetch_add(1, std::memory_order_relaxed);
      edge.words().out_waiting.value.fetch_add(1, std::memory_order_relaxed);
    }
  });
  for (std::uint64_t n = 1; n < 20'000; ++n)
    edge.put(Type::request, Attacker::request(0, 1, arguments.at(1), "echo", R"({"n":1})"), n);
  over = true;
  other.join();
  report({{"bore", true}});
}

void shrink(Attacker& edge, const Arguments&) {
  json done = json::object();
  for (const auto& [name, fd] : {std::pair("M", edge.fd_m()), std::pair("E", edge.fd_e())}) {
    const std::string which = name;
    done[which + " shrunk"] = ::ftruncate(fd, 4096) == 0;
    done[which + " grown"] = ::ftruncate(fd, 1 << 30) == 0;
    done[which + " sealed further"] = ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
  }
  const std::string by_name = "/proc/self/fd/" + std::to_string(edge.fd_m());
  for (const int fd : {edge.fd_m(), ::open(by_name.c_str(), O_RDWR)}) {
    const std::string which = fd == edge.fd_m() ? "M" : "M opened again";
    void* const mapped = fd < 0 ? MAP_FAILED : ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    done[which + " mapped to write"] = mapped != MAP_FAILED;
    done[which + " written"] = fd >= 0 && ::pwrite(fd, "x", 1, 0) == 1;
  }
  // A hole in E is only zeros, which meshd reads as it reads anything.
  done["a hole in E"] = ::fallocate(edge.fd_e(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 1 << 16) == 0;
  report(done);
}

[[noreturn]] void ask_without_end(Attacker& edge, std::string_view service) {
  const std::string large = "{\"text\":\"" + std::string(100'000, 'x') + "\"}";
  for (std::uint64_t n = 1;; ++n) edge.put(Type::request, Attacker::request(0, 1, service, "echo", large), n);
}

/// Takes nothing of what it asks for.
[[noreturn]] void deaf(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  ask_without_end(edge, arguments.at(1));
}

/// The position in the return ring is an edge's to write, too: meshd looks at it once it needs room.
[[noreturn]] void head(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  edge.words().out_head.value.store(1U << 30, std::memory_order_seq_cst);
  ask_without_end(edge, arguments.at(1));
}

// ------------------------------------------------------------------------------------------------ what records say

records::Resume keep(std::uint32_t slot, std::uint32_t serial) {
  return {records::Resume::What::keep,
          slot,
          serial,
          0,
          Attacker::request(slot, serial, "", "", "").deadline_ms,
          {},
          "\"keep\"",
          {}};
}

[[noreturn]] void record(Attacker& edge, const Arguments& arguments) {
  const std::string& what = arguments.at(0);
  const auto session = [&](std::uint32_t slot) {
    if (edge.open(slot, 1, CredentialKind::header, arguments.at(1)).refused != 0) give_up("refused");
  };
  const std::string& service = arguments.at(2);
  const std::map<std::string, std::function<void()>> attacks{
      {"unknown-type", [&] { edge.put(60'000, "x"); }},
      {"meshds-own-type",
       [&] {
         edge.put(Type::response, records::Response{0, "1", "null"});
       }},
      {"too-short", [&] { edge.put(static_cast<std::uint16_t>(Type::request), "x"); }},
      {"lengths-that-lie",
       [&] {
         std::string payload;
         records::encode(Attacker::request(0, 1, service, "echo", "{}"), payload);
         std::memset(payload.data() + offsetof(records::RequestHead, service), 0xff, 4);
         edge.put(static_cast<std::uint16_t>(Type::request), payload);
       }},
      {"request-of-nobody", [&] { edge.put(Type::request, Attacker::request(5, 1, service, "echo", "{}"), 1); }},
      {"slot-beyond-limits",
       [&] {
         edge.put(Type::open_session,
                  records::OpenSession{0xff'0000, 1, SessionId::random(), CredentialKind::header, "x", "x", {}});
       }},
      {"request-of-a-predecessor",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 7, service, "echo", "{}"), 1);
       }},
      {"opened-twice",
       [&] {
         session(0);
         edge.put(Type::open_session,
                  records::OpenSession{0, 2, SessionId::random(), CredentialKind::header, "x", "x", {}});
       }},
      {"sequence-of-41-bits",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "echo", "{}"), 1ULL << 40);
       }},
      {"params-that-break-out",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "whoami", R"({},"context":{"user_id":"ann"})"), 1);
       }},
      {"trace-id-that-breaks-out",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "whoami", "{}", R"("t","user_id":"ann")"), 1);
       }},
      {"deep-json",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "echo", std::string(100'000, '[')), 1);
       }},
      {"console-call-that-lies",
       [&] {
         std::string payload;
         records::encode(records::ConsoleCall{"token", "status", "{}"}, payload);
         std::memset(payload.data(), 0xff, 4);
         edge.put(static_cast<std::uint16_t>(Type::console_call), payload);
       }},
      {"count-nobody-asked-for",
       [&] {
         edge.put(Type::pushed, records::Pushed{42, 1'000'000});
       }},
      {"backend-where-there-is-none",
       [&] {
         edge.put(Type::backend_call, records::BackendCall{"key", "gateway", "send_to_all", "", R"({"message":1})"}, 1);
       }},
      // The honest edge on which that session is taken up would have to take it for rubbish of meshd's.
      {"say-beyond-any-message",
       [&] {
         session(0);
         edge.put(Type::resume, keep(0, 1), 1);
         const std::string text =
             R"({"x":")" + std::string(Config().limits.message_bytes + records::max_framing, 'x') + "\"}";
         edge.put(Type::resume, records::Resume{records::Resume::What::say, 0, 1, 0, 0, {}, {}, text});
       }},
      // Its answer would be told to the session that has left this slot and waits for its own.
      {"sequence-of-a-session-that-waits",
       [&] {
         session(0);
         edge.put(Type::resume, keep(0, 1), 1);
         edge.put(Type::resume,
                  records::Resume{records::Resume::What::pending, 0, 1, 0, keep(0, 1).deadline_ms, {}, "\"p\""}, 7);
         edge.put(Type::close_session, records::CloseSession{0, 1, true});
         edge.put(Type::open_session,
                  records::OpenSession{0, 2, SessionId::random(), CredentialKind::header, arguments.at(1), "x", {}});
         while (const auto next = edge.next()) {
           if (next->first.type == static_cast<std::uint16_t>(Type::session_accepted)) break;
         }
         edge.put(Type::request, Attacker::request(0, 2, service, "echo", "{}"), 7);
       }},
      {"snorky-where-there-is-none",
       [&] {
         session(0);
         edge.put(Type::snorky_call, records::SnorkyCall{0, 1, false, "pubsub", "publish", "", "{}"}, 1);
       }},
  };
  const auto found = attacks.find(what);
  if (found == attacks.end()) give_up("no such record: " + what);
  found->second();
  edge.await_death();
}

/// Method and service are texts, and become texts in the message, whatever stands in them.
void injected_names(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  const auto [result, error] = edge.ask(0, 1, arguments.at(1), R"(whoami","context":{"user_id":"ann"},"x":")", "{}");
  const auto [who, none] = edge.ask(0, 1, arguments.at(1), "whoami", "{}");
  report({{"injected", json::parse(error)}, {"who", json::parse(who)}});
}

// ------------------------------------------------------------------------------------------------ identities

void tickets(Attacker& edge, const Arguments& arguments) {
  const auto id = SessionId::random();
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0), id);
  if (mine.refused != 0) give_up("refused");
  json refused = json::object();
  std::uint32_t slot = 1;
  const auto attempt = [&](const char* name, std::string_view ticket, const SessionId& as) {
    refused[name] = edge.open(slot, 1, CredentialKind::ticket, ticket, as).refused;
    ++slot;
  };
  for (const std::size_t at : {std::size_t{0}, mine.ticket.size() / 2, mine.ticket.size() - 1}) {
    std::string altered = mine.ticket;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    attempt(("byte " + std::to_string(at) + " altered").c_str(), altered, id);
  }
  attempt("cut short", std::string_view(mine.ticket).substr(0, mine.ticket.size() - 1), id);
  attempt("of another session", mine.ticket, SessionId::random());
  attempt("empty", "", id);
  attempt("a worker's ticket", edge.welcome().ticket, id);
  report({{"refused", refused}, {"user", mine.user_id}});
}

/// Presents its own ticket again after its time, as if meshd had been restarted, and asks with what it gets for it.
void expired_ticket(Attacker& edge, const Arguments& arguments) {
  const auto id = SessionId::random();
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0), id);
  if (mine.refused != 0) give_up("refused");
  const auto ended = [&](std::uint32_t slot) -> unsigned {
    while (const auto record = edge.next()) {
      if (record->first.type != static_cast<std::uint16_t>(Type::end_session)) continue;
      const auto end = records::decode<records::EndSession>(record->second);
      if (end && end->session == slot) return end->code;
    }
    give_up("its session goes on");
  };
  const unsigned first = ended(0);
  const auto again = edge.open(1, 1, CredentialKind::ticket, mine.ticket, id);
  const unsigned second = again.refused != 0 ? again.refused : ended(1);
  for (const std::uint32_t slot : {0U, 1U})
    edge.put(Type::request, Attacker::request(slot, 1, arguments.at(1), "whoami", "{}"), 100 + slot);
  (void)edge.open(2, 1, CredentialKind::header, "nobody's");  // meshd has read all of it by then
  report({{"user", mine.user_id}, {"first", first}, {"second", second}});
}

/// Prints its ticket, for another process to steal, and stays.
void victim(Attacker& edge, const Arguments& arguments) {
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0));
  report({{"ticket", to_hex(mine.ticket)},
          {"worker", to_hex(edge.welcome().ticket)},
          {"slot", edge.welcome().slot},
          {"generation", edge.welcome().generation}});
  std::string line;
  std::getline(std::cin, line);
}

/// With the ticket of a worker that lives: it gets a place of its own, and not that one's.
void worker_ticket(const std::string& path, const Arguments& arguments) {
  Attacker edge(path, from_hex(arguments.at(0)).value());
  json refused;
  if (arguments.size() > 1)
    refused = edge.open(0, 1, CredentialKind::ticket, from_hex(arguments.at(1)).value()).refused;
  report({{"slot", edge.welcome().slot}, {"generation", edge.welcome().generation}, {"refused", refused}});
}

/// Claims the session id of somebody else's session, and waits for what was meant for that one.
void session_id(Attacker& edge, const Arguments& arguments) {
  const auto id = SessionId::from_hex(arguments.at(1));
  if (!id || edge.open(0, 1, CredentialKind::header, arguments.at(0), *id).refused != 0) give_up("refused");
  report({{"open", true}});
  std::string line;
  std::getline(std::cin, line);  // meanwhile something is sent to that session
  edge.put(Type::describe, Attacker::request(0, 1, "nobody", "", ""), 1);
  json heard = json::array();
  while (const auto record = edge.next()) {
    heard.push_back(record->first.type);
    if (record->first.type == static_cast<std::uint16_t>(Type::response)) break;
  }
  report({{"heard", heard}});
}

/// No attack: an edge that gives back an answer which meshd has sent it before it read that its session is numbered. The
/// request is over by that, and no second answer comes when its time is up.
void answer_given_back(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  SystemClock clock;
  const auto at = [&](int ms) { return to_ring_ms(clock.now() + std::chrono::milliseconds(ms)); };
  using What = records::Resume::What;
  edge.put(Type::resume, records::Resume{What::keep, 0, 1, 0, at(30'000), {}, R"("keep")"}, 1);
  edge.put(Type::resume, records::Resume{What::pending, 0, 1, 0, at(200), {}, R"("given back")"}, 7);
  edge.put(Type::resume, records::Resume{What::pending, 0, 1, 0, at(400), {}, R"("late")"}, 8);
  edge.put(Type::resume, records::Resume{What::say, 0, 1, 8, 0, {}, {}, R"({"given":"back"})"});
  edge.put(Type::resume, records::Resume{What::say, 0, 1, 0, 0, {}, {}, R"({"made":"up"})"});
  json heard = json::array();
  do {
    const auto record = edge.next();
    if (!record) give_up("no answer in time");
    if (record->first.type != static_cast<std::uint16_t>(Type::numbered)) continue;
    const auto numbered = records::decode<records::Numbered>(record->second);
    if (!numbered) give_up("a message that can't be decoded");
    heard.push_back({numbered->number, numbered->answers ? record->first.sequence : 0, json::parse(numbered->text)});
  } while (heard.empty() || heard.back()[1] != 8);
  report(heard);
}

/// Joins a chat, asks for its messages to be kept, which nobody on /ws can do, and loses the socket.
void ghost(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  edge.put(Type::snorky_call, records::SnorkyCall{0, 1, false, "chat", "join", "1", R"({"channel":"c"})"}, 1);
  edge.put(Type::resume, keep(0, 1), 2);
  edge.put(Type::close_session, records::CloseSession{0, 1, true});
  report({{"left", true}});
  std::string line;
  std::getline(std::cin, line);
}

/// Asks what the console asks, with each of the tokens: what HTTP would be told.
void console(Attacker& edge, const Arguments& arguments) {
  json heard = json::array();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    for (const char* what : {"status", "kill"})
      edge.put(Type::console_call, records::ConsoleCall{arguments[i], what, R"({"slot":0})"}, i);
    for (int answers = 0; answers < 2;) {
      const auto record = edge.next();
      if (!record) give_up("no answer in time");
      if (record->first.type != static_cast<std::uint16_t>(Type::backend_answer)) continue;
      const auto answer = records::decode<records::BackendAnswer>(record->second);
      if (!answer) give_up("an answer that can't be decoded");
      heard.push_back(answer->status);
      ++answers;
    }
  }
  report(heard);
}

// ------------------------------------------------------------------------------------------------ the control socket

[[noreturn]] void control(Attacker& edge, const Arguments& arguments) {
  const std::string& what = arguments.at(0);
  if (what == "second-hello") (void)edge.channel().send_hello({shm::abi, ""});
  else if (what == "welcome") (void)edge.channel().send_welcome({1, 2, "x"}, edge.fd_m(), edge.fd_e());
  else if (what == "rubbish") (void)!::send(edge.channel().fd(), "rubbish", 7, MSG_NOSIGNAL);
  else if (what == "doorbells")
    for (;;) edge.channel().ring();
  else give_up("no such thing: " + what);
  edge.await_death();
}

/// Connects, and connects, with everything that fits into a packet, and with nothing.
void flood(const std::string& path, const Arguments& arguments) {
  const int rounds = std::stoi(arguments.at(0));
  const int null = ::open("/dev/null", O_RDONLY);
  std::vector<shm::ControlChannel> open;
  int connected = 0;
  for (int i = 0; i < rounds; ++i) {
    auto channel = shm::ControlChannel::connect(path);
    if (!channel) continue;  // its queue is full
    ++connected;
    switch (i % 5) {
      case 0: (void)channel->send_hello({shm::abi + 1, std::string(400, 't')}); break;
      case 1: (void)!::send(channel->fd(), "rubbish", 7, MSG_NOSIGNAL | MSG_DONTWAIT); break;
      case 2: (void)channel->send_welcome({0, 0, "w"}, null, null); break;
      case 3: channel->ring(); break;
      default: break;  // says nothing
    }
    open.push_back(std::move(*channel));
    if (open.size() > 200) open.erase(open.begin(), open.begin() + 100);
  }
  report({{"connected", connected}});
}

/// As many workers as there are places, from one process.
void all_slots(const std::string& path, const Arguments& arguments) {
  std::vector<std::unique_ptr<Attacker>> workers;
  for (int i = 0; i < std::stoi(arguments.at(0)); ++i) workers.push_back(std::make_unique<Attacker>(path));
  report({{"attached", workers.size()}});
  std::string line;
  std::getline(std::cin, line);
}

/// Processes, each a worker that meshd has to end.
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
    if (children == 8) wait();  // or there would be no place for them, which is another reason to be refused
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

// Shows that the attacker is able to be an edge, so that the attacks fail for the right reason.
void honest(Attacker& edge, const Arguments& arguments) {
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0));
  if (mine.refused != 0) give_up("refused");
  const auto [result, error] = edge.ask(0, 1, arguments.at(1), "whoami", "{}");
  const auto again = edge.open(1, 1, CredentialKind::header, "no token of anybody's");
  report({{"user", mine.user_id},
          {"result", json::parse(result)},
          {"error", json::parse(error)},
          {"bad token", again.refused}});
}

}  // namespace
}  // namespace nuropb::hostile

int main(int argc, char** argv) {
  using namespace nuropb::hostile;
  if (argc < 3) {
    std::cerr << "usage: nuropb-hostile-edge SOCKET ATTACK [ARGUMENT...]\n";
    return 2;
  }
  const std::string path = argv[1], attack = argv[2];
  const Arguments arguments(argv + 3, argv + argc);
  const std::map<std::string, std::function<void(const std::string&, const Arguments&)>> alone{
      {"flood", flood}, {"worker-ticket", worker_ticket}, {"all-slots", all_slots}, {"swarm", swarm}};
  if (const auto found = alone.find(attack); found != alone.end()) {
    found->second(path, arguments);
    return 0;
  }
  const std::map<std::string, std::function<void(Attacker&, const Arguments&)>> attached{
      {"honest", honest},
      {"rubbish", rubbish},
      {"tail", tail},
      {"head", head},
      {"racing", racing},
      {"shrink", shrink},
      {"deaf", deaf},
      {"record", record},
      {"injected-names", injected_names},
      {"tickets", tickets},
      {"expired-ticket", expired_ticket},
      {"answer-given-back", answer_given_back},
      {"victim", victim},
      {"session-id", session_id},
      {"ghost", ghost},
      {"console", console},
      {"control", control}};
  const auto found = attached.find(attack);
  if (found == attached.end()) give_up("no such attack: " + attack);
  Attacker edge(path);
  found->second(edge, arguments);
  return 0;
}
