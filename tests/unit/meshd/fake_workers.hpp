#pragma once
// Workers without processes, for tests of one class of meshd: real rings, whose other ends are in the test's hands, and a WorkerPort
// that only counts turns.

#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/records.hpp"
#include "meshd/sessions/response_sink.hpp"
#include "meshd/workers/worker_port.hpp"
#include "shm/segment.hpp"

namespace nuropb::meshd {

/// The edge's side of one worker.
class FakeWorker {
 public:
  struct Got {
    records::Type type;
    std::uint64_t sequence;
    std::string payload;
  };
  explicit FakeWorker(WorkerId id, WorkerLimits limits = {16, 16 * 1024, 64 * 1024})
      : FakeWorker(id, limits, segments_of(id)) {}

  /// The worker as meshd has it, to be moved into a pool; a FakeWorkers keeps it.
  Worker take() { return std::move(worker_); }
  Worker& worker() { return worker_; }

  /// A record as an edge writes it.
  template <class Record>
  void write(records::Type type, const Record& record, std::uint64_t sequence = 0) {
    std::string payload;
    records::encode(record, payload);
    if (!requests_.write(static_cast<std::uint16_t>(type), 0, sequence, {payload}))
      throw std::runtime_error("no room in the request ring");
    (void)requests_.commit();
  }
  /// What meshd has made visible.
  std::vector<Got> read() {
    std::vector<Got> out;
    shm::RecordHeader header;
    std::string payload;
    while (responses_.peek(header) == shm::RingReader::Next::record) {
      responses_.take(header, payload);
      out.push_back({static_cast<records::Type>(header.type), header.sequence, payload});
    }
    (void)responses_.release();
    return out;
  }
  shm::EdgeSegments& segments() { return edge_; }

 private:
  static shm::MeshdSegments segments_of(WorkerId id) {
    auto made = shm::MeshdSegments::create(id.slot, id.generation, {1U << 16, 1U << 16});
    if (!made) throw std::runtime_error(made.error().text());
    return std::move(*made);
  }
  static shm::EdgeSegments edge_of(const shm::MeshdSegments& segments) {
    auto opened = shm::EdgeSegments::open(shm::UniqueFd(::dup(segments.fd_m())), shm::UniqueFd(::dup(segments.fd_e())));
    if (!opened) throw std::runtime_error(opened.error().text());
    return std::move(*opened);
  }
  static std::array<shm::UniqueFd, 2> sockets() {
    std::array<int, 2> made{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, made.data()) != 0)
      throw std::runtime_error("no socket pair");
    return {shm::UniqueFd(made[0]), shm::UniqueFd(made[1])};
  }
  static std::pair<shm::Doorbell, shm::Doorbell> bells() {
    auto made = shm::Doorbell::pair();
    if (!made) throw std::runtime_error(made.error().text());
    return std::move(*made);
  }
  FakeWorker(WorkerId id, WorkerLimits limits, shm::MeshdSegments segments)
      : edge_(edge_of(segments)),
        sockets_(sockets()),
        bells_(bells()),
        worker_(id, shm::ControlChannel(std::move(sockets_[0])), std::move(bells_.first), std::move(segments),
                shm::PeerCredentials{}, shm::UniqueFd(), limits),
        requests_(edge_.requests()),
        responses_(edge_.responses()) {}

  shm::EdgeSegments edge_;
  std::array<shm::UniqueFd, 2> sockets_;  // the second one is the edge's
  std::pair<shm::Doorbell, shm::Doorbell> bells_;
  Worker worker_;
  shm::RingWriter requests_;
  shm::RingReader responses_;
};

class FakeWorkers final : public WorkerPort {
 public:
  FakeWorker& add(WorkerId id) { return *(all_[id] = std::make_unique<FakeWorker>(id)); }
  void remove(WorkerId id) { all_.erase(id); }
  /// What was sent to it until now.
  std::vector<FakeWorker::Got> read(WorkerId id) {
    all_.at(id)->worker().flush();
    return all_.at(id)->read();
  }

  Worker* find(WorkerId id) override {
    const auto found = all_.find(id);
    return found == all_.end() ? nullptr : &found->second->worker();
  }
  void each(const std::function<void(Worker&)>& work) override {
    for (auto& [id, one] : all_) work(one->worker());
  }
  void touch(Worker& worker) override { worker.loop.dirty = true; }
  void schedule_turn() override { ++turns; }
  void flush() override { ++flushes; }

  int turns = 0, flushes = 0;

 private:
  std::map<WorkerId, std::unique_ptr<FakeWorker>> all_;
};

class KeptResponses final : public ResponseSink {
 public:
  void respond(Returned&& response) override { all.push_back(std::move(response)); }
  /// The last one, which has to be a records::Response.
  [[nodiscard]] records::Response last() const {
    if (all.empty()) throw std::runtime_error("no response");
    auto record = records::decode<records::Response>(all.back().payload);
    if (!record) throw std::runtime_error("no response");
    return *record;
  }
  std::vector<Returned> all;
};

}  // namespace nuropb::meshd
