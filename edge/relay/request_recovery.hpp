#pragma once
// What becomes of pending requests when meshd dies. Two positions in its request ring tell how far it got with each:
//
//       settled                     taken                        written
//  ────────┴───────────────────────────┴────────────────────────────┴──►
//  published: its answer      in between: its outcome is       not read: sent to the
//  comes through the next     unknown, or sent again if it     next meshd
//                             is idempotent
//
// Owner thread: the edge's io_context.

#include <cstdint>

#include "edge/link/record_sender.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class RequestEndings;
class ResumeRelay;
struct Sessions;

class RequestRecovery {
 public:
  RequestRecovery(RecordSender& sender, Sessions& sessions, RequestEndings& endings, ResumeRelay& resume)
      : sender_(sender), sessions_(sessions), endings_(endings), resume_(resume) {}

  void on_lost(const MeshLink::Lost& lost);
  /// `same_address`: answers that are on their way find this edge (MeshLink).
  void on_attached(bool same_address);
  /// Sends what the last meshd did not read, as far as it can go now.
  void send_again(ConsumerHandler& handler);

 private:
  RecordSender& sender_;
  Sessions& sessions_;
  RequestEndings& endings_;
  ResumeRelay& resume_;
};

}  // namespace nuropb::edge
