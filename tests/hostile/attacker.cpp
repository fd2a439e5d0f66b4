#include "tests/hostile/attacker.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "common/clock.hpp"

namespace nuropb::hostile {
namespace {

bool readable(int fd, int milliseconds) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

}  // namespace

void give_up(const std::string& why) {
  std::cerr << "hostile edge: " << why << std::endl;
  std::_Exit(3);
}

Attacker::Attacker(const std::string& path, const std::string& ticket) {
  auto channel = shm::ControlChannel::connect(path);
  if (!channel) give_up(channel.error().text());
  channel_ = std::move(*channel);
  if (!channel_.send_hello({shm::abi, ticket}) || !readable(channel_.fd(), patience_ms)) give_up("no welcome");
  auto received = channel_.receive();
  if (received.what != shm::ControlChannel::Received::What::welcome) give_up("refused: " + received.refusal.reason);
  welcome_ = std::move(received.welcome);
  fd_m_ = std::move(received.fd_m);
  fd_e_ = std::move(received.fd_e);
  bell_ = std::move(received.bell);
  const auto sized = [](int fd) { return static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)); };
  void* const m = ::mmap(nullptr, sized(fd_m_.get()), PROT_READ, MAP_SHARED, fd_m_.get(), 0);
  void* const e = ::mmap(nullptr, sized(fd_e_.get()), PROT_READ | PROT_WRITE, MAP_SHARED, fd_e_.get(), 0);
  if (m == MAP_FAILED || e == MAP_FAILED) give_up("can't map what it was given");
  m_ = static_cast<const shm::SegmentM*>(m);
  e_ = static_cast<shm::SegmentE*>(e);
  requests_ = shm::RingWriter({request_bytes(), m_->head.in_capacity, &e_->in_tail.value, &e_->in_want_space.value,
                               &m_->taken.value, &m_->in_waiting.value});
  answers_ =
      shm::RingReader({static_cast<const std::byte*>(m) + shm::data_offset, m_->head.out_capacity, &m_->out_tail.value,
                       &m_->out_want_space.value, &e_->out_head.value, &e_->out_waiting.value});
}

void Attacker::put(std::uint16_t type, std::string_view payload, std::uint64_t sequence) {
  while (!requests_.write(type, 0, sequence, {payload})) {
    if (requests_.commit()) bell_.ring();
    if (requests_.await_space(payload.size())) readable(bell_.fd(), 100);
    (void)bell_.hear();
  }
  if (requests_.commit()) bell_.ring();
}

std::optional<std::pair<shm::RecordHeader, std::string>> Attacker::next() {
  shm::RecordHeader header;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  answers_.cancel_sleep();
  while (answers_.peek(header) != shm::RingReader::Next::record) {
    if (std::chrono::steady_clock::now() > until) return {};
    if (!answers_.prepare_sleep()) continue;
    if (deaf_) ::poll(nullptr, 0, 1);
    else readable(bell_.fd(), 100);
    if (!deaf_ && !bell_.hear()) return {};
    answers_.cancel_sleep();
  }
  std::string payload;
  answers_.take(header, payload);
  if (answers_.release()) bell_.ring();
  return std::pair(header, std::move(payload));
}

Attacker::Verdict Attacker::open(std::uint32_t slot, std::uint32_t serial, records::CredentialKind kind,
                                 std::string_view credential, const SessionId& id) {
  put(records::Type::open_session, records::OpenSession{slot, serial, id, kind, credential, "203.0.113.9", {}});
  while (const auto record = next()) {
    if (record->first.type == static_cast<std::uint16_t>(records::Type::session_accepted)) {
      const auto accepted = records::decode<records::SessionAccepted>(record->second);
      if (accepted && accepted->session == slot && accepted->serial == serial)
        return {std::string(accepted->ticket), std::string(accepted->user_id), 0};
    } else if (record->first.type == static_cast<std::uint16_t>(records::Type::session_refused)) {
      const auto refused = records::decode<records::SessionRefused>(record->second);
      if (refused && refused->session == slot && refused->serial == serial) return {{}, {}, refused->code};
    }
  }
  give_up("no verdict on a session");
}

records::Request Attacker::request(std::uint32_t slot, std::uint32_t serial, std::string_view service,
                                   std::string_view method, std::string_view params, std::string_view trace_id) {
  SystemClock clock;
  return {slot, serial, to_ring_ms(clock.now() + std::chrono::seconds(30)), service, method, trace_id, params};
}

std::pair<std::string, std::string> Attacker::ask(std::uint32_t slot, std::uint32_t serial, std::string_view service,
                                                  std::string_view method, std::string_view params,
                                                  std::string_view trace_id) {
  static std::uint64_t sequence = 1000;
  put(records::Type::request, request(slot, serial, service, method, params, trace_id), ++sequence);
  while (const auto record = next()) {
    if (record->first.type != static_cast<std::uint16_t>(records::Type::response) || record->first.sequence != sequence)
      continue;
    const auto response = records::decode<records::Response>(record->second);
    if (!response) give_up("a response that can't be decoded");
    return {std::string(response->result), std::string(response->error)};
  }
  give_up("no answer");
}

void Attacker::await_death() {
  for (int waited = 0; waited < patience_ms; waited += 100) {
    e_->beat.value.fetch_add(1, std::memory_order_relaxed);  // otherwise it would be killed for missing heartbeats
    ::poll(nullptr, 0, 100);
  }
  give_up("it lives");
}

}  // namespace nuropb::hostile
