#pragma once
// A compromised edge: attached to a real meshd over its real control socket, with both segments mapped as far as the
// kernel allows, and bound by none of the rules in shm/. One thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/records.hpp"
#include "shm/control.hpp"
#include "shm/segment.hpp"

namespace nuropb::hostile {

class Attacker {
 public:
  static constexpr int patience_ms = 10'000;

  /// Connects and is accepted; otherwise ends the process with a message.
  explicit Attacker(const std::string& path, const std::string& ticket = {});

  [[nodiscard]] const shm::Welcome& welcome() const { return welcome_; }
  shm::ControlChannel& channel() { return channel_; }
  shm::Doorbell& bell() { return bell_; }
  shm::SegmentE& words() { return *e_; }
  [[nodiscard]] const shm::SegmentM& its_words() const { return *m_; }
  std::byte* request_bytes() { return reinterpret_cast<std::byte*>(e_) + shm::data_offset; }
  [[nodiscard]] std::uint64_t request_capacity() const { return m_->head.in_capacity; }
  [[nodiscard]] int fd_m() const { return fd_m_.get(); }
  [[nodiscard]] int fd_e() const { return fd_e_.get(); }

  /// Like a correct edge.
  void put(std::uint16_t type, std::string_view payload, std::uint64_t sequence = 0);
  template <class Record>
  void put(records::Type type, const Record& record, std::uint64_t sequence = 0) {
    std::string payload;
    records::encode(record, payload);
    put(static_cast<std::uint16_t>(type), payload, sequence);
  }
  /// The next record from meshd; empty if meshd has closed the connection, or after a timeout.
  std::optional<std::pair<shm::RecordHeader, std::string>> next();

  /// Presents a session and returns meshd's result: the ticket, or the close code of the refusal.
  struct Verdict {
    std::string ticket, user_id;
    int refused = 0;
  };
  Verdict open(std::uint32_t slot, std::uint32_t serial, records::CredentialKind kind, std::string_view credential,
               const SessionId& id = SessionId::random());
  /// Sends a request of the session in that slot; returns {result, error}.
  std::pair<std::string, std::string> ask(std::uint32_t slot, std::uint32_t serial, std::string_view service,
                                          std::string_view method, std::string_view params,
                                          std::string_view trace_id = "\"t\"");
  static records::Request request(std::uint32_t slot, std::uint32_t serial, std::string_view service,
                                  std::string_view method, std::string_view params,
                                  std::string_view trace_id = "\"t\"");

  /// From now on it polls for responses without ever reading its doorbell.
  void hears_nothing() { deaf_ = true; }

  /// meshd has to kill this process, so this never returns; after a timeout the process reports that and exits with 3.
  [[noreturn]] void await_death();

 private:
  shm::ControlChannel channel_;
  shm::Doorbell bell_;
  bool deaf_ = false;
  shm::Welcome welcome_;
  shm::UniqueFd fd_m_, fd_e_;
  const shm::SegmentM* m_ = nullptr;
  shm::SegmentE* e_ = nullptr;
  shm::RingWriter requests_;
  shm::RingReader answers_;
};

[[noreturn]] void give_up(const std::string& why);

}  // namespace nuropb::hostile
