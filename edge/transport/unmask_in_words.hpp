#pragma once
// Unmasks frames of clients (RFC 6455 section 5.3). websocketpp does it byte by byte, which took a tenth of an edge's
// instructions per request. Its "prepared key" contains the four mask bytes twice, so eight bytes are processed at a
// time.
//
// Only for websocket_socket.hpp, and therefore C++17.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <websocketpp/frame.hpp>

namespace nuropb::edge {

/// Unmasks in place. Returns the key for the rest of the same frame.
inline std::size_t unmask(std::uint8_t* data, std::size_t size, std::size_t prepared_key) {
  std::size_t at = 0;
  for (; size - at >= sizeof prepared_key; at += sizeof prepared_key) {
    std::size_t word = 0;
    std::memcpy(&word, data + at, sizeof word);
    word ^= prepared_key;
    std::memcpy(data + at, &word, sizeof word);
  }
  return websocketpp::frame::byte_mask_circ(data + at, size - at, prepared_key);  // whole words do not rotate the key
}

}  // namespace nuropb::edge
