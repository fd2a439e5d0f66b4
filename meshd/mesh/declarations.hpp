#pragma once
// Performs steps on the channels of a live connection: sent while there is room, with a bounded number of unanswered
// ones.
//
// A broker answers the steps of one channel in order, and closes the channel at the first one that it refuses. So an
// answer, or a channel.close, always refers to the oldest unanswered step. The exception is consuming, which the queue
// answers asynchronously, so nothing is sent after it until it is answered. Confined to the transport's thread.

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
  /// Sends as many steps as possible. Returns false if there is no room for more; POLLOUT says when to try again.
  /// `Connection` is amqp::Connection, or a test's substitute.
  template <class Connection>
  Result<bool> write(Connection& connection, SteadyTime now);
  /// The step that a method frame answers. Empty if the frame is not an answer to a step.
  std::optional<amqp::Step> answered(std::uint16_t channel, amqp_method_number_t method, SteadyTime now);
  /// The channel or the connection is lost: returns the steps that were sent and not answered, oldest first, and
  /// forgets the rest.
  std::vector<amqp::Step> drop(std::uint16_t channel);

  /// True if no step is waiting or unanswered.
  [[nodiscard]] bool settled(std::uint16_t channel) const {
    return of_[channel].waiting.empty() && of_[channel].sent.empty();
  }
  /// True if a step could be sent, given room.
  [[nodiscard]] bool pending() const;
  /// How many more steps would be sent now.
  [[nodiscard]] std::size_t room(std::uint16_t channel) const;
  /// A step that the broker has not answered for longer than `limit`, as text for an error.
  [[nodiscard]] std::optional<std::string> overdue(SteadyTime now, milliseconds limit) const;
  /// Excludes the time until now from overdue(), because the broker was not expected to answer.
  void excuse(SteadyTime now);
  void excuse(std::uint16_t channel, SteadyTime now) { of_[channel].since = now; }

 private:
  struct Channel {
    std::deque<amqp::Step> waiting, sent;
    [[nodiscard]] bool may_send() const;
    SteadyTime since{};  // when the broker last answered, or when the first of `sent` was sent
  };
  std::vector<Channel> of_;  // by channel number
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
