#pragma once
// Records to meshd: encodes each into one buffer that is reused, and gives those that are answered a sequence of their own.
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/ids.hpp"
#include "common/records.hpp"
#include "edge/link/mesh_link.hpp"

namespace nuropb::edge {

class RecordSender {
 public:
  explicit RecordSender(MeshLink& link) : link_(link) {}

  [[nodiscard]] MeshLink& link() const { return link_; }
  /// Whether meshd accepts records now. It answers some of them by itself, without the broker.
  [[nodiscard]] bool meshd_ready() const { return link_.attached() && !link_.full(); }
  /// Whether requests can go on to the broker now.
  [[nodiscard]] bool broker_ready() const { return meshd_ready() && link_.broker() == shm::BrokerState::ready; }
  [[nodiscard]] bool ready(bool for_the_broker) const { return for_the_broker ? broker_ready() : meshd_ready(); }

  /// False, and nothing written, if the ring has no room or there is no meshd.
  template <class Record>
  bool send(records::Type type, const Record& record, std::uint64_t sequence = 0) {
    record_.clear();
    records::encode(record, record_);
    return link_.write(type, sequence, record_);
  }
  /// Sends a record under a new sequence, which its answer will carry. Nothing if it was not written.
  template <class Record>
  std::optional<std::uint64_t> send_new(records::Type type, const Record& record) {
    const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
    if (!send(type, record, sequence)) return {};
    ++next_sequence_;
    return sequence;
  }
  /// A record that was encoded before.
  bool send_encoded(records::Type type, std::uint64_t sequence, std::string_view payload) {
    return link_.write(type, sequence, payload);
  }
  /// The payload of the last record that was encoded. Valid until the next one.
  [[nodiscard]] std::string_view last() const { return record_; }

 private:
  MeshLink& link_;
  std::string record_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace nuropb::edge
