#pragma once
// One attached edge as meshd sees it: its control channel, its segments, both rings, its sessions. Everything that is
// read here was written by a process that faces the internet and is judged before it is used (design.md, rule 2).
//
// Owner thread: the ring loop. Ends by being destroyed; the memory and descriptors go with it.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "common/records.hpp"
#include "meshd/departures.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/service_mesh_manager.hpp"
#include "meshd/session_table.hpp"
#include "meshd/workers/watermark.hpp"
#include "shm/control.hpp"
#include "shm/doorbell.hpp"
#include "shm/segment.hpp"

namespace nuropb::meshd {

struct WorkerLimits {
  std::uint32_t max_sessions = 0;
  std::uint32_t max_message = 0;  ///< bytes of one payload from a consumer
  std::size_t outbox_bytes = 0;   ///< answers that may wait for room in the return ring
};

class Worker {
 public:
  Worker(WorkerId id, shm::ControlChannel channel, shm::Doorbell bell, shm::MeshdSegments segments,
         shm::PeerCredentials peer, shm::UniqueFd pidfd, WorkerLimits limits);

  [[nodiscard]] WorkerId id() const { return id_; }
  [[nodiscard]] const shm::PeerCredentials& peer() const { return peer_; }
  shm::ControlChannel& channel() { return channel_; }
  shm::Doorbell& bell() { return bell_; }
  shm::MeshdSegments& segments() { return segments_; }
  SessionTable& sessions() { return sessions_; }

  /// The next record of the request ring, copied; `header` and `payload` are valid then.
  /// `violation` once anything was found that no honest edge writes: `why()` tells.
  enum class Next { empty, record, violation };
  Next next(shm::RecordHeader& header, std::string& payload);
  /// Bytes in the request ring, as the edge says.
  [[nodiscard]] std::size_t unread() { return static_cast<std::size_t>(requests_.depth()); }
  /// In the return ring, as far as the edge says that it has taken.
  [[nodiscard]] std::size_t unheard() { return static_cast<std::size_t>(responses_.depth()); }
  /// Times that there was no room in the return ring.
  [[nodiscard]] std::uint64_t stalls() const { return stalls_; }
  Departures& departures() { return departures_; }
  /// For what was found wrong only after decoding.
  void violate(std::string why);
  [[nodiscard]] const std::string& why() const { return why_; }

  /// Work that the record last returned by next() started; settle() when the broker has said what became of it.
  std::uint64_t begin_work() { return settled_.begin(requests_.head()); }
  void settle(std::uint64_t ordinal) { settled_.finish(ordinal); }

  /// After a turn of reading, and before anything of it is published: what was taken may have run from here on, should
  /// we die (RequestRecovery in edge/relay). Tells the edge about the room it made.
  void end_of_reading();
  /// True if meshd may wait for the doorbell; false if records came in meanwhile.
  bool prepare_sleep() { return requests_.prepare_sleep(); }
  void cancel_sleep() { requests_.cancel_sleep(); }

  /// Puts a record into the return ring or, if it is full, into the outbox behind what waits there already. With a
  /// receipt, `on_delivered` follows once it lies in the ring. False if the outbox is over its bound: the edge does
  /// not read what it asked for, and has to go.
  bool send(records::Type type, std::uint64_t sequence, std::string payload,
            std::optional<ServiceMeshManager::Receipt> receipt = {});
  /// Commits what was sent in this turn, rings the edge if it sleeps, moves the outbox on, and publishes how far is settled.
  void flush();
  /// Where receipts go; set once by the ring loop.
  std::function<void(ServiceMeshManager::Receipt)> on_delivered;

  [[nodiscard]] std::size_t outbox_bytes() const { return outbox_bytes_; }
  /// The edge is gone: nobody waits for what still lies in the outbox, so it counts as delivered.
  void abandon();

  /// Asked once for each beat of our own: true once the edge's word has not changed for so many of them. Counted in our
  /// beats and not in time, so that an edge is not blamed for the while in which we ourselves, or the machine, stood still.
  bool hangs(std::uint32_t beats);

  /// Doorbells that came. False once far more of them have than there was news in either ring: an edge rings for one or the other.
  bool rung(int doorbells);
  /// How many have come since there was news.
  [[nodiscard]] int idle_doorbells() const { return idle_doorbells_; }

  /// Ends the process at the other end, for good reason.
  void kill();
  /// Tells it something else; it may be of a user to whom we may not.
  Result<void> signal(int number);

  /// For operators.
  [[nodiscard]] std::uint32_t silent_beats() const { return silent_beats_; }

  /// The event loop's own (turn_scheduler.hpp, worker_pool.hpp).
  struct Loop {
    bool in_turns = false;  ///< it waits for its turn to be read; else meshd waits for its doorbell
    bool dirty = false;     ///< something was sent that is not shown yet
  } loop;

 private:
  struct Waiting {
    records::Type type;
    std::uint64_t sequence;
    std::string payload;
    std::optional<ServiceMeshManager::Receipt> receipt;
  };
  bool put(const Waiting& record);
  void note_delivered(const std::optional<ServiceMeshManager::Receipt>& receipt);

  WorkerId id_;
  shm::ControlChannel channel_;
  shm::Doorbell bell_;
  shm::MeshdSegments segments_;
  shm::PeerCredentials peer_;
  shm::UniqueFd pidfd_;
  WorkerLimits limits_;
  shm::RingReader requests_;
  shm::RingWriter responses_;
  SessionTable sessions_;
  Watermark settled_;
  std::deque<Waiting> outbox_;
  std::size_t outbox_bytes_ = 0;
  std::uint64_t stalls_ = 0;
  Departures departures_;
  int idle_doorbells_ = 0;  // since the last record in either direction
  std::uint64_t last_beat_ = 0;
  std::uint32_t silent_beats_ = 0;
  std::string why_;
};

}  // namespace nuropb::meshd
