#pragma once
// How the two queues of a service are declared that other programs may have declared before us, or that a broker may not
// take as we ask for them: the dead-letter queue and the service's queue.
//
//   the broker says                                             then we declare
//   541, the deprecated feature transient_nonexcl_queues        a durable dead-letter queue with bounds
//   406 about the dead-letter queue                             nothing: the queue that is there is used as it is
//   404 about it, after that                                    it anew, for it is gone
//   406 about x-queue-type of the service's queue               the type that the broker names
//
// RabbitMQ closes the whole connection with 541, and the channel with 406 and 404. The code that hears it calls learn(), and
// tries again at once if something was learned: each answer teaches at most once, so that ends.

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
  /// A durable queue outlives the node, and no program reads it: 10,000 letters of a week, and at most 256 MiB of them, are
  /// what an operator can look at and what a small disk has room for. Beyond that the broker drops the oldest.
  static constexpr std::int32_t most_letters = 10'000, most_letter_bytes = 256 << 20;
  static constexpr milliseconds letters_live = std::chrono::hours(7 * 24);

  /// `service_type`: the value of x-queue-type. Empty: none is sent, so the virtual host's default decides.
  QueueForms(DeadLetterQueue dead_letters, std::string service_type)
      : wanted_(dead_letters), service_type_(std::move(service_type)) {}
  QueueForms() : QueueForms(DeadLetterQueue::automatic, "classic") {}

  [[nodiscard]] amqp::QueueOptions dead_letter() const;
  [[nodiscard]] amqp::QueueOptions service(std::string dead_letter_exchange) const;

  /// The broker has refused the declaration of one of the two, or anything because of the feature, and `said` why. What
  /// is done otherwise from now on, for a log; nothing if the same declaration would come again.
  std::optional<std::string> dead_letter_refused(std::string_view said);
  std::optional<std::string> service_refused(std::string_view said);

  /// The broker has closed the connection because it allows no transient queue that is not exclusive.
  static bool denies_transient(std::string_view said);

 private:
  DeadLetterQueue wanted_;
  std::string service_type_;
  bool transient_denied_ = false, letters_as_they_are_ = false;
};

/// Of a 406: the broker has the queue, with another value of an optional argument ("x-…"). What the Python peer declares
/// differs in more than that.
bool other_argument(std::string_view said);

}  // namespace nuropb::mesh
