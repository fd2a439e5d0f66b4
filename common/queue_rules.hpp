#pragma once
// What happens to a topic's events when a socket does not read them fast enough: events.when_full in the config, one
// rule per line, "PATTERN POLICY". Pure.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "common/topic.hpp"

namespace nuropb {

enum class WhenFull : std::uint8_t {
  close,        ///< the socket is closed with 4001; no event is ever dropped
  drop_oldest,  ///< the oldest queued events are dropped
  latest,       ///< only the latest event of each topic stays queued
};

struct QueueRule {
  std::string pattern;
  WhenFull when_full = WhenFull::close;
};
Result<QueueRule> parse_queue_rule(std::string_view text);

/// The rules of a config in their order. The first rule whose pattern matches a topic applies.
class QueueRules {
 public:
  /// Invalid rules are skipped; the config's checks reject them earlier.
  explicit QueueRules(const std::vector<std::string>& rules);

  struct Match {
    std::uint32_t rule = 0;  ///< identifies the rule
    WhenFull when_full = WhenFull::close;
  };
  /// Returns rule 0, which is not in the config, if no rule matches.
  [[nodiscard]] Match find(std::string_view topic) const;

 private:
  std::vector<WhenFull> policies_;
  TopicIndex index_;
  mutable std::vector<TopicIndex::Id> found_;  // reused
};

}  // namespace nuropb
