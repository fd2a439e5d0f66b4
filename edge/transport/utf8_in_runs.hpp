#pragma once
// Validates UTF-8 of text messages. websocketpp checks every byte with a state table, which took a sixth of an edge's
// CPU per request. ASCII between two characters needs no state, and most text is ASCII: it is skipped sixteen bytes at
// a time.
//
// A specialization of websocketpp's own member template, for the iterators that its frame processor uses; it must be
// declared before that is instantiated. Only for websocket_socket.hpp, and therefore C++17.

#include <cstddef>
#include <string>
#include <websocketpp/utf8_validator.hpp>

#include "common/sixteen_bytes.hpp"

namespace nuropb::edge {

/// Length of the ASCII prefix.
inline std::size_t ascii_run(const char* text, std::size_t size) {
  std::size_t at = 0;
#if defined(NUROPB_SIXTEEN_BYTES)
  for (; size - at >= 16; at += 16) {
    if (const Marks found = above_ascii(sixteen_bytes(text + at)); found != 0) return at + first_of(found);
  }
#endif
  while (at < size && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace nuropb::edge

template <>
inline bool websocketpp::utf8_validator::validator::decode(std::string::iterator begin, std::string::iterator end) {
  while (begin != end) {
    if (m_state == utf8_accept) {
      begin += static_cast<std::string::difference_type>(
          nuropb::edge::ascii_run(&*begin, static_cast<std::size_t>(end - begin)));
      if (begin == end) break;
    }
    if (!consume(static_cast<uint8_t>(*begin))) return false;
    ++begin;
  }
  return true;
}
