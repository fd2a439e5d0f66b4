#pragma once
// How the two queues of a service are declared that another program may already have declared differently, or that the
// broker may not accept as configured: the dead-letter queue and the service queue.
//
//   the broker says                                             then we declare
//   541, the deprecated feature transient_nonexcl_queues        a durable dead-letter queue with bounds
//   406 about the dead-letter queue                             nothing: the queue that is there is used as it is
//   404 about it, after that                                    it again, because it is gone
//   406 about x-queue-type of the service's queue               the type that the broker names
//
// RabbitMQ closes the whole connection with 541, and the channel with 406 and 404. The code that receives it calls
// learn() and tries again at once if something was learned. Each answer can be learned only once, so this ends.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "meshd/amqp/step.hpp"
#include "meshd/mesh/dead_letter_queue.hpp"

namespace nuropb::mesh {

class QueueForms {
 public:
  /// A durable queue outlives the node, and no program reads it: 10,000 dead letters of one week, at most 256 MiB, are
  /// what an operator can inspect and a small disk can hold. Above that the broker drops the oldest.
  static constexpr std::int32_t most_letters = 10'000, most_letter_bytes = 256 << 20;
  static constexpr milliseconds letters_live = std::chrono::hours(7 * 24);

  /// `service_type` is the value of x-queue-type. Empty: it is not sent, so the virtual host's default applies.
  QueueForms(DeadLetterQueue dead_letters, std::string service_type)
      : wanted_(dead_letters), service_type_(std::move(service_type)) {}
  QueueForms() : QueueForms(DeadLetterQueue::automatic, "classic") {}

  [[nodiscard]] amqp::QueueOptions dead_letter() const;
  [[nodiscard]] amqp::QueueOptions service(std::string dead_letter_exchange) const;

  /// The broker has refused to declare one of the two queues, or anything because of the feature; `said` is its text.
  /// Returns what will be done differently, for a log; nothing if the same declaration would be sent again.
  std::optional<std::string> dead_letter_refused(std::string_view said);
  std::optional<std::string> service_refused(std::string_view said);

  /// The broker has closed the connection because it permits no transient queue that is not exclusive.
  static bool denies_transient(std::string_view said);

 private:
  DeadLetterQueue wanted_;
  std::string service_type_;
  bool transient_denied_ = false, letters_as_they_are_ = false;
};

/// For a 406: whether the existing queue differs only in an optional argument ("x-…"). Queues of the Python peer differ
/// in more than that.
bool other_argument(std::string_view said);

}  // namespace nuropb::mesh
