#pragma once
// What meshd does to sessions: messages to one, to many or to all, and closing them. meshd is told how many took part.
//
// Owner thread: the edge's io_context.

#include <cstddef>
#include <cstdint>

#include "common/records.hpp"
#include "edge/link/record_sender.hpp"

namespace nuropb::edge {

class LinkBacklog;
class SessionSlots;

class PushRelay {
 public:
  PushRelay(RecordSender& sender, LinkBacklog& backlog, SessionSlots& slots)
      : sender_(sender), backlog_(backlog), slots_(slots) {}

  void on_notice(const records::SessionNotice& record);
  void on_push(const records::Push& record);
  void on_close_sessions(const records::CloseSessions& record);

 private:
  void report(std::uint64_t op, std::size_t taken);

  RecordSender& sender_;
  LinkBacklog& backlog_;
  SessionSlots& slots_;
};

}  // namespace nuropb::edge
