#pragma once
// Published messages that are not confirmed yet: each ends in exactly one report.
//
// Delivery tags of a confirm channel count from 1, so the table is a queue and a lookup is a subtraction. A
// basic.return precedes the confirm of the same message (design.md) and carries its correlation id. Confined to the
// transport's thread.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

class Unconfirmed {
 public:
  using Tell = std::function<void(Report&&)>;
  explicit Unconfirmed(Tell tell) : tell_(std::move(tell)) {}

  /// To be called right after publishing; keeps what the report needs. `whole`: keeps the entire message, because it
  /// may be published again (lost()).
  void published(Outgoing&& message, bool whole = false);
  void returned(const std::string& correlation_id, std::string reason, std::string body);
  void confirmed(std::uint64_t tag, bool multiple) { settle(tag, multiple, Outcome::confirmed, {}); }
  void refused(std::uint64_t tag, bool multiple) { settle(tag, multiple, Outcome::refused, "the broker refused it"); }
  /// The channel is lost: returned messages have their outcome, the others may or may not have arrived. The exception
  /// is a channel that the broker closed because of one message (`culprit`). A broker processes a channel's messages in
  /// order: that message is refused; no later one was accepted, so those kept whole are returned, to be sent again, and
  /// the others are refused as well; each earlier one was routed and would have been confirmed, so they count as
  /// confirmed. Only commands are unknown, because their sender relies on the confirmation alone.
  using Culprit = std::function<bool(const Report& of_the_message)>;
  std::vector<Outgoing> lost(const std::string& reason, const Culprit& culprit = {});

  [[nodiscard]] std::size_t size() const { return waiting_; }
  /// How many messages were ever published, and up to which of them all have their outcome.
  [[nodiscard]] std::uint64_t published_ever() const { return settled_ever() + entries_.size(); }
  [[nodiscard]] std::uint64_t settled_ever() const { return before_ + first_ - 1; }

 private:
  struct Entry {
    Report report;
    std::unique_ptr<Outgoing> whole;
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
  std::uint64_t before_ = 0;  // published on earlier channels
  std::size_t waiting_ = 0;
  SteadyTime settled_at_{};
  std::unordered_map<std::string, Return> returns_;  // nearly always empty
};

}  // namespace nuropb::mesh
