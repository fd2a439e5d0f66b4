#include "meshd/mesh/unsettled.hpp"

#include <algorithm>

namespace nuropb::mesh {
namespace {

constexpr std::size_t few = 64;

}  // namespace

void Unsettled::delivered(std::uint64_t tag) {
  if (waiting_.empty() || tag > waiting_.back().tag) waiting_.push_back({tag, State::open});
}

/// The first entry that is not below `tag`. Tags have no gaps, so it is nearly always at the expected index.
std::deque<Unsettled::Entry>::iterator Unsettled::find(std::uint64_t tag) {
  if (waiting_.empty() || tag <= waiting_.front().tag) return waiting_.begin();
  const std::uint64_t at = tag - waiting_.front().tag;
  if (at < waiting_.size() && waiting_[at].tag == tag) return waiting_.begin() + static_cast<std::ptrdiff_t>(at);
  return std::lower_bound(waiting_.begin(), waiting_.end(), tag,
                          [](const Entry& entry, std::uint64_t wanted) { return entry.tag < wanted; });
}

void Unsettled::ack(std::uint64_t tag, bool multiple) {
  const auto mark = [this](Entry& entry) {
    if (entry.state != State::open) return;
    entry.state = State::acked;
    acked_.push_back(entry.tag);
  };
  const auto found = find(tag);
  if (multiple) std::for_each(waiting_.begin(), found, mark);
  if (found != waiting_.end() && found->tag == tag) mark(*found);
}

bool Unsettled::reject(std::uint64_t tag) {
  const auto found = find(tag);
  if (found == waiting_.end() || found->tag != tag || found->state != State::open) return false;
  found->state = State::told;
  ++told_;
  return true;
}

std::vector<Unsettled::Ack> Unsettled::take() {
  std::vector<Ack> out;
  std::uint64_t last = 0, all = 0;
  std::size_t joined = 0;
  while (!waiting_.empty() && waiting_.front().state != State::open) {
    all = waiting_.front().tag;
    if (waiting_.front().state == State::told) --told_;
    if (waiting_.front().state == State::acked) {
      last = all;  // a tag that was acknowledged before is unknown to the broker, so it cannot be used with `multiple`
      ++joined;
    }
    waiting_.pop_front();
  }
  if (joined > 0) out.push_back({last, joined > 1});
  for (const std::uint64_t tag : acked_) {
    if (tag <= all) continue;
    find(tag)->state = State::told;
    ++told_;
    out.push_back({tag, false});
  }
  if (told_ > few && told_ > waiting_.size() / 2) {
    std::erase_if(waiting_, [](const Entry& entry) { return entry.state == State::told; });
    told_ = 0;
  }
  acked_.clear();
  return out;
}

void Unsettled::reset() {
  waiting_.clear();
  acked_.clear();
  told_ = 0;
}

}  // namespace nuropb::mesh
