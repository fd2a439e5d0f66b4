#pragma once
// Every WebSocket close code that the gateway sends; docs/reference/close-codes.md is this table, and a test compares the
// two and looks for a test that provokes each (tests/README.md, "Codes and names").
// As clients of Centrifugo know it: 4000–4499 reconnect, 4500–4999 don't.

#include <array>
#include <cstddef>
#include <cstdint>

namespace nuropb::close_code {
inline constexpr std::uint16_t going_away = 1001;        ///< the edge drains or stops: reconnect, to any edge
inline constexpr std::uint16_t protocol_error = 1002;    ///< RFC 6455; sent by websocketpp
inline constexpr std::uint16_t invalid_text = 1007;      ///< RFC 6455; a text that is not UTF-8, sent by websocketpp
inline constexpr std::uint16_t message_too_big = 1009;   ///< RFC 6455; over limits.message_bytes, sent by websocketpp
inline constexpr std::uint16_t slow_consumer = 4001;     ///< more than limits.send_queue_bytes waited to be read
inline constexpr std::uint16_t mesh_unavailable = 4002;  ///< no verdict on the token came in time
inline constexpr std::uint16_t unresponsive = 4003;      ///< no answer to a ping in listen.pong_timeout_s
inline constexpr std::uint16_t idle = 4004;              ///< no message for listen.idle_timeout_s
inline constexpr std::uint16_t rate_exceeded = 4005;     ///< kept sending faster than limits.*_per_s
inline constexpr std::uint16_t too_many_connections =
    4006;                                             ///< more sockets of this user than limits.connections_per_user
inline constexpr std::uint16_t token_expired = 4401;  ///< come again with a fresh token
inline constexpr std::uint16_t authorize_timeout = 4402;  ///< auth.first_message: no authorize message came in time
inline constexpr std::uint16_t token_refused = 4501;      ///< the token is not valid: get another one first
inline constexpr std::uint16_t revoked = 4502;            ///< the user or the token was revoked while connected
inline constexpr std::uint16_t resumed_elsewhere = 4503;  ///< another socket has taken up this session

/// All of the above: they are counted by their place here (SegmentE, /metrics), with one place more for any other.
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
