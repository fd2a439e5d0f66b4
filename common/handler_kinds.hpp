#pragma once
// The kinds of listeners that serve clients. Each kind has its own HandlerManager in every edge and its own
// ServiceMeshManager in meshd: a service on the mesh with its own channels, queues and controller on the shared
// connection. Messages for clients of one kind never reach clients of another. How to add a kind: edge/README.md.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nuropb {

enum class HandlerKind : std::uint8_t {
  web_socket = 0,  ///< [listen]; on the mesh as gateway.service
  lines = 1,       ///< [lines]: one JSON message per line; on the mesh as lines.service_name
};
inline constexpr std::size_t handler_kinds = 2;
/// Names for logs and metrics, by kind.
inline constexpr std::array<std::string_view, handler_kinds> handler_kind_names{"websocket", "lines"};

constexpr std::size_t index_of(HandlerKind kind) { return static_cast<std::size_t>(kind); }
constexpr std::string_view name_of(HandlerKind kind) { return handler_kind_names[index_of(kind)]; }

}  // namespace nuropb
