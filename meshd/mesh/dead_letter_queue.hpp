#pragma once
// Which dead-letter queue a participant has (queue_forms.hpp; docs/tasks/broker.md, "Dead letters").

namespace nuropb::mesh {

/// `automatic` is `transient`, as the Python peers declare it, unless the broker does not allow such queues.
enum class DeadLetterQueue { automatic, transient, durable };

}  // namespace nuropb::mesh
