#pragma once
// Which messages the connected broker accepts and which it refuses, as learned from its confirms and refusals.
//
// AMQP 0-9-1 cannot refuse a single message: the broker closes the channel that it came over, and all unconfirmed
// messages of that channel are affected. Two limits are the broker's own and are not announced: the size of a body
// (RabbitMQ: max_message_size, "406 PRECONDITION_FAILED - message size 9 is larger than configured max size 8") and the
// topics that the user may write and read ("403 ACCESS_REFUSED - access to topic 't' in exchange 'e' in vhost '/'
// refused for user 'u'"). So a message is either `known` to be acceptable, or it must be tried where a refusal affects
// no other message (trial_queue.hpp). What was refused once is refused locally with the broker's text until the next
// connection; topics for a minute at most, since the permission may be granted meanwhile.
//
// Shared by all participants of a connection, which have the same user. Bounded. Confined to the transport's thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "common/clock.hpp"
#include "meshd/mesh/carrier.hpp"

namespace nuropb::mesh {

/// Topics for which the broker has closed a channel, with the broker's text.
class RefusedTopics {
 public:
  static constexpr std::size_t most = 4096;  ///< above it the oldest entry is evicted
  static constexpr auto remembered = std::chrono::seconds(60);

  void add(const std::string& topic, const std::string& why, SteadyTime now);
  /// The broker's text, or nothing if the topic is not known to be refused.
  [[nodiscard]] std::optional<std::string> find(const std::string& topic, SteadyTime now) const;
  void clear();
  [[nodiscard]] std::size_t size() const { return refused_.size(); }

 private:
  struct Refused {
    std::string why;
    SteadyTime until;
  };
  std::unordered_map<std::string, Refused> refused_;
  std::deque<std::string> oldest_first_;
};

class BrokerBounds {
 public:
  /// Bodies up to this size are assumed to be accepted by every broker.
  static constexpr std::size_t small = 1024;
  /// Known topics; when the limit is reached, all are forgotten and learned again.
  static constexpr std::size_t most_topics = 16'384;

  explicit BrokerBounds(std::string events_exchange) : events_exchange_(std::move(events_exchange)) {}

  enum class Trust {
    known,          ///< a message of that size, and to that topic, was accepted on this connection
    topic_untried,  ///< an event to a topic for which no message was confirmed yet
    size_untried,   ///< larger than every message accepted so far
  };
  [[nodiscard]] Trust trust(MessageType type, const std::string& key, std::size_t size) const;
  /// The broker's text if it is known to refuse such a message, otherwise nothing.
  [[nodiscard]] std::optional<std::string> refuses(MessageType type, const std::string& key, std::size_t size,
                                                   SteadyTime now) const;
  [[nodiscard]] bool too_large(std::size_t size) const { return largest_ && size > *largest_; }
  /// The broker has refused a topic on this connection and may refuse others, so untried topics are sent one at a time.
  [[nodiscard]] bool refuses_topics() const { return refuses_topics_; }

  /// Forgets everything: a new connection may lead to another broker or use another user.
  void fresh();
  /// The broker has confirmed or returned a message, so it was acceptable.
  void took(MessageType type, const std::string& key, std::size_t size);

  /// The broker has closed a channel with several messages and it is unknown which of them caused it: from now on one
  /// at a time.
  void be_careful() { refuses_topics_ = true; }

  enum class Kind { size, topic, other };
  /// The reason that the broker gives when it closes a channel for publishing.
  struct Said {
    Kind kind = Kind::other;
    std::size_t largest = 0;  ///< Kind::size
    std::string topic{};      ///< Kind::topic
    bool cut = false;         ///< the broker truncated its text within the topic (AMQP allows 255 bytes)

    [[nodiscard]] bool means(MessageType type, const std::string& key, std::size_t size) const;
  };
  [[nodiscard]] Said read(std::uint16_t code, std::string_view why) const;
  /// Stores the refusal of the message that the broker refers to.
  void refused(const Said& said, MessageType type, const std::string& key, const std::string& why, SteadyTime now);

  /// Patterns that the user may not read.
  RefusedTopics patterns;

 private:
  const std::string events_exchange_;
  std::size_t largest_taken_ = small;
  std::optional<std::size_t> largest_;  // as the broker has reported
  std::string largest_why_;
  bool refuses_topics_ = false;
  std::unordered_set<std::string> taken_topics_;
  RefusedTopics refused_topics_;
};

}  // namespace nuropb::mesh
