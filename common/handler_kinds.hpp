#pragma once
// The kinds of handlers that consumers are served by. Each kind has a HandlerManager of its own in every edge and a
// ServiceMeshManager of its own in meshd: a service on the mesh, with its own channels, queues and controller on the one
// connection. What is said to one kind's consumers is never heard by another's. How a kind is added: edge/README.md.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nuropb {

enum class HandlerKind : std::uint8_t {
  web_socket = 0,  ///< [listen]; on the mesh as gateway.service
  lines = 1,       ///< [lines]: a JSON message a line; on the mesh as lines.service_name
};
inline constexpr std::size_t handler_kinds = 2;
/// For logs, metrics and people, by kind.
inline constexpr std::array<std::string_view, handler_kinds> handler_kind_names{"websocket", "lines"};

constexpr std::size_t index_of(HandlerKind kind) { return static_cast<std::size_t>(kind); }
constexpr std::string_view name_of(HandlerKind kind) { return handler_kind_names[index_of(kind)]; }

}  // namespace nuropb
