#include "edge/sessions/pending_requests.hpp"

#include <algorithm>

namespace nuropb::edge {

namespace {
constexpr std::size_t wheel_size = 4096;  // 41 s per turn; requests with a later deadline are skipped once per turn
}

PendingRequests::PendingRequests() : wheel_(wheel_size) {}

std::uint64_t PendingRequests::tick_of(SteadyTime when) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(when.time_since_epoch()) / tick);
}

PendingRequest& PendingRequests::add(std::uint64_t sequence, std::uint32_t session, SessionRequests& of,
                                     SteadyTime deadline, std::string trace_id, std::string topic) {
  Entry& entry = requests_[sequence];
  entry.of = &of;
  entry.request.sequence = sequence;
  entry.request.session = session;
  entry.request.deadline = entry.request.until = deadline;
  entry.request.trace_id = std::move(trace_id);
  entry.request.topic = std::move(topic);
  of.list.push_back(entry.request);
  ++of.count;
  // Never into a bucket that this turn of the wheel has already passed.
  bucket(std::max(tick_of(deadline), next_tick_)).push_back(entry.request);
  return entry.request;
}

void PendingRequests::keep(PendingRequest& request, std::string_view record, std::size_t most) {
  SessionRequests& of = *requests_[request.sequence].of;
  if (of.copied_bytes + record.size() > most) return;
  of.copied_bytes += record.size();
  request.again = record;
}

void PendingRequests::set_deadline(PendingRequest& request, SteadyTime deadline) {
  request.DeadlineHook::unlink();
  request.deadline = deadline;
  bucket(std::max(tick_of(deadline), next_tick_)).push_back(request);
}

PendingRequest* PendingRequests::find(std::uint64_t sequence) {
  const auto found = requests_.find(sequence);
  return found == requests_.end() ? nullptr : &found->second.request;
}

void PendingRequests::each(const std::function<void(PendingRequest&)>& work) {
  std::vector<std::uint64_t> all;
  all.reserve(requests_.size());
  for (const auto& [sequence, entry] : requests_) all.push_back(sequence);
  std::sort(all.begin(), all.end());
  for (const std::uint64_t sequence : all) {
    if (PendingRequest* const request = find(sequence)) work(*request);
  }
}

std::optional<PendingRequests::Taken> PendingRequests::take(std::uint64_t sequence) {
  const auto found = requests_.find(sequence);
  if (found == requests_.end()) return {};
  Taken taken{found->second.request.session, std::move(found->second.request.trace_id),
              std::move(found->second.request.topic), found->second.request.arrived,
              std::move(found->second.request.called)};
  --found->second.of->count;
  found->second.of->copied_bytes -= found->second.request.again.size();
  requests_.erase(found);  // the hooks unlink it from both lists
  return taken;
}

void PendingRequests::expire(SteadyTime now, const std::function<void(const Taken&)>& on_expired) {
  const std::uint64_t until = tick_of(now);  // this tick is not over yet
  if (next_tick_ == 0 || until - std::min(until, next_tick_) > wheel_.size())
    next_tick_ = until > wheel_.size() ? until - wheel_.size() : 0;
  std::vector<std::uint64_t> due;
  for (; next_tick_ < until; ++next_tick_) {
    for (const PendingRequest& request : bucket(next_tick_)) {
      if (request.deadline <= now) due.push_back(request.sequence);
    }
  }
  // Callbacks run after the walk, because they may add and remove requests.
  for (const std::uint64_t sequence : due) {
    if (const auto taken = take(sequence)) on_expired(*taken);
  }
}

void PendingRequests::drop(SessionRequests& of) {
  while (!of.list.empty()) take(of.list.front().sequence);
}

void PendingRequests::take_all(const std::function<void(const Taken&)>& on_taken) {
  each([&](const PendingRequest& request) {
    if (const auto taken = take(request.sequence)) on_taken(*taken);
  });
}

}  // namespace nuropb::edge
