#pragma once
// What the broker at the other end of the connection takes and what it refuses, as its confirms and refusals have shown.
//
// AMQP 0-9-1 has no refusal of one message: the broker closes the channel that the message came over, and whatever else was on
// that channel and not confirmed pays for it. Two bounds are the broker's own and are nowhere announced: the size of a body
// (RabbitMQ: max_message_size, "406 PRECONDITION_FAILED - message size 9 is larger than configured max size 8") and the topics
// that the user may write and read ("403 ACCESS_REFUSED - access to topic 't' in exchange 'e' in vhost '/' refused for user 'u'").
// So a message is `known` to be within them, or it is to be tried where a refusal costs nobody else (trial_queue.hpp); and what
// was refused once is refused by us, with the broker's words, until the next connection, topics for a minute at most, since the
// permission may be given meanwhile.
//
// For all participants of a connection, who share its user. Bounded. Confined to the transport's thread.

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

/// The broker's words about what it has closed a channel for, under the topic that they are about.
class RefusedTopics {
 public:
  static constexpr std::size_t most = 4096;  ///< beyond it the oldest is forgotten
  static constexpr auto remembered = std::chrono::seconds(60);

  void add(const std::string& topic, const std::string& why, SteadyTime now);
  /// Nothing: not known to be refused.
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
  /// Bodies up to this size are taken to be within the bound of any broker: less would serve no mesh.
  static constexpr std::size_t small = 1024;
  static constexpr std::size_t most_topics = 16'384;  ///< known ones; with one more they are all learned again

  explicit BrokerBounds(std::string events_exchange) : events_exchange_(std::move(events_exchange)) {}

  enum class Trust {
    known,          ///< one of that size, and to that topic, was taken before on this connection
    topic_untried,  ///< an event to a topic that none was confirmed for
    size_untried,   ///< the largest so far
  };
  [[nodiscard]] Trust trust(MessageType type, const std::string& key, std::size_t size) const;
  /// Why the broker would not take it, in its words; nothing where it has said nothing of the kind.
  [[nodiscard]] std::optional<std::string> refuses(MessageType type, const std::string& key, std::size_t size,
                                                   SteadyTime now) const;
  [[nodiscard]] bool too_large(std::size_t size) const { return largest_ && size > *largest_; }
  /// Since the broker has refused a topic on this connection, others may be refused as well: one at a time then.
  [[nodiscard]] bool refuses_topics() const { return refuses_topics_; }

  /// A new connection: its broker, or its user, may be another one.
  void fresh();
  /// The broker has confirmed or returned a message: it is within the bounds.
  void took(MessageType type, const std::string& key, std::size_t size);

  /// The broker has closed a channel of several, and it can't be told for which of them: one at a time from now on.
  void be_careful() { refuses_topics_ = true; }

  enum class Kind { size, topic, other };
  /// What the broker says when it closes a channel that messages are published on.
  struct Said {
    Kind kind = Kind::other;
    std::size_t largest = 0;  ///< Kind::size
    std::string topic{};      ///< Kind::topic
    bool cut = false;         ///< the broker has cut its text, which AMQP allows 255 bytes, within the topic

    [[nodiscard]] bool means(MessageType type, const std::string& key, std::size_t size) const;
  };
  [[nodiscard]] Said read(std::uint16_t code, std::string_view why) const;
  /// Remembers a refusal of that message, which is the one that the broker means.
  void refused(const Said& said, MessageType type, const std::string& key, const std::string& why, SteadyTime now);

  /// Patterns that the user may not read.
  RefusedTopics patterns;

 private:
  const std::string events_exchange_;
  std::size_t largest_taken_ = small;
  std::optional<std::size_t> largest_;  // as the broker has said
  std::string largest_why_;
  bool refuses_topics_ = false;
  std::unordered_set<std::string> taken_topics_;
  RefusedTopics refused_topics_;
};

}  // namespace nuropb::mesh
