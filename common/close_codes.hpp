#pragma once
// Every WebSocket close code that the gateway sends. docs/reference/close-codes.md is the same table; a test compares
// the two and requires a test that provokes each code (tests/README.md, "Codes and names"). The ranges follow
// Centrifugo's convention: clients reconnect after 4000–4499 and do not after 4500–4999.

#include <array>
#include <cstddef>
#include <cstdint>

namespace nuropb::close_code {
inline constexpr std::uint16_t going_away = 1001;       ///< the edge drains or stops: reconnect, to any edge
inline constexpr std::uint16_t protocol_error = 1002;   ///< RFC 6455; sent by websocketpp
inline constexpr std::uint16_t invalid_text = 1007;     ///< RFC 6455; a text that is not UTF-8, sent by websocketpp
inline constexpr std::uint16_t message_too_big = 1009;  ///< RFC 6455; over limits.message_bytes, sent by websocketpp
/// More than limits.send_queue_bytes are queued for a client that reads too slowly.
inline constexpr std::uint16_t slow_consumer = 4001;
inline constexpr std::uint16_t mesh_unavailable = 4002;  ///< the token was not authenticated in time
inline constexpr std::uint16_t unresponsive = 4003;      ///< no answer to a ping in listen.pong_timeout_s
inline constexpr std::uint16_t idle = 4004;              ///< no message for listen.idle_timeout_s
inline constexpr std::uint16_t rate_exceeded = 4005;     ///< kept sending faster than limits.*_per_s
inline constexpr std::uint16_t too_many_connections =
    4006;                                             ///< more sockets of this user than limits.connections_per_user
inline constexpr std::uint16_t token_expired = 4401;  ///< reconnect with a fresh token
inline constexpr std::uint16_t authorize_timeout = 4402;  ///< auth.first_message: no authorize message came in time
inline constexpr std::uint16_t token_refused = 4501;      ///< the token is not valid: get another one first
inline constexpr std::uint16_t revoked = 4502;            ///< the user or the token was revoked while connected
inline constexpr std::uint16_t resumed_elsewhere = 4503;  ///< another socket has resumed this session

/// All codes of this file. Counters (SegmentE, /metrics) are indexed by the position in this array; one more position
/// counts every other code.
inline constexpr std::array all{
    going_away,       protocol_error,    invalid_text,  message_too_big, slow_consumer,
    mesh_unavailable, unresponsive,      idle,          rate_exceeded,   too_many_connections,
    token_expired,    authorize_timeout, token_refused, revoked,         resumed_elsewhere};
constexpr std::size_t place_of(std::uint16_t code) {
  std::size_t place = 0;
  while (place < all.size() && all[place] != code) ++place;
  return place;
}
}  // namespace nuropb::close_code
