#pragma once
// Type of a participant's dead-letter queue (queue_forms.hpp; docs/tasks/broker.md, "Dead letters").

namespace nuropb::mesh {

/// `automatic` means `transient`, as the Python peers declare it, unless the broker does not permit such queues.
enum class DeadLetterQueue { automatic, transient, durable };

}  // namespace nuropb::mesh
