// Attacks through the content of the shared memory.

#include "tests/hostile/attacks.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

namespace nuropb::hostile {
namespace {

using nlohmann::json;
using records::CredentialKind;
using records::Type;

/// Random bytes, as complete records by their headers and otherwise.
[[noreturn]] void rubbish(Attacker& edge, const Arguments& arguments) {
  std::mt19937_64 random(std::stoull(arguments.at(0)));
  auto* const words = reinterpret_cast<std::uint64_t*>(edge.request_bytes());
  for (std::size_t i = 0; i < 8192; ++i) words[i] = random();
  edge.words().in_tail.value.store(65'536, std::memory_order_seq_cst);
  edge.bell().ring();
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
  edge.bell().ring();
  edge.await_death();
}

/// Words and bytes that change while meshd reads them, under valid requests.
void racing(Attacker& edge, const Arguments& arguments) {
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0));
  if (mine.refused != 0) give_up("refused");
  std::atomic<bool> over = false;
  std::thread other([&] {
    std::mt19937_64 random(7);
    auto* const bytes = reinterpret_cast<volatile std::uint32_t*>(edge.request_bytes());
    while (!over) {
      // Changes lengths and types of published records after their validation, in case meshd reads them twice.
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
  // A hole in E reads as zeros, which meshd handles like any other content.
  done["a hole in E"] = ::fallocate(edge.fd_e(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 1 << 16) == 0;
  report(done);
}

[[noreturn]] void ask_without_end(Attacker& edge, std::string_view service) {
  const std::string large = "{\"text\":\"" + std::string(100'000, 'x') + "\"}";
  for (std::uint64_t n = 1;; ++n) edge.put(Type::request, Attacker::request(0, 1, service, "echo", large), n);
}

/// Reads no responses to its requests.
[[noreturn]] void deaf(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  ask_without_end(edge, arguments.at(1));
}

/// The position in the return ring is also written by an edge: meshd reads it when it needs room.
[[noreturn]] void head(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  edge.words().out_head.value.store(1U << 30, std::memory_order_seq_cst);
  ask_without_end(edge, arguments.at(1));
}

}  // namespace

Attacks on_memory() {
  return {{"rubbish", rubbish}, {"tail", tail}, {"head", head}, {"racing", racing}, {"shrink", shrink}, {"deaf", deaf}};
}

}  // namespace nuropb::hostile
