#include "meshd/peer_seal.hpp"

#include <algorithm>

#include "common/ids.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::uint64_t window = 64;

}  // namespace

PeerSeal::PeerSeal(std::shared_ptr<const PeerKeys> keys, const Clock& clock, WallClock wall_clock)
    : keys_(std::move(keys)), clock_(clock), wall_clock_(std::move(wall_clock)), run_(random_hex32()) {}

/// Each text is preceded by its length, so that no two messages produce the same text.
std::string PeerSeal::text_of(const Said& said, const PeerProof& proof) {
  std::string out = "nuropb-gateway peers 1\n" + std::to_string(proof.number) + " " + std::to_string(proof.time) + "\n";
  for (const std::string_view part :
       {said.topic, said.from, said.to, said.kind, std::string_view(proof.run), said.json})
    out.append(std::to_string(part.size())).append(":").append(part).append("\n");
  return out;
}

PeerProof PeerSeal::seal(const Said& said) {
  PeerProof out{run_, {}, ++number_, wall_clock_()};
  out.mac = keys_->mac(text_of(said, out));
  return out;
}

Result<void> PeerSeal::open(const Said& said, const PeerProof& proof) {
  if (proof.mac.empty()) return failure("it has no MAC (push.key_file)");
  if (!keys_->verifies(text_of(said, proof), proof.mac))
    return failure("its MAC matches none of our keys (push.key_file)");
  const auto known = senders_.find(said.from);
  if (known == senders_.end() || known->second.run != proof.run) {
    if (auto begun = begin_run(said.from, proof); !begun) return begun;
  }
  Sender& sender = senders_.find(said.from)->second;
  sender.last = clock_.now();
  if (!is_new(sender, proof.number)) return failure("it was received before, or is far too late");
  return {};
}

Result<void> PeerSeal::begin_run(std::string_view from, const PeerProof& proof) {
  const auto known = senders_.find(from);
  if (known != senders_.end() && std::ranges::find(known->second.former, proof.run) != known->second.former.end())
    return failure("it is from an earlier run of its gateway");
  const std::int64_t now = wall_clock_();
  // The MAC is valid, so a gateway has written the time, and it cannot overflow.
  if (proof.time < now - tolerance_s || proof.time > now + tolerance_s)
    return failure("its time differs by " + std::to_string(now - proof.time) +
                   " s from ours: it was replayed, or the clocks of the hosts differ");
  if (known == senders_.end()) {
    if (senders_.size() >= most_senders)
      return failure("there are more than " + std::to_string(most_senders) + " gateways of one service");
    senders_[std::string(from)].run = proof.run;
    return {};
  }
  Sender& sender = known->second;
  sender.former.push_back(std::move(sender.run));
  if (sender.former.size() > former_runs) sender.former.pop_front();
  sender.run = proof.run;
  sender.highest = sender.seen = 0;
  return {};
}

bool PeerSeal::is_new(Sender& sender, std::uint64_t number) {
  if (number > sender.highest) {
    const std::uint64_t by = number - sender.highest;
    sender.seen = by >= window ? 1 : sender.seen << by | 1;
    sender.highest = number;
    return true;
  }
  const std::uint64_t behind = sender.highest - number;
  const std::uint64_t bit = behind < window ? std::uint64_t{1} << behind : 0;
  if (bit == 0 || (sender.seen & bit) != 0) return false;
  sender.seen |= bit;
  return true;
}

void PeerSeal::tick() {
  const SteadyTime now = clock_.now();
  std::erase_if(senders_, [&](const auto& one) { return now - one.second.last > forgotten_after; });
}

}  // namespace nuropb::meshd
