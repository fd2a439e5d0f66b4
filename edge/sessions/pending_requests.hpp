#pragma once
// Who waits for which answer, until when (design.md, rule 4: this is remembered where the waiting happens).
//
// A request ends here exactly once: by its answer, by its deadline, or with its session. An answer that finds nothing
// (the second one of a service that sends two, one that came too late) is nobody's. Deadlines sit in a wheel of
// buckets, so that adding and removing cost the same whatever waits. One thread.

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
  SteadyTime until;      ///< the same, where meshd keeps the time and `deadline` is far
  std::string trace_id;  ///< raw JSON; empty: asked by the edge itself, so nobody is to be told
  std::string topic;     ///< of a subscription that begins with the answer; else empty
  // For when meshd dies (relay/request_recovery.hpp).
  records::Type verb{};        ///< of its record
  std::uint64_t ring_end = 0;  ///< MeshLink::written() behind its record; 0: an earlier meshd has published it
  bool announced = false;      ///< this meshd knows that its predecessor has published it
  std::string again;           ///< its record, where it may run twice; else empty
  SteadyTime arrived{};        ///< when its message was read off the socket
  /// For the log, where log.slow_request_ms asks for it.
  struct Called {
    std::string service, method;
    std::uint32_t waited_us = 0;  ///< from `arrived` until its record lay in the request ring
  };
  std::unique_ptr<Called> called{};
};

/// The pending requests of one session; lies in its handler.
struct SessionRequests {
  boost::intrusive::list<PendingRequest, boost::intrusive::base_hook<SessionHook>,
                         boost::intrusive::constant_time_size<false>>
      list;
  std::uint32_t count = 0;
  std::size_t copied_bytes = 0;  ///< in `again`
};

class PendingRequests {
 public:
  /// How exact deadlines are: an answer that is late by less than this may still be taken.
  static constexpr milliseconds tick{10};

  PendingRequests();

  /// `sequence` is new. `of` must stay where it is until drop().
  PendingRequest& add(std::uint64_t sequence, std::uint32_t session, SessionRequests& of, SteadyTime deadline,
                      std::string trace_id, std::string topic = {});

  struct Taken {
    std::uint32_t session;
    std::string trace_id;
    std::string topic;
    SteadyTime arrived;
    std::unique_ptr<PendingRequest::Called> called{};
  };
  /// Ends a request with its answer: once.
  std::optional<Taken> take(std::uint64_t sequence);
  /// Ends all whose deadline has passed.
  void expire(SteadyTime now, const std::function<void(const Taken&)>& on_expired);
  /// Ends all of a session without a word.
  void drop(SessionRequests& of);
  /// Keeps a copy of a request's record, to be sent again after the death of meshd; `most` bytes for each session.
  void keep(PendingRequest& request, std::string_view record, std::size_t most);
  void set_deadline(PendingRequest& request, SteadyTime deadline);
  /// nullptr if it has ended.
  [[nodiscard]] PendingRequest* find(std::uint64_t sequence);
  /// In the order in which they were made. `work` may take the request that it is told of.
  void each(const std::function<void(PendingRequest&)>& work);
  /// Ends all.
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
  std::uint64_t next_tick_ = 0;                        // the first tick not looked through yet; 0: none was
  std::unordered_map<std::uint64_t, Entry> requests_;  // nodes don't move, so they can be linked
};

}  // namespace nuropb::edge
