#pragma once
// permessage-deflate (RFC 7692) for the server's side, with limits: websocketpp's own decompresses without any. Pure,
// except for one compressor that all sockets share. C++17, like websocket.hpp. One thread.
//
// Without context takeover (the default) a socket has no compression state between messages; each message is
// decompressed with a state that exists only until the message is complete.

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace nuropb::edge {

struct DeflateSettings {
  int window_bits = 12;  ///< 9 to 15
  bool context_takeover = false;
  std::size_t max_message = 2 << 20;
};

class Deflate {
 public:
  using Parameters = std::map<std::string, std::string>;
  enum class Outcome { ok, invalid, too_big, no_memory };

  explicit Deflate(const DeflateSettings& settings) : settings_(settings) {}

  /// Evaluates a client's offer and returns the response; an empty text declines the offer.
  std::string negotiate(const Parameters& offer);

  /// Appends the decompressed bytes to `out`, which never grows beyond max_message.
  Outcome unfold(const std::uint8_t* bytes, std::size_t length, std::string& out);
  /// To be called after the last bytes of a message, including RFC 7692's trailer. Returns `invalid` if a block is
  /// incomplete.
  Outcome message_ended();

  /// Compresses a whole message, including the final four bytes that RFC 7692 requires the sender to remove.
  Outcome fold(std::string_view message, std::string& out);

 private:
  struct Inflater {
    z_stream state{};
    ~Inflater() { inflateEnd(&state); }
  };
  struct Deflater {
    z_stream state{};
    int window_bits = 0;
    ~Deflater() { deflateEnd(&state); }
  };
  static std::unique_ptr<Deflater> deflater(int window_bits);

  DeflateSettings settings_;
  int fold_bits_ = 15, unfold_bits_ = 15;
  bool keep_fold_ = false, keep_unfold_ = false;
  std::unique_ptr<Inflater> inflater_;
  std::unique_ptr<Deflater> deflater_;
};

}  // namespace nuropb::edge
