#pragma once
// Every WebSocket close code that the gateway sends on its own account; docs/reference/close-codes.md is this table.
// As clients of Centrifugo know it: 4000–4499 reconnect, 4500–4999 don't.

#include <cstdint>

namespace nuropb::close_code {
inline constexpr std::uint16_t going_away = 1001;           ///< the edge drains or stops: reconnect, to any edge
inline constexpr std::uint16_t message_too_big = 1009;      ///< RFC 6455; over limits.message_bytes
inline constexpr std::uint16_t slow_consumer = 4001;        ///< more than limits.send_queue_bytes waited to be read
inline constexpr std::uint16_t mesh_unavailable = 4002;     ///< no verdict on the token came in time
inline constexpr std::uint16_t token_expired = 4401;        ///< come again with a fresh token
inline constexpr std::uint16_t authorize_timeout = 4402;    ///< auth.first_message: no authorize message came in time
inline constexpr std::uint16_t token_refused = 4501;        ///< the token is not valid: get another one first
inline constexpr std::uint16_t revoked = 4502;              ///< the user or the token was revoked while connected
}  // namespace nuropb::close_code
