#pragma once
// websocketpp takes the mask off what consumers send byte by byte (RFC 6455 section 5.3), which was a tenth of an edge's
// instructions for a request. A word of its "prepared key" holds the four bytes of the mask twice: eight bytes at a time.
//
// For websocket_socket.hpp alone, and C++17 with it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <websocketpp/frame.hpp>

namespace nuropb::edge {

/// In place. Returns the key for what follows in the same frame.
inline std::size_t unmask(std::uint8_t* data, std::size_t size, std::size_t prepared_key) {
  std::size_t at = 0;
  for (; size - at >= sizeof prepared_key; at += sizeof prepared_key) {
    std::size_t word = 0;
    std::memcpy(&word, data + at, sizeof word);
    word ^= prepared_key;
    std::memcpy(data + at, &word, sizeof word);
  }
  return websocketpp::frame::byte_mask_circ(data + at, size - at, prepared_key);  // whole words have not turned it
}

}  // namespace nuropb::edge
