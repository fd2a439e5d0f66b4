#pragma once
// What was published and is not confirmed yet: each message ends in exactly one report.
//
// Delivery tags of one confirm channel count from 1, so the table is a queue and a lookup is a subtraction. A
// basic.return comes before the confirm of the same message (design.md, "Broker"), and carries its correlation id.
// Confined to the transport's thread.

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

class Unconfirmed {
 public:
  using Tell = std::function<void(Report&&)>;
  explicit Unconfirmed(Tell tell) : tell_(std::move(tell)) {}

  /// Right after publishing; takes what the report will need.
  void published(Outgoing&& message);
  void returned(const std::string& correlation_id, std::string reason, std::string body);
  void confirmed(std::uint64_t tag, bool multiple) { settle(tag, multiple, Outcome::confirmed, {}); }
  void refused(std::uint64_t tag, bool multiple) {
    settle(tag, multiple, Outcome::refused, "the broker did not take it");
  }
  /// The channel is gone: what was returned is known, the rest may or may not have arrived. Except if the broker closed
  /// it because of one message: it has taken neither that one nor any later one.
  using Culprit = std::function<bool(const Report& of_the_message, std::size_t size)>;
  void lost(const std::string& reason, const Culprit& culprit = {});

  [[nodiscard]] std::size_t size() const { return waiting_; }

 private:
  struct Entry {
    Report report;
    std::size_t size = 0;  // of the body
    bool settled = false;
  };
  struct Return {
    std::string reason, body;
  };
  void settle(std::uint64_t tag, bool multiple, Outcome outcome, const std::string& detail);
  void tell(Entry& entry, Outcome outcome, const std::string& detail);

  Tell tell_;
  std::deque<Entry> entries_;  // entries_[0] has delivery tag first_
  std::uint64_t first_ = 1;
  std::size_t waiting_ = 0;
  SteadyTime settled_at_{};
  std::unordered_map<std::string, Return> returns_;  // nearly always empty
};

}  // namespace nuropb::mesh
