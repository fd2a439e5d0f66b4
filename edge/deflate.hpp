#pragma once
// permessage-deflate (RFC 7692), for the server's side, with bounds: websocketpp's own unfolds whatever it is sent. Pure
// but for one compressor that all sockets share. C++17, as websocket.hpp. One thread.
//
// Without context takeover (the default) a socket holds no memory for it between messages, and each message is unfolded
// by a state that lives as long as the message takes to arrive.

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

  /// Takes an offer of the client's and says what to answer; an empty text declines it.
  std::string negotiate(const Parameters& offer);

  /// Appends what these bytes unfold to; never more than max_message in all of `out`.
  Outcome unfold(const std::uint8_t* bytes, std::size_t length, std::string& out);
  /// After the last bytes of a message, RFC 7692's trailer included: `invalid` if a block is cut off there.
  Outcome message_ended();

  /// A whole message, with the four bytes at its end that RFC 7692 has the sender cut off.
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
