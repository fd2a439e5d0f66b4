#include "meshd/mesh/unconfirmed.hpp"

#include <algorithm>

namespace nuropb::mesh {

void Unconfirmed::published(Outgoing&& message, bool whole) {
  Report report{Outcome::confirmed,  message.type,  {}, {}, message.tag, {}, {}, message.encrypted, {},
                message.body.size(), message.source};
  if (whole) {
    report.routing_key = message.routing_key;
    report.correlation_id = message.correlation_id;
    entries_.push_back({std::move(report), std::make_unique<Outgoing>(std::move(message)), false});
  } else {
    report.routing_key = std::move(message.routing_key);
    report.correlation_id = std::move(message.correlation_id);
    entries_.push_back({std::move(report), nullptr, false});
  }
  ++waiting_;
}

void Unconfirmed::returned(const std::string& correlation_id, std::string reason, std::string body) {
  // Bounded by the number of messages in flight, whatever a broker sends.
  if (returns_.size() < entries_.size()) returns_[correlation_id] = {std::move(reason), std::move(body)};
}

void Unconfirmed::tell(Entry& entry, Outcome outcome, const std::string& detail) {
  entry.settled = true;
  entry.whole.reset();
  --waiting_;
  Report report = std::move(entry.report);
  report.outcome = outcome;
  if (outcome != Outcome::confirmed) report.detail = detail;
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
    // Tag 0 means all, and so does a tag that was never used.
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

std::vector<Outgoing> Unconfirmed::lost(const std::string& reason, const Culprit& culprit) {
  std::vector<Outgoing> untouched;
  settled_at_ = std::chrono::steady_clock::now();
  const auto found =
      !culprit ? entries_.end() : std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return !entry.settled && culprit(entry.report);
      });
  const auto refused = static_cast<std::size_t>(found - entries_.begin());
  for (std::size_t at = 0; at < entries_.size(); ++at) {
    Entry& entry = entries_[at];
    if (entry.settled) continue;
    if (at > refused && entry.whole && !returns_.contains(entry.report.correlation_id)) {
      untouched.push_back(std::move(*entry.whole));
      --waiting_;
      continue;
    }
    const bool routed = at < refused && found != entries_.end() && entry.report.type != MessageType::command;
    tell(entry, routed ? Outcome::confirmed : at < refused ? Outcome::unknown : Outcome::refused, reason);
  }
  before_ = published_ever();
  entries_.clear();
  returns_.clear();
  first_ = 1;  // tags of the next channel start at 1
  return untouched;
}

}  // namespace nuropb::mesh
