#pragma once
// Records of Snorky, its backends and the console. Part of records.hpp.

#include <cstdint>
#include <string_view>

#include "common/records_measured.hpp"

namespace nuropb::records {

/// A client's or a backend's call to a Snorky service, extracted from its envelope (nuropb-wire.md section 3). Answered
/// by one SnorkyAnswer or BackendAnswer with the same sequence.
struct SnorkyCall {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  bool restoring = false;    ///< the edge replays state from before a restart of meshd
  std::string_view service;  ///< plain text
  std::string_view command;  ///< plain text
  std::string_view call_id;  ///< raw JSON; empty if the call had none
  std::string_view params;   ///< raw JSON
  Origin origin{};
};
struct BackendCall {
  std::string_view key;      ///< the value of X-Backend-Key; never logged
  std::string_view service;  ///< empty: only authenticate the key
  std::string_view command;
  std::string_view call_id;
  std::string_view params;
};

/// A request from the console, with the bearer token that it sent. meshd authenticates and authorizes it. Answered by
/// one BackendAnswer with the same sequence.
struct ConsoleCall {
  std::string_view token;     ///< a bearer token; never logged
  std::string_view what;      ///< "status" or "kill"
  std::string_view params{};  ///< raw JSON
};

struct SnorkyAnswer {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  /// The edge stores `call` under `key` and replays it to a restarted meshd. An empty `call` deletes the entry.
  std::string_view key;   ///< empty: nothing is stored or deleted
  std::string_view call;  ///< an envelope: raw JSON
  std::string_view text;  ///< the frame for the consumer
};
struct BackendAnswer {
  std::uint16_t status = 0;  ///< HTTP status
  std::string_view text;     ///< the body, raw JSON
};

}  // namespace nuropb::records
