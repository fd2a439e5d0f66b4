#pragma once
// What becomes of the events of a topic when a socket does not read them fast enough: events.when_full in the config,
// one rule a line, "PATTERN POLICY". Pure.

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
  close,        ///< the socket is closed with 4001: no event is ever left out
  drop_oldest,  ///< the oldest of those that wait make room
  latest,       ///< of each topic only the last one waits
};

struct QueueRule {
  std::string pattern;
  WhenFull when_full = WhenFull::close;
};
Result<QueueRule> parse_queue_rule(std::string_view text);

/// The rules of a config, in its order: the first whose pattern a topic matches is the topic's.
class QueueRules {
 public:
  /// What is no rule is left out; the config's checks keep it from being there.
  explicit QueueRules(const std::vector<std::string>& rules);

  struct Match {
    std::uint32_t rule = 0;  ///< tells rules apart
    WhenFull when_full = WhenFull::close;
  };
  /// Rule 0, which is none of the config's, where nothing matches.
  [[nodiscard]] Match find(std::string_view topic) const;

 private:
  std::vector<WhenFull> policies_;
  TopicIndex index_;
  mutable std::vector<TopicIndex::Id> found_;  // reused
};

}  // namespace nuropb
