#include "common/topic.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nuropb {
namespace {

/// The definition, word by word, for comparison: slow, and obviously correct.
bool matches(std::string_view pattern, std::string_view topic, bool more_pattern, bool more_topic) {
  if (!more_pattern) return !more_topic;
  const auto dot = pattern.find('.');
  const auto word = pattern.substr(0, dot);
  const bool last = dot == std::string_view::npos;
  const auto rest = last ? std::string_view() : pattern.substr(dot + 1);
  if (word == "#" && matches(rest, topic, !last, more_topic)) return true;
  if (!more_topic) return false;
  const auto topic_dot = topic.find('.');
  const bool topic_last = topic_dot == std::string_view::npos;
  const auto topic_rest = topic_last ? std::string_view() : topic.substr(topic_dot + 1);
  if (word == "#") return matches(pattern, topic_rest, true, !topic_last);
  return (word == "*" || word == topic.substr(0, topic_dot)) && matches(rest, topic_rest, !last, !topic_last);
}

bool matches(std::string_view pattern, std::string_view topic) {
  return matches(pattern, topic, !pattern.empty(), !topic.empty());
}

bool indexed(std::string_view pattern, std::string_view topic) {
  TopicIndex index;
  index.add(pattern, 1);
  std::vector<TopicIndex::Id> found;
  index.match(topic, found);
  return !found.empty();
}

std::string some(std::mt19937& random, std::initializer_list<const char*> words, unsigned longest) {
  std::string out;
  for (unsigned i = 0, count = 1 + random() % longest; i < count; ++i)
    out += (i ? "." : "") + std::string(words.begin()[random() % words.size()]);
  return out;
}

TEST(Topic, Patterns) {
  EXPECT_TRUE(indexed("news.sport", "news.sport"));
  EXPECT_FALSE(indexed("news.sport", "news"));
  EXPECT_TRUE(indexed("news.*", "news.sport"));
  EXPECT_FALSE(indexed("news.*", "news"));
  EXPECT_FALSE(indexed("news.*", "news.sport.today"));
  EXPECT_TRUE(indexed("news.#", "news"));
  EXPECT_TRUE(indexed("news.#", "news.sport.today"));
  EXPECT_TRUE(indexed("#", ""));
  EXPECT_FALSE(indexed("*", "")) << "RabbitMQ counts no word in an empty routing key";
  EXPECT_TRUE(indexed("#.today", "today"));
  EXPECT_TRUE(indexed("a*", "a*")) << "a star within a word is itself";
  EXPECT_FALSE(indexed("a*", "ab"));
}

TEST(Topic, TheIndexAgreesWithTheDefinition) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    TopicIndex index;
    std::map<TopicIndex::Id, std::string> patterns;
    for (TopicIndex::Id id = 0; id < 20; ++id) {
      patterns[id] = some(random, {"a", "b", "*", "#", ""}, 5);
      EXPECT_TRUE(index.add(patterns[id], id));
      EXPECT_FALSE(index.add(patterns[id], id));
    }
    for (TopicIndex::Id id = 0; id < 20; id += 3) {
      EXPECT_TRUE(index.remove(patterns[id], id));
      EXPECT_FALSE(index.remove(patterns[id], id));
      patterns.erase(id);
    }
    for (int i = 0; i < 20; ++i) {
      const std::string topic = some(random, {"a", "b", "c", ""}, 6);
      std::vector<TopicIndex::Id> expected, found;
      for (const auto& [id, pattern] : patterns) {
        if (matches(pattern, topic)) expected.push_back(id);
      }
      index.match(topic, found);
      EXPECT_EQ(found, expected) << topic;
    }
    for (const auto& [id, pattern] : patterns) EXPECT_TRUE(index.remove(pattern, id));
    EXPECT_TRUE(index.empty());
  }
}

TEST(Topic, AHostilePatternCostsNoMoreThanItsWords) {
  std::string pattern = "#", topic = "a";
  while (pattern.size() + 4 < max_topic) pattern += ".a.#";
  while (topic.size() + 2 < max_topic) topic += ".a";
  EXPECT_TRUE(indexed(pattern, topic));  // would not terminate if it tried every combination
  EXPECT_TRUE(topic_covers(pattern, topic));
  EXPECT_TRUE(topics_overlap(pattern, topic + ".#.b.#"));
  topic.back() = 'b';
  EXPECT_FALSE(indexed(pattern + ".c", topic));
}

