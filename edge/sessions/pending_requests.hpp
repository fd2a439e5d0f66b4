#pragma once
// The pending requests of an edge and their deadlines (design.md, rule 4: an edge remembers its own requests).
//
// A request ends here exactly once: by its response, by its deadline, or with its session. A response without a pending
// request (a second response of a service, or a late one) is dropped. Deadlines are in a timer wheel, so that adding
// and removing cost the same however many are pending. One thread.

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.hpp"
#include "common/records.hpp"

namespace nuropb::edge {

struct BySession;
struct ByDeadline;
using SessionHook = boost::intrusive::list_base_hook<boost::intrusive::tag<BySession>,
                                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
using DeadlineHook = boost::intrusive::list_base_hook<boost::intrusive::tag<ByDeadline>,
                                                      boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct PendingRequest : SessionHook, DeadlineHook {
  std::uint64_t sequence = 0;
  std::uint32_t session = 0;  ///< slot
  SteadyTime deadline;
  SteadyTime until;      ///< the client's deadline, if meshd enforces it and `deadline` is later
  std::string trace_id;  ///< raw JSON; empty: the edge's own request, which no client waits for
  std::string topic;     ///< of a subscription that becomes active with the response; otherwise empty
  // For the case that meshd dies (relay/request_recovery.hpp).
  records::Type verb{};        ///< the type of its record
  std::uint64_t ring_end = 0;  ///< MeshLink::written() after its record; 0: an earlier meshd has published it
  bool announced = false;      ///< the current meshd was told that its predecessor has published it
  std::string again;           ///< its record, if it may be executed twice; otherwise empty
  SteadyTime arrived{};        ///< when its message was read off the socket
  /// For the log, if log.slow_request_ms is set.
  struct Called {
    std::string service, method;
    std::uint32_t waited_us = 0;  ///< from `arrived` until its record was in the request ring
  };
  std::unique_ptr<Called> called{};
};

/// The pending requests of one session; a member of its handler.
struct SessionRequests {
  boost::intrusive::list<PendingRequest, boost::intrusive::base_hook<SessionHook>,
                         boost::intrusive::constant_time_size<false>>
      list;
  std::uint32_t count = 0;
  std::size_t copied_bytes = 0;  ///< bytes in `again`
};

class PendingRequests {
 public:
  /// Precision of deadlines: a response that is late by less than this may still be delivered.
  static constexpr milliseconds tick{10};

  PendingRequests();

  /// Precondition: `sequence` is new. `of` must not move until drop().
  PendingRequest& add(std::uint64_t sequence, std::uint32_t session, SessionRequests& of, SteadyTime deadline,
                      std::string trace_id, std::string topic = {});

  struct Taken {
    std::uint32_t session;
    std::string trace_id;
    std::string topic;
    SteadyTime arrived;
    std::unique_ptr<PendingRequest::Called> called{};
  };
  /// Ends a request with its response, once.
  std::optional<Taken> take(std::uint64_t sequence);
  /// Ends all requests whose deadline has passed.
  void expire(SteadyTime now, const std::function<void(const Taken&)>& on_expired);
  /// Ends all requests of a session without a notification.
  void drop(SessionRequests& of);
  /// Stores a copy of a request's record, to be sent again after the death of meshd; at most `most` bytes per session.
  void keep(PendingRequest& request, std::string_view record, std::size_t most);
  void set_deadline(PendingRequest& request, SteadyTime deadline);
  /// nullptr if the request has ended.
  [[nodiscard]] PendingRequest* find(std::uint64_t sequence);
  /// Calls `work` in order of creation. `work` may end the request that it is called with.
  void each(const std::function<void(PendingRequest&)>& work);
  /// Ends all requests.
  void take_all(const std::function<void(const Taken&)>& on_taken);

  [[nodiscard]] std::size_t size() const { return requests_.size(); }

 private:
  struct Entry {
    PendingRequest request;
    SessionRequests* of = nullptr;
  };
  using Bucket = boost::intrusive::list<PendingRequest, boost::intrusive::base_hook<DeadlineHook>,
                                        boost::intrusive::constant_time_size<false>>;
  static std::uint64_t tick_of(SteadyTime when);
  Bucket& bucket(std::uint64_t number) { return wheel_[number % wheel_.size()]; }

  std::vector<Bucket> wheel_;
  std::uint64_t next_tick_ = 0;                        // the first tick that was not processed yet; 0: none was
  std::unordered_map<std::uint64_t, Entry> requests_;  // nodes don't move, so they can be linked
};

}  // namespace nuropb::edge
