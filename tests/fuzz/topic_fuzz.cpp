#include "common/topic.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

namespace {

bool matches(std::string_view pattern, std::string_view topic) {
  TopicIndex index;
  index.add(pattern, 7);
  std::vector<TopicIndex::Id> found;
  index.match(topic, found);
  fuzz::must(found.size() <= 1, "an id is found once");
  fuzz::must(index.remove(pattern, 7) && index.empty(), "what was added can be taken out, and nothing stays");
  return !found.empty();
}

bool literal(std::string_view topic) { return topic.find_first_of("*#") == std::string_view::npos; }

}  // namespace

/// Two patterns and a topic, one per line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  const auto first = text.find('\n'), second = first == std::string_view::npos ? first : text.find('\n', first + 1);
  if (second == std::string_view::npos) return 0;
  const auto a = text.substr(0, first), b = text.substr(first + 1, second - first - 1), topic = text.substr(second + 1);
  if (a.size() > max_topic || b.size() > max_topic || topic.size() > max_topic) return 0;
  const bool in_a = matches(a, topic), in_b = matches(b, topic);
  fuzz::must(topics_overlap(a, b) == topics_overlap(b, a), "overlapping knows no order");
  fuzz::must(topic_covers(a, a), "a pattern covers itself");
  if (topic_covers(a, b)) fuzz::must(!in_b || in_a, "who may have all of a pattern may have each of its topics");
  if (!topics_overlap(a, b)) fuzz::must(!(in_a && in_b), "patterns that are apart share no topic");
  if (literal(topic)) fuzz::must(in_a == topic_covers(a, topic), "a topic is a pattern without wildcards");
  return 0;
}
