#include "meshd/mesh/unconfirmed.hpp"

#include <algorithm>

namespace nuropb::mesh {

void Unconfirmed::published(Outgoing&& message) {
  const std::size_t size = message.body.size();
  entries_.push_back({{Outcome::confirmed,
                       message.type,
                       std::move(message.routing_key),
                       std::move(message.correlation_id),
                       message.tag,
                       {},
                       {},
                       message.encrypted,
                       {}},
                      size,
                      false});
  ++waiting_;
}

void Unconfirmed::returned(const std::string& correlation_id, std::string reason, std::string body) {
  // No more than there are messages on the way, whatever a broker says.
  if (returns_.size() < entries_.size()) returns_[correlation_id] = {std::move(reason), std::move(body)};
}

void Unconfirmed::tell(Entry& entry, Outcome outcome, const std::string& detail) {
  entry.settled = true;
  --waiting_;
  Report report = std::move(entry.report);
  report.outcome = outcome;
  report.detail = detail;
  report.at = settled_at_;
  if (!returns_.empty()) {
    if (const auto found = returns_.find(report.correlation_id); found != returns_.end()) {
      report.outcome = Outcome::not_delivered;
      report.detail = std::move(found->second.reason);
      report.returned_body = std::move(found->second.body);
      returns_.erase(found);
    }
  }
  tell_(std::move(report));
}

void Unconfirmed::settle(std::uint64_t tag, bool multiple, Outcome outcome, const std::string& detail) {
  settled_at_ = std::chrono::steady_clock::now();
  const std::uint64_t next = first_ + entries_.size();
  if (multiple) {
    // Tag 0 means all, and a tag that we never gave out means no more than that.
    const std::uint64_t last = tag == 0 || tag >= next ? next - 1 : tag;
    for (std::uint64_t t = first_; t <= last; ++t) {
      if (Entry& entry = entries_[t - first_]; !entry.settled) tell(entry, outcome, detail);
    }
  } else if (tag >= first_ && tag < next) {
    if (Entry& entry = entries_[tag - first_]; !entry.settled) tell(entry, outcome, detail);
  }
  while (!entries_.empty() && entries_.front().settled) {
    entries_.pop_front();
    ++first_;
  }
}

void Unconfirmed::lost(const std::string& reason, const Culprit& culprit) {
  Outcome outcome = Outcome::unknown;
  settled_at_ = std::chrono::steady_clock::now();
  for (Entry& entry : entries_) {
    if (outcome == Outcome::unknown && culprit && culprit(entry.report, entry.size)) outcome = Outcome::refused;
    if (!entry.settled) tell(entry, outcome, reason);
  }
  entries_.clear();
  returns_.clear();
  first_ = 1;  // the next channel counts anew
}

}  // namespace nuropb::mesh
