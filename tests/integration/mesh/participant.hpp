#pragma once
// A transport that records all its callbacks, so that tests can wait for them.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "common/ids.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

class Participant {
 public:
  struct Seen {
    std::vector<Incoming> responses, requests, events;
    std::vector<Report> reports;
    std::vector<std::pair<State, std::string>> states;
    std::vector<std::pair<std::string, std::string>> refused;  // pattern, reason
    std::vector<std::string> bound;                            // patterns
    std::vector<std::uint64_t> reported;                       // for each report, which it was of all participants'
  };

  explicit Participant(TransportSettings settings) : transport(std::move(settings), callbacks()) {}
  /// Uses the connection of another participant, which is started after this one.
  Participant(Participant& first, ParticipantSettings settings)
      : transport(first.transport, std::move(settings), callbacks()) {}
  ~Participant() { transport.stop(); }

  Result<void> start(milliseconds timeout = milliseconds(60'000)) {
    transport.start();
    return transport.wait_ready(timeout);
  }
  /// Waits until the condition holds for what was recorded.
  bool sees(const std::function<bool(const Seen&)>& so, milliseconds limit = milliseconds(60'000)) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, limit, [&] { return so(seen_); });
  }
  Seen seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    seen_ = {};
  }
  /// Publishes and waits for the outcome.
  Report publish(MessageType type, const std::string& routing_key, const std::string& body,
                 const std::string& correlation_id = random_hex32()) {
    Outgoing message;
    message.type = type;
    message.routing_key = routing_key;
    message.correlation_id = correlation_id;
    message.body = body;
    if (!transport.submit(std::move(message)))
      return {Outcome::refused, type, routing_key, correlation_id, 0, "submit() said no", {}};
    const auto mine = [&](const Report& r) { return r.correlation_id == correlation_id; };
    if (!sees([&](const Seen& s) { return std::any_of(s.reports.begin(), s.reports.end(), mine); }))
      return {Outcome::refused, type, routing_key, correlation_id, 0, "no report", {}};
    const auto all = seen();
    return *std::find_if(all.reports.begin(), all.reports.end(), mine);
  }

 private:
  Transport::Callbacks callbacks() {
    return {.on_response = [this](Incoming&& m) { keep(seen_.responses, std::move(m)); },
            .on_service_message = [this](Incoming&& m) { keep(seen_.requests, std::move(m)); },
            .on_event = [this](Incoming&& m) { keep(seen_.events, std::move(m)); },
            .on_event_bound = [this](const std::string& p) { keep(seen_.bound, p); },
            .on_event_refused = [this](const std::string& p,
                                       const std::string& why) { keep(seen_.refused, std::pair(p, why)); },
            .on_report =
                [this](Report&& r) {
                  keep(seen_.reported, ++reports_of_all);
                  keep(seen_.reports, std::move(r));
                },
            .on_state = [this](State s, const std::string& detail) { keep(seen_.states, std::pair(s, detail)); },
            .on_batch_end = {}};
  }
  template <class List, class One>
  void keep(List& list, One&& one) {
    {
      const std::lock_guard lock(mutex_);
      list.push_back(std::forward<One>(one));
    }
    news_.notify_all();
  }
  static inline std::atomic<std::uint64_t> reports_of_all{0};
  std::mutex mutex_;
  std::condition_variable news_;
  Seen seen_;

 public:
  Transport transport;  // last: its callbacks use the above until it is gone
};

}  // namespace nuropb::mesh
