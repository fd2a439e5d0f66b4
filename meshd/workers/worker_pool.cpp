#include "meshd/workers/worker_pool.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <utility>

#include "common/crash_points.hpp"
#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto bell_pause = std::chrono::milliseconds(5);

}  // namespace

struct WorkerPool::Attached {
  static constexpr std::size_t bells_at_once = 16;  // an honest edge rings once or twice before we look

  Attached(boost::asio::io_context& io, Timers& timers, Worker&& w)
      : worker(std::move(w)), end(io, worker.channel().fd()), bell(io, worker.bell().fd()), pause(timers) {}
  ~Attached() {  // the worker owns the descriptors
    end.release();
    bell.release();
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
  Worker worker;
  boost::asio::posix::stream_descriptor end, bell;
  std::array<char, bells_at_once> bells;  // what is heard of them
  Timers::Timer pause;                    // of one that rings too often
};

WorkerPool::WorkerPool(boost::asio::io_context& io, Timers& timers, Callbacks callbacks)
    : io_(io), timers_(timers), callbacks_(std::move(callbacks)) {}

WorkerPool::~WorkerPool() = default;

void WorkerPool::adopt(Worker&& worker) {
  auto attached = std::make_unique<Attached>(io_, timers_, std::move(worker));
  const WorkerId id = attached->worker.id();
  Attached& place = *(workers_[id] = std::move(attached));
  wait_for_end(place);
  wait_for_doorbell(place);
  callbacks_.on_news(place.worker);
  callbacks_.on_attached(place.worker);
}

/// An attached edge says nothing there any more.
void WorkerPool::wait_for_end(Attached& attached) {
  attached.end.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [this, id = attached.worker.id()](const boost::system::error_code& error) {
                            if (!error) on_control(id);
                          });
}

void WorkerPool::on_control(WorkerId id) {
  Attached* const place = attached(id);
  if (!place) return;
  using What = shm::ControlChannel::Received::What;
  switch (place->worker.channel().receive().what) {
    case What::nothing: return wait_for_end(*place);
    case What::closed: callbacks_.on_closed(place->worker); return detach(id, "its control socket closed", false);
    default: return detach(id, "rubbish on the control socket", true);
  }
}

void WorkerPool::wait_for_doorbell(Attached& attached) {
  // An error is its end, or that it has closed what it rings: the first is on_control()'s, the second its own loss.
  attached.bell.async_read_some(
      boost::asio::buffer(attached.bells),
      [this, id = attached.worker.id()](const boost::system::error_code& error, std::size_t bells) {
        if (!error) on_doorbell(id, bells);
      });
}

void WorkerPool::on_doorbell(WorkerId id, std::size_t bells) {
  Attached* const place = attached(id);
  if (!place) return;
  if (!place->worker.rung(static_cast<int>(bells))) return detach(id, "rings without end, and for nothing", true);
  touch(place->worker);  // it may have made room for what waits in its outbox
  callbacks_.on_news(place->worker);
  // Counted since there was news, and not by how many come at a time: in a pipe of packets each comes alone.
  if (place->worker.idle_doorbells() < static_cast<int>(Attached::bells_at_once)) return wait_for_doorbell(*place);
  // Its next bells wait in the pipe, where there is room for some. And out of the epoll: each write to a pipe wakes who
  // polls it, even one that finds no room.
  (void)place->bell.release();
  place->pause.after(bell_pause, [this, id] {
    Attached* const again = attached(id);
    if (!again) return;
    boost::system::error_code wrong;
    again->bell.assign(again->worker.bell().fd(), wrong);
    if (wrong) return detach(id, "its doorbell can't be heard any more: " + wrong.message(), false);
    wait_for_doorbell(*again);
  });
}

void WorkerPool::detach(WorkerId id, const std::string& reason, bool kill) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second->worker;
  log::info(kill ? "worker killed" : "worker gone", {{"slot", id.slot},
                                                     {"generation", id.generation},
                                                     {"pid", worker.peer().pid},
                                                     {"reason", reason},
                                                     {"sessions", worker.sessions().open()}});
  if (kill) {
    worker.kill();
    ++killed_;
  }
  worker.abandon();
  callbacks_.before_detach(worker);
  std::erase(dirty_, &worker);
  workers_.erase(found);
  callbacks_.after_detach(id);
}

void WorkerPool::flush() {
  std::vector<Worker*> dirty;
  dirty.swap(dirty_);
  for (Worker* const worker : dirty) {
    worker->loop.dirty = false;
    worker->flush();
    worker->end_of_reading();
    callbacks_.on_room(*worker);
  }
  callbacks_.on_flushed();
  for (Worker* const worker : dirty) {
    // Nothing was detached in the loop above, so every pointer is still good until its own turn here.
    if (!worker->why().empty()) detach(worker->id(), worker->why(), true);
  }
  callbacks_.acknowledge();
  NUROPB_CRASH_POINT(answers_acknowledged);
}

void WorkerPool::beat(std::uint32_t hung_after) {
  std::vector<WorkerId> hung;
  for (auto& [id, place] : workers_) {
    place->worker.segments().beat();
    if (place->worker.hangs(hung_after)) hung.push_back(id);
  }
  for (const WorkerId id : hung) detach(id, "no heartbeat", true);
}

Worker* WorkerPool::find(WorkerId id) {
  Attached* const place = attached(id);
  return place ? &place->worker : nullptr;
}

void WorkerPool::each(const std::function<void(Worker&)>& work) {
  for (auto& [id, place] : workers_) work(place->worker);
}

void WorkerPool::touch(Worker& worker) {
  if (worker.loop.dirty) return;
  worker.loop.dirty = true;
  dirty_.push_back(&worker);
}

std::optional<WorkerId> WorkerPool::worker_of(pid_t process) const {
  for (const auto& [id, place] : workers_) {
    if (place->worker.peer().pid == process) return id;
  }
  return {};
}

WorkerPool::Attached* WorkerPool::attached(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

}  // namespace nuropb::meshd
