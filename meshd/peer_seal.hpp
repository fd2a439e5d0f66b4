#pragma once
// What makes a message between gateways believable: a MAC under a shared key (peer_keys.hpp) over all that it says, and a
// number that no message of the same run of its sender has had before.
//
//   "run":"<32 hex digits>","number":17,"time":1764547200,"mac":"<64 hex digits>"
//
// A run is the time from one start of a gateway's meshd to its end. Within a run that we know, only the number counts: a
// message that comes again, or more than 64 places late, is refused. The first message of a run has to be of the last minute
// by its sender's clock, so that nobody can play back what an earlier run said. The clocks of hosts may differ by as much;
// a step of a clock later on does no harm, since the time of a known run is not looked at.
//
// What is left to somebody who can read and write on the broker: to play messages of the last minute back to a gateway that
// has only just started, and to suppress messages.
//
// Pure but for the run's random name; owner thread: the ring loop.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/peer_keys.hpp"

namespace nuropb::meshd {

/// The members of a message that prove where it is from.
struct PeerProof {
  std::string run, mac;  ///< hex digits; `mac` empty: there is none
  std::uint64_t number = 0;
  std::int64_t time = 0;  ///< Unix time in seconds
};

class PeerSeal {
 public:
  static constexpr std::int64_t tolerance_s = 60;
  static constexpr std::size_t most_senders = 1024, former_runs = 8;
  static constexpr auto forgotten_after = std::chrono::minutes(10);  ///< a sender that says nothing

  /// What is sealed. Views of the message's raw texts.
  struct Said {
    std::string_view topic, from, to, kind, json;
  };
  PeerSeal(std::shared_ptr<const PeerKeys> keys, const Clock& clock, WallClock wall_clock = unix_now);

  /// For the next message of ours.
  PeerProof seal(const Said& said);
  /// An error says why the message is not to be believed. A message is believed once.
  Result<void> open(const Said& said, const PeerProof& proof);
  /// Now and then: forgets senders that have long been silent.
  void tick();

 private:
  struct Sender {
    std::string run;
    std::uint64_t highest = 0;
    std::uint64_t seen = 0;  // bit n: the number `highest - n`
    std::deque<std::string> former;
    SteadyTime last{};
  };
  static std::string text_of(const Said& said, const PeerProof& proof);
  Result<void> begin_run(std::string_view from, const PeerProof& proof);
  static bool is_new(Sender& sender, std::uint64_t number);

  std::shared_ptr<const PeerKeys> keys_;
  const Clock& clock_;
  WallClock wall_clock_;
  std::string run_;
  std::uint64_t number_ = 0;
  std::map<std::string, Sender, std::less<>> senders_;
};

}  // namespace nuropb::meshd
