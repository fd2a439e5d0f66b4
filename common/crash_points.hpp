#pragma once
// Named places at which a test ends a process, as `kill -9` would at that moment (tests/crash). There is one between
// any two steps that the other side of a ring, or a restarted process, can tell apart. In normal builds the macro is
// empty. Programs of tests/crash compile the same sources with NUROPB_CRASH_POINTS; NUROPB_CRASH_AT="name:times"
// selects the place and how often it is reached before the process ends.

#ifdef NUROPB_CRASH_POINTS

#include <string_view>

// clang-format off
// Steps of either side of a ring (shm/).
#define NUROPB_RING_POINTS(X)                                                                                                             \
  X(header_written) X(first_part_written) X(payload_written) X(record_staged) X(tail_to_be_stored) X(tail_stored) X(bell_to_be_rung)       \
  X(bell_rung) X(room_asked_for) X(room_looked_for_again) X(room_wait_ended) X(tail_seen) X(header_read) X(payload_read) X(record_taken)     \
  X(head_to_be_stored) X(head_stored) X(sleep_announced) X(tail_looked_at_again) X(sleep_ended)
// Steps of meshd with requests and responses, from ring to broker and back.
#define NUROPB_MESHD_POINTS(X)                                                                                                          \
  X(worker_welcomed) X(requests_read) X(taken_stored) X(requests_handed_over) X(request_on_its_way) X(requests_sent) X(confirm_read)       \
  X(report_heard) X(answer_heard) X(answer_staged) X(answer_noted) X(answers_shown) X(settled_stored) X(answers_acknowledged)              \
  X(acknowledgement_sent) X(kept_answer_delivered)
// Steps of an edge with them, and with the loss of meshd.
#define NUROPB_EDGE_POINTS(X)                                                                                                          \
  X(request_staged) X(requests_shown) X(answer_read) X(answer_given) X(answers_released) X(meshd_missed) X(old_ring_drained)              \
  X(requests_judged) X(attached_again) X(request_sent_again)
// clang-format on

namespace nuropb::crash {

#define NUROPB_POINT_NAME(name) name,
enum class Point : unsigned {
  NUROPB_RING_POINTS(NUROPB_POINT_NAME) NUROPB_MESHD_POINTS(NUROPB_POINT_NAME) NUROPB_EDGE_POINTS(NUROPB_POINT_NAME)
      count_
};
#undef NUROPB_POINT_NAME

std::string_view name_of(Point point);
/// The process ends when it reaches this place for the `times`-th time from now on.
void arm(Point point, unsigned times);
void reached(Point point);

}  // namespace nuropb::crash

#define NUROPB_CRASH_POINT(name) ::nuropb::crash::reached(::nuropb::crash::Point::name)
#else
#define NUROPB_CRASH_POINT(name) static_cast<void>(0)
#endif
