#pragma once
// What was published and is not confirmed yet: each message ends in exactly one report.
//
// Delivery tags of one confirm channel count from 1, so the table is a queue and a lookup is a subtraction. A
// basic.return comes before the confirm of the same message (design.md), and carries its correlation id.
// Confined to the transport's thread.

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

  /// Right after publishing; takes what the report will need. `whole`: all of it is kept, since it may go again (lost()).
  void published(Outgoing&& message, bool whole = false);
  void returned(const std::string& correlation_id, std::string reason, std::string body);
  void confirmed(std::uint64_t tag, bool multiple) { settle(tag, multiple, Outcome::confirmed, {}); }
  void refused(std::uint64_t tag, bool multiple) {
    settle(tag, multiple, Outcome::refused, "the broker did not take it");
  }
  /// The channel is gone: what was returned is known, the rest may or may not have arrived. Except if the broker closed it
  /// because of one message. A broker handles what comes over one channel in its order, so
  ///   - that one is refused;
  ///   - it has taken no later one: those are returned that were kept, to go again, and the others are refused as well;
  ///   - it has routed each earlier one, and would have confirmed it: they count as confirmed. But commands are unknown, since
  ///     to be confirmed is all that is ever heard of them.
  using Culprit = std::function<bool(const Report& of_the_message)>;
  std::vector<Outgoing> lost(const std::string& reason, const Culprit& culprit = {});

  [[nodiscard]] std::size_t size() const { return waiting_; }
  /// How many were published, ever, and up to which of them each has its outcome.
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
  std::uint64_t before_ = 0;  // published on channels of before
  std::size_t waiting_ = 0;
  SteadyTime settled_at_{};
  std::unordered_map<std::string, Return> returns_;  // nearly always empty
};

}  // namespace nuropb::mesh
