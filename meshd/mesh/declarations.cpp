#include "meshd/mesh/declarations.hpp"

#include <algorithm>
#include <iterator>

namespace nuropb::mesh {

void Declarations::add(std::uint16_t channel, std::vector<amqp::Step> steps) {
  auto& waiting = of_[channel].waiting;
  waiting.insert(waiting.end(), std::make_move_iterator(steps.begin()), std::make_move_iterator(steps.end()));
}

bool Declarations::Channel::may_send() const {
  return !waiting.empty() && sent.size() < ahead &&
         (sent.empty() ||
          (sent.back().kind != amqp::Step::Kind::consume && sent.back().kind != amqp::Step::Kind::cancel));
}

bool Declarations::pending() const {
  return std::any_of(of_.begin(), of_.end(), [](const Channel& channel) { return channel.may_send(); });
}

std::optional<amqp::Step> Declarations::answered(std::uint16_t number, amqp_method_number_t method, SteadyTime now) {
  if (number == 0 || number >= of_.size()) return {};
  Channel& channel = of_[number];
  if (channel.sent.empty() || channel.sent.front().answer() != method) return {};
  std::optional<amqp::Step> out = std::move(channel.sent.front());
  channel.sent.pop_front();
  channel.since = now;
  return out;
}

std::vector<amqp::Step> Declarations::drop(std::uint16_t number) {
  Channel& channel = of_[number];
  std::vector<amqp::Step> out(std::make_move_iterator(channel.sent.begin()),
                              std::make_move_iterator(channel.sent.end()));
  channel = {};
  return out;
}

std::size_t Declarations::room(std::uint16_t number) const {
  const auto busy = of_[number].waiting.size() + of_[number].sent.size();
  return busy < ahead ? ahead - busy : 0;
}

std::optional<std::string> Declarations::overdue(SteadyTime now, milliseconds limit) const {
  for (const Channel& channel : of_) {
    if (!channel.sent.empty() && now - channel.since > limit) return channel.sent.front().text();
  }
  return {};
}

void Declarations::excuse(SteadyTime now) {
  for (Channel& channel : of_) channel.since = now;
}

}  // namespace nuropb::mesh
