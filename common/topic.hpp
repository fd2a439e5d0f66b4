#pragma once
// Topics and topic patterns as in AMQP's topic exchange: words separated by dots; in a pattern `*` matches one word and
// `#` matches any number of words, including none.
//
// Patterns come from clients, so all functions accept any text, and their cost is bounded by the product of the word
// counts. Pure; an index is confined to one thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb {

/// Maximum bytes of a topic or pattern: the length of an AMQP routing key.
inline constexpr std::size_t max_topic = 255;

/// A broker tries every way in which the `#`s of a pattern can divide a topic among them, so its work per event grows
/// with the topic's words to the power of the number of `#`. These bounds keep it below a thousand steps.
inline constexpr std::size_t max_pattern_hashes = 2;
inline constexpr std::size_t max_pattern_words = 20;
inline constexpr std::size_t max_topic_words = 32;

/// The shortest pattern that matches the same topics: "#.*.#.#" becomes "*.#". This form is sent to the broker.
std::string canonical_pattern(std::string_view pattern);
/// Why a pattern must not be sent to a broker, as text to append to the pattern's name. Empty if it may be.
std::optional<std::string> pattern_problem(std::string_view pattern);
/// The same for the topic of a published event.
std::optional<std::string> topic_problem(std::string_view topic);

/// True only if every topic that matches `pattern` also matches `allowed`. If that cannot be decided word by word, the
/// answer is false: use it to grant.
bool topic_covers(std::string_view allowed, std::string_view pattern);

/// True if some topic matches both: use it to deny.
bool topics_overlap(std::string_view a, std::string_view b);

/// A set of (pattern, id) pairs that finds the ids whose patterns match a topic.
class TopicIndex {
 public:
  using Id = std::uint64_t;

  TopicIndex();
  ~TopicIndex();

  /// Returns false if the id already has the pattern.
  bool add(std::string_view pattern, Id id);
  /// Returns false if the id does not have the pattern.
  bool remove(std::string_view pattern, Id id);
  /// Replaces `out` by the matching ids, each once, in ascending order.
  void match(std::string_view topic, std::vector<Id>& out) const;
  [[nodiscard]] bool empty() const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  mutable std::uint64_t visit_ = 0;
  mutable std::vector<const Node*> active_, next_;  // reused from match to match
};

}  // namespace nuropb
