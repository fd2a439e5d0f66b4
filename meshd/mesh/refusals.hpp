#pragma once
// Messages that could not be what they should be: counted by reason, told in the log now and then.
//
// Whoever can reach the broker can send any number of them, so the log gets one line per pause, with the newest reason
// and how many there were; the counters have them all.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/log_pause.hpp"
#include "common/result.hpp"

namespace nuropb::mesh {

enum class Refusal : unsigned char {
  protocol,    ///< header nuropb_protocol is missing, or names a version that we don't speak; a response to nothing
  type,        ///< header nuropb_type is missing or unknown
  queue,       ///< a response on the service queue, or anything else on the response queue
  too_large,   ///< the body is over the bound
  encryption,  ///< can't be decrypted; or came in the clear and must not
  body,        ///< not JSON, or not the object that its type asks for
  method,      ///< no such method
  parameters,  ///< missing, unknown, or of another type than declared; no context where one is needed
  identity,    ///< no token in the context, or not one that the method accepts
};
inline constexpr std::size_t refusal_kinds = 9;
std::string_view to_text(Refusal reason);

/// What is wrong with a message, for people and for the counters.
struct Malformed : Error {
  Refusal reason = Refusal::body;
};

class Refusals {
 public:
  /// On one thread at a time; counts may be read on any.
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
