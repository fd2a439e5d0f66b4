#include "meshd/pattern_spellings.hpp"

#include <algorithm>

#include "common/topic.hpp"

namespace nuropb::meshd {

PatternSpellings::Added PatternSpellings::add(std::string_view pattern) {
  Added out{State::ask, canonical_pattern(pattern)};
  const auto [place, is_new] = by_canonical_.try_emplace(out.canonical);
  if (!is_new) out.state = place->second.bound ? State::bound : State::wait;
  auto& spellings = place->second.spellings;
  if (std::find(spellings.begin(), spellings.end(), pattern) == spellings.end()) spellings.emplace_back(pattern);
  return out;
}

std::optional<std::string> PatternSpellings::remove(std::string_view pattern) {
  const auto found = by_canonical_.find(canonical_pattern(pattern));
  if (found == by_canonical_.end() || std::erase(found->second.spellings, pattern) == 0) return {};
  if (!found->second.spellings.empty()) return {};
  return by_canonical_.extract(found).key();
}

std::vector<std::string> PatternSpellings::bound(const std::string& canonical) {
  const auto found = by_canonical_.find(canonical);
  if (found == by_canonical_.end()) return {canonical};
  found->second.bound = true;
  return found->second.spellings;
}

std::vector<std::string> PatternSpellings::refused(const std::string& canonical) {
  const auto found = by_canonical_.find(canonical);
  if (found == by_canonical_.end()) return {canonical};
  std::vector<std::string> out = std::move(found->second.spellings);
  by_canonical_.erase(found);
  return out;
}

}  // namespace nuropb::meshd
