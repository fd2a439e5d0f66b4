#pragma once
// Authenticates messages between gateways: a MAC under a shared key (peer_keys.hpp) over the whole message, and a
// number that is unique within a run of its sender.
//
//   "run":"<32 hex digits>","number":17,"time":1764547200,"mac":"<64 hex digits>"
//
// A run lasts from a start of a gateway's meshd to its end. Within a known run only the number counts: a message that
// is repeated, or more than 64 positions late, is refused. The first message of a run must be from the last minute by
// its sender's clock, so that messages of an earlier run cannot be replayed. The clocks of the hosts may differ by as
// much; later clock steps are harmless, since the time is not checked within a known run.
//
// An attacker who can read and write on the broker can still replay messages of the last minute to a gateway that has
// just started, and can suppress messages.
//
// Pure, except for the run's random name; owner thread: the ring loop.

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

/// The members of a message that authenticate it.
struct PeerProof {
  std::string run, mac;  ///< hex digits; `mac` is empty if there is none
  std::uint64_t number = 0;
  std::int64_t time = 0;  ///< Unix time in seconds
};

class PeerSeal {
 public:
  static constexpr std::int64_t tolerance_s = 60;
  static constexpr std::size_t most_senders = 1024, former_runs = 8;
  static constexpr auto forgotten_after = std::chrono::minutes(10);  ///< for a silent sender

  /// The authenticated content. Views of the message's raw texts.
  struct Said {
    std::string_view topic, from, to, kind, json;
  };
  PeerSeal(std::shared_ptr<const PeerKeys> keys, const Clock& clock, WallClock wall_clock = unix_now);

  /// Creates the proof for our next message.
  PeerProof seal(const Said& said);
  /// Verifies a message. An error says why it is refused. Each message is accepted only once.
  Result<void> open(const Said& said, const PeerProof& proof);
  /// To be called regularly: forgets senders that have long been silent.
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
