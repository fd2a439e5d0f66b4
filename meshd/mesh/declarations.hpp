#pragma once
// Steps on the channels of a living connection: sent while there is room, a bounded number ahead of their answers.
//
// A broker answers the steps of one channel in their order, and closes the channel at the first that it refuses. So
// the oldest unanswered step is the one that an answer, or a channel.close, is about. Except consuming: that the queue
// answers, when it likes, so nothing is sent behind it before it has.
// Confined to the transport's thread.

#include <deque>
#include <optional>
#include <vector>

#include "common/clock.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/topology.hpp"

namespace nuropb::mesh {

class Declarations {
 public:
  static constexpr std::size_t ahead = 256;

  explicit Declarations(std::size_t participants = 1) : of_(channels(participants)) {}

  void add(std::uint16_t channel, std::vector<amqp::Step> steps);
  void add(std::uint16_t channel, amqp::Step step) { of_[channel].waiting.push_back(std::move(step)); }
  /// Sends what can go. False if there is no room for more; POLLOUT tells when to try again.
  /// `Connection` is amqp::Connection, or what a test puts in its place.
  template <class Connection>
  Result<bool> write(Connection& connection, SteadyTime now);
  /// The step that a method frame answers, if it is an answer.
  std::optional<amqp::Step> answered(std::uint16_t channel, amqp_method_number_t method, SteadyTime now);
  /// The channel, or the connection, is gone: what was sent and not answered, oldest first. The rest is forgotten.
  std::vector<amqp::Step> drop(std::uint16_t channel);

  /// Nothing to be sent or answered: the channel is as it should be.
  [[nodiscard]] bool settled(std::uint16_t channel) const {
    return of_[channel].waiting.empty() && of_[channel].sent.empty();
  }
  /// Something could be sent, given room.
  [[nodiscard]] bool pending() const;
  /// How many steps more would be sent now.
  [[nodiscard]] std::size_t room(std::uint16_t channel) const;
  /// A step that the broker has owed an answer for longer than `limit`, for an error's text.
  [[nodiscard]] std::optional<std::string> overdue(SteadyTime now, milliseconds limit) const;
  /// The broker was not to be asked for a while: the time until now does not count.
  void excuse(SteadyTime now);
  void excuse(std::uint16_t channel, SteadyTime now) { of_[channel].since = now; }

 private:
  struct Channel {
    std::deque<amqp::Step> waiting, sent;
    [[nodiscard]] bool may_send() const;
    SteadyTime since{};  // when the broker last answered, or was asked the first of `sent`
  };
  std::vector<Channel> of_;  // by number
};

template <class Connection>
Result<bool> Declarations::write(Connection& connection, SteadyTime now) {
  for (std::uint16_t number = 1; number < of_.size(); ++number) {
    Channel& channel = of_[number];
    while (channel.may_send()) {
      if (!connection.send_room(amqp::Step::largest)) return false;
      if (channel.sent.empty()) channel.since = now;
      channel.sent.push_back(std::move(channel.waiting.front()));
      channel.waiting.pop_front();
      if (const auto sent = connection.send(number, channel.sent.back()); !sent) return tl::unexpected(sent.error());
    }
  }
  return true;
}

}  // namespace nuropb::mesh
