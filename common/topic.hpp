#pragma once
// Topics and topic patterns as AMQP's topic exchange knows them: words with dots in between; in a pattern `*` stands for
// one word and `#` for any number of words, none included.
//
// Patterns come from consumers, so everything here takes any text, and its cost is bounded by words times words, or by
// words times the patterns' words. Pure; one thread per index.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb {

/// Longest topic or pattern in bytes: an AMQP routing key.
inline constexpr std::size_t max_topic = 255;

/// A broker follows every way in which the `#` of a pattern may divide a topic among them, so its work for one event grows
/// with the words of the topic to the power of the number of `#`. These bounds keep that below a thousand steps.
inline constexpr std::size_t max_pattern_hashes = 2;
inline constexpr std::size_t max_pattern_words = 20;
inline constexpr std::size_t max_topic_words = 32;

/// The shortest of all patterns that stand for the same topics, which a broker is asked for: "#.*.#.#" is "*.#".
std::string canonical_pattern(std::string_view pattern);
/// Why a broker must not be asked for this pattern as it is written, to be put behind its name; nothing: it may be.
std::optional<std::string> pattern_problem(std::string_view pattern);
/// The same for the topic of an event that is published.
std::optional<std::string> topic_problem(std::string_view topic);

/// True only if every topic that `pattern` stands for is one that `allowed` stands for. Where the two are so entangled
/// that it can't be told word by word, the answer is no: use it to grant.
bool topic_covers(std::string_view allowed, std::string_view pattern);

/// True if there is a topic that both stand for: use it to deny.
bool topics_overlap(std::string_view a, std::string_view b);

/// Many patterns, each held by ids; finds the ids whose patterns a topic matches.
class TopicIndex {
 public:
  using Id = std::uint64_t;

  TopicIndex();
  ~TopicIndex();

  /// False if this id holds the pattern already.
  bool add(std::string_view pattern, Id id);
  /// False if it does not.
  bool remove(std::string_view pattern, Id id);
  /// Replaces `out` by the ids, each once, in ascending order.
  void match(std::string_view topic, std::vector<Id>& out) const;
  [[nodiscard]] bool empty() const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  mutable std::uint64_t visit_ = 0;
  mutable std::vector<const Node*> active_, next_;  // reused from match to match
};

}  // namespace nuropb
