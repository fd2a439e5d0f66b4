#pragma once
// The records of Snorky, of its backends and of the console. Part of records.hpp.

#include <cstdint>
#include <string_view>

#include "common/records_measured.hpp"

namespace nuropb::records {

/// A client's or a backend's call to a Snorky service, sliced out of its envelope (nuropb-wire.md section 3). Answered by
/// one SnorkyAnswer, or BackendAnswer, with its sequence.
struct SnorkyCall {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  bool restoring = false;    ///< the edge brings back what stood before a restart of meshd
  std::string_view service;  ///< plain text
  std::string_view command;  ///< plain text
  std::string_view call_id;  ///< raw JSON; empty: the call had none
  std::string_view params;   ///< raw JSON
  Origin origin{};
};
struct BackendCall {
  std::string_view key;      ///< as it came in X-Backend-Key; never logged
  std::string_view service;  ///< empty: only the key is to be judged
  std::string_view command;
  std::string_view call_id;
  std::string_view params;
};

/// What somebody at the console asks, with the token that was shown: who that is, and what he may, meshd says. Answered
/// by one BackendAnswer with its sequence.
struct ConsoleCall {
  std::string_view token;     ///< a bearer token; never logged
  std::string_view what;      ///< "status" or "kill"
  std::string_view params{};  ///< raw JSON
};

struct SnorkyAnswer {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  /// The edge keeps `call` under `key`, to bring it to the next meshd; without a `call` it lets go of what it keeps there.
  std::string_view key;   ///< empty: neither
  std::string_view call;  ///< an envelope: raw JSON
  std::string_view text;  ///< the frame for the consumer
};
struct BackendAnswer {
  std::uint16_t status = 0;  ///< of HTTP
  std::string_view text;     ///< the body, raw JSON
};

}  // namespace nuropb::records
