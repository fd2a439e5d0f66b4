#include "common/queue_rules.hpp"

#include <algorithm>

namespace nuropb {
namespace {

constexpr std::array<std::pair<std::string_view, WhenFull>, 3> words{
    {{"close", WhenFull::close}, {"drop_oldest", WhenFull::drop_oldest}, {"latest", WhenFull::latest}}};

}  // namespace

Result<QueueRule> parse_queue_rule(std::string_view text) {
  // The policy is the last word, because a pattern may contain spaces.
  const std::size_t space = text.rfind(' ');
  if (space == std::string_view::npos) return failure("is not \"PATTERN POLICY\"");
  std::string_view pattern = text.substr(0, space);
  while (pattern.ends_with(' ')) pattern.remove_suffix(1);
  const std::string_view word = text.substr(space + 1);
  const auto found = std::find_if(words.begin(), words.end(), [&](const auto& known) { return known.first == word; });
  if (found == words.end())
    return failure("ends in '" + std::string(word.substr(0, 64)) + "', which is not one of close, drop_oldest, latest");
  if (pattern.empty()) return failure("has no pattern");
  if (pattern.size() > max_topic) return failure("has a pattern of more than 255 bytes");
  return QueueRule{std::string(pattern), found->second};
}

QueueRules::QueueRules(const std::vector<std::string>& rules) {
  for (const std::string& text : rules) {
    const auto rule = parse_queue_rule(text);
    if (!rule) continue;
    index_.add(rule->pattern, policies_.size());
    policies_.push_back(rule->when_full);
  }
}

QueueRules::Match QueueRules::find(std::string_view topic) const {
  if (policies_.empty()) return {};
  index_.match(topic, found_);
  if (found_.empty()) return {};
  return {static_cast<std::uint32_t>(found_.front()) + 1, policies_[found_.front()]};
}

}  // namespace nuropb
