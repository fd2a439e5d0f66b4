#pragma once
// Malformed messages: counted by reason, and logged at a limited rate.
//
// Every program that can reach the broker can send any number of them, so the log gets one line per period with the
// newest reason and their number; the counters include all of them.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/log_pause.hpp"
#include "common/result.hpp"

namespace nuropb::mesh {

enum class Refusal : unsigned char {
  protocol,    ///< header nuropb_protocol is missing or has an unknown version; or a response to no request
  type,        ///< header nuropb_type is missing or unknown
  queue,       ///< a response on the service queue, or anything else on the response queue
  too_large,   ///< the body exceeds the limit
  encryption,  ///< cannot be decrypted; or is unencrypted where encryption is required
  body,        ///< not JSON, or not the object that its type requires
  method,      ///< no such method
  parameters,  ///< missing, unknown, or of another type than declared; or the required context is missing
  identity,    ///< no token in the context, or one that the method does not accept
};
inline constexpr std::size_t refusal_kinds = 9;
std::string_view to_text(Refusal reason);

/// What is wrong with a message: text for people, and the reason to count.
struct Malformed : Error {
  Refusal reason = Refusal::body;
};

class Refusals {
 public:
  /// Called on one thread at a time; counts may be read on any thread.
  void note(Refusal reason, std::string_view why, std::string_view routing_key, std::string_view correlation_id);
  [[nodiscard]] std::uint64_t count(Refusal reason) const {
    return counts_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t total() const;

 private:
  std::array<std::atomic<std::uint64_t>, refusal_kinds> counts_{};
  log::Pause pause_{std::chrono::seconds(10)};
};

}  // namespace nuropb::mesh
