#include "meshd/workers/worker.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/crash_points.hpp"

namespace nuropb::meshd {

Worker::Worker(WorkerId id, shm::ControlChannel channel, shm::Doorbell bell, shm::MeshdSegments segments,
               shm::PeerCredentials peer, shm::UniqueFd pidfd, WorkerLimits limits)
    : id_(id),
      channel_(std::move(channel)),
      bell_(std::move(bell)),
      segments_(std::move(segments)),
      peer_(peer),
      pidfd_(std::move(pidfd)),
      limits_(limits),
      requests_(segments_.requests()),
      responses_(segments_.responses()),
      sessions_(limits.max_sessions) {}

Worker::Next Worker::next(shm::RecordHeader& header, std::string& payload) {
  switch (requests_.peek(header)) {
    case shm::RingReader::Next::empty: return Next::empty;
    case shm::RingReader::Next::poisoned: violate("impossible ring positions or record length"); return Next::violation;
    case shm::RingReader::Next::record: break;
  }
  const auto bounds = records::bounds_to_meshd(header.type, limits_.max_message);
  if (!bounds) {
    violate("unknown record type " + std::to_string(header.type));
    return Next::violation;
  }
  if (header.length < bounds->minimum || header.length > bounds->maximum) {
    violate("record type " + std::to_string(header.type) + " with " + std::to_string(header.length) + " bytes");
    return Next::violation;
  }
  requests_.take(header, payload);
  idle_doorbells_ = 0;
  return Next::record;
}

void Worker::violate(std::string why) {
  requests_.poison();
  if (why_.empty()) why_ = std::move(why);
}

void Worker::end_of_reading() {
  NUROPB_CRASH_POINT(requests_read);
  if (requests_.release()) bell_.ring();
  NUROPB_CRASH_POINT(taken_stored);
}

bool Worker::put(const Waiting& record) {
  if (!responses_.write(static_cast<std::uint16_t>(record.type), 0, record.sequence, {record.payload})) return false;
  idle_doorbells_ = 0;
  return true;
}

void Worker::note_delivered(const std::optional<ServiceMeshManager::Receipt>& receipt) {
  if (receipt && on_delivered) on_delivered(*receipt);
  NUROPB_CRASH_POINT(answer_noted);
}

bool Worker::send(records::Type type, std::uint64_t sequence, std::string payload,
                  std::optional<ServiceMeshManager::Receipt> receipt) {
  Waiting record{type, sequence, std::move(payload), receipt};
  if (record.payload.size() > responses_.max_payload()) return false;  // the config's checks keep this from happening
  if (outbox_.empty() && put(record)) {
    NUROPB_CRASH_POINT(answer_staged);
    note_delivered(record.receipt);
    return true;
  }
  if (responses_.poisoned())
    violate("impossible position of the return ring");  // or what piles up now would be the reason
  if (outbox_bytes_ + record.payload.size() > limits_.outbox_bytes) return false;
  if (outbox_.empty()) ++stalls_;
  outbox_bytes_ += record.payload.size();
  outbox_.push_back(std::move(record));
  return true;
}

void Worker::flush() {
  for (;;) {
    while (!outbox_.empty() && put(outbox_.front())) {
      outbox_bytes_ -= outbox_.front().payload.size();
      note_delivered(outbox_.front().receipt);
      outbox_.pop_front();
    }
    // What is staged must be visible before we wait for room, or the edge has nothing to make room from.
    if (responses_.commit()) bell_.ring();
    if (outbox_.empty() || responses_.await_space(outbox_.front().payload.size())) break;
  }
  NUROPB_CRASH_POINT(answers_shown);
  // Only now, because an edge that reads that a request is settled must find our answer to it.
  if (const auto position = settled_.advance()) {
    segments_.set_settled(*position);
    NUROPB_CRASH_POINT(settled_stored);
  }
  if (responses_.poisoned()) violate("impossible position of the return ring");
}

void Worker::abandon() {
  for (const Waiting& record : outbox_) note_delivered(record.receipt);
  outbox_.clear();
  outbox_bytes_ = 0;
}

bool Worker::hangs(std::uint32_t beats) {
  const std::uint64_t beat = segments_.edge_beat();
  silent_beats_ = std::exchange(last_beat_, beat) == beat ? silent_beats_ + 1 : 0;
  return silent_beats_ >= beats;
}

bool Worker::rung(int doorbells) {
  constexpr int most = 1'000;
  idle_doorbells_ += doorbells;
  return idle_doorbells_ <= most;
}

void Worker::kill() { (void)signal(SIGKILL); }

Result<void> Worker::signal(int number) {
  // By pidfd: the number may belong to another process by now, the descriptor can't.
  if (pidfd_ && ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0U) == 0) return {};
  return failure(pidfd_ ? std::strerror(errno) : "it can't be signalled", "process " + std::to_string(peer_.pid),
                 "edges of another user than meshd's get their signals from the program that runs them: systemctl, or "
                 "the launcher");
}

}  // namespace nuropb::meshd