TEST(Topic, CoveringAndOverlapping) {
  EXPECT_TRUE(topic_covers("news.#", "news.*"));
  EXPECT_TRUE(topic_covers("news.#", "news"));
  EXPECT_FALSE(topic_covers("news.*", "news.#"));
  EXPECT_FALSE(topic_covers("news.sport", "news.*"));
  EXPECT_TRUE(topic_covers("#", "#"));
  EXPECT_TRUE(topic_covers("*.#", "#.*"));
  EXPECT_FALSE(topic_covers("*", "#"));
  EXPECT_TRUE(topics_overlap("secret.#", "#"));
  EXPECT_TRUE(topics_overlap("*.b", "a.*"));
  EXPECT_FALSE(topics_overlap("a.*", "b.#"));
  EXPECT_FALSE(topics_overlap("*", "a.b"));
}

TEST(Topic, CoveringNeverGrantsTooMuchAndOverlappingMissesNothing) {
  std::mt19937 random(11);
  int covered = 0, apart = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string a = some(random, {"a", "b", "*", "#"}, 4), b = some(random, {"a", "b", "*", "#"}, 4);
    const std::string topic = some(random, {"a", "b", "c"}, 5);
    const bool in_a = matches(a, topic), in_b = matches(b, topic);
    if (topic_covers(a, b)) {
      ++covered;
      EXPECT_TRUE(!in_b || in_a) << a << " does not cover " << b << ": " << topic;
    }
    if (!topics_overlap(a, b)) {
      ++apart;
      EXPECT_FALSE(in_a && in_b) << a << " and " << b << " share " << topic;
    }
    if (in_a) { EXPECT_TRUE(topic_covers(a, topic)) << a << " " << topic; }
    EXPECT_EQ(in_a, indexed(a, topic)) << a << " " << topic;
  }
  EXPECT_GT(covered, 1000);
  EXPECT_GT(apart, 1000);
}

TEST(Topic, TheCanonicalPatternIsTheShortest) {
  for (const auto& [written, canonical] : std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                                                           {"a.b", "a.b"},
                                                                                           {"#", "#"},
                                                                                           {"#.#.#", "#"},
                                                                                           {"#.*", "*.#"},
                                                                                           {"a.#.*.#.b", "a.*.#.b"},
                                                                                           {"*.#.*", "*.*.#"},
                                                                                           {"a..b", "a..b"},
                                                                                           {".", "."},
                                                                                           {"#a.#", "#a.#"}}) {
    EXPECT_EQ(canonical_pattern(written), canonical) << written;
    EXPECT_TRUE(topic_covers(written, canonical) && topic_covers(canonical, written)) << written;
    EXPECT_EQ(canonical_pattern(canonical), canonical);
  }
}

TEST(Topic, APatternThatCostsABrokerTooMuchIsNamed) {
  const auto repeated = [](const std::string& word, std::size_t times) {
    std::string out = word;
    for (std::size_t i = 1; i < times; ++i) out += "." + word;
    return out;
  };
  EXPECT_FALSE(pattern_problem("#.a.#"));
  EXPECT_FALSE(pattern_problem(repeated("*", max_pattern_words)));
  EXPECT_EQ(pattern_problem("#.a.#.b.#"), "has more than 2 '#'");
  EXPECT_EQ(pattern_problem(repeated("#", 60) + ".zz"), "has more than 2 '#'") << "as it is written";
  EXPECT_FALSE(pattern_problem(canonical_pattern(repeated("#", 60) + ".zz")));
  EXPECT_EQ(pattern_problem(repeated("a", max_pattern_words + 1)), "has more than 20 words");
  EXPECT_EQ(pattern_problem(std::string(256, 'a')), "is longer than 255 bytes");
  EXPECT_FALSE(topic_problem(repeated("a", max_topic_words)));
  EXPECT_EQ(topic_problem(repeated("a", max_topic_words + 1)), "has more than 32 words");
  EXPECT_EQ(topic_problem(std::string(256, 'a')), "is longer than 255 bytes");
}

}  // namespace
}  // namespace nuropb
