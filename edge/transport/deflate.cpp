#include "edge/transport/deflate.hpp"

#include <algorithm>
#include <array>

namespace nuropb::edge {
namespace {

constexpr int memory_level = 5;
constexpr std::string_view empty_message("\x02\0\0\0\xff\xff", 6);  // an empty block, and the flush

/// Parses a window size of RFC 7692 section 7.1.2: 8 to 15, without a leading zero.
int window(const std::string& text) {
  if (text.size() == 1 && (text[0] == '8' || text[0] == '9')) return text[0] - '0';
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5') return 10 + text[1] - '0';
  return 0;
}

}  // namespace

std::string Deflate::negotiate(const Parameters& offer) {
  int fold = settings_.window_bits, unfold = 15;
  bool keep_fold = settings_.context_takeover, keep_unfold = settings_.context_takeover, client_window = false;
  for (const auto& [name, value] : offer) {
    if (name == "server_no_context_takeover" && value.empty()) {
      keep_fold = false;
    } else if (name == "client_no_context_takeover" && value.empty()) {
      keep_unfold = false;
    } else if (name == "server_max_window_bits" && window(value) != 0) {
      if (window(value) == 8) return {};  // zlib writes no raw stream with a window this small
      fold = std::min(fold, window(value));
    } else if (name == "client_max_window_bits" && (value.empty() || window(value) != 0)) {
      if (window(value) == 8) continue;  // its own limit is below what we could answer
      client_window = true;
      unfold = std::min(settings_.window_bits, value.empty() ? 15 : window(value));
    } else {
      return {};
    }
  }
  fold_bits_ = fold;
  unfold_bits_ = client_window ? unfold : 15;
  keep_fold_ = keep_fold;
  keep_unfold_ = keep_unfold;
  std::string out = "permessage-deflate";
  if (!keep_fold) out += "; server_no_context_takeover";
  if (!keep_unfold) out += "; client_no_context_takeover";
  if (fold < 15) out += "; server_max_window_bits=" + std::to_string(fold);
  if (client_window && unfold < 15) out += "; client_max_window_bits=" + std::to_string(unfold);
  return out;
}

Deflate::Outcome Deflate::unfold(const std::uint8_t* bytes, std::size_t length, std::string& out) {
  if (!inflater_) {
    auto fresh = std::make_unique<Inflater>();
    if (inflateInit2(&fresh->state, -unfold_bits_) != Z_OK) return Outcome::no_memory;
    inflater_ = std::move(fresh);
  }
  z_stream& state = inflater_->state;
  state.next_in = const_cast<Bytef*>(bytes);
  state.avail_in = static_cast<uInt>(length);
  std::array<Bytef, 16384> part;
  for (;;) {
    state.next_out = part.data();
    state.avail_out = static_cast<uInt>(part.size());
    const uInt before = state.avail_in;
    const int result = inflate(&state, Z_SYNC_FLUSH);
    const std::size_t made = part.size() - state.avail_out;
    if (result == Z_MEM_ERROR) return Outcome::no_memory;
    if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) return Outcome::invalid;
    if (out.size() + made > settings_.max_message) return Outcome::too_big;
    out.append(reinterpret_cast<const char*>(part.data()), made);
    // A block may be marked as the last one (RFC 7692 section 7.2.3.4); what follows continues with the same window.
    if (result == Z_STREAM_END && inflateResetKeep(&state) != Z_OK) return Outcome::invalid;
    if (state.avail_in == 0 && state.avail_out > 0) return Outcome::ok;
    if (made == 0 && state.avail_in == before && result != Z_STREAM_END)
      return state.avail_in == 0 ? Outcome::ok : Outcome::invalid;
  }
}

Deflate::Outcome Deflate::message_ended() {
  constexpr int between_blocks = 128;  // zlib.h on inflate(), data_type
  const bool whole = !inflater_ || (inflater_->state.data_type & between_blocks) != 0;
  if (!keep_unfold_) inflater_.reset();
  return whole ? Outcome::ok : Outcome::invalid;
}

std::unique_ptr<Deflate::Deflater> Deflate::deflater(int window_bits) {
  auto out = std::make_unique<Deflater>();
  if (deflateInit2(&out->state, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY) !=
      Z_OK)
    return nullptr;
  out->window_bits = window_bits;
  return out;
}

Deflate::Outcome Deflate::fold(std::string_view message, std::string& out) {
  if (message.empty()) {
    out.append(empty_message);
    return Outcome::ok;
  }
  static std::unique_ptr<Deflater> shared;
  std::unique_ptr<Deflater>& used = keep_fold_ ? deflater_ : shared;
  if (!used || used->window_bits != fold_bits_) used = deflater(fold_bits_);
  if (!used) return Outcome::no_memory;
  z_stream& state = used->state;
  if (!keep_fold_ && deflateReset(&state) != Z_OK) return Outcome::no_memory;
  state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  state.avail_in = static_cast<uInt>(message.size());
  std::array<Bytef, 16384> part;
  do {
    state.next_out = part.data();
    state.avail_out = static_cast<uInt>(part.size());
    const int result = deflate(&state, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_BUF_ERROR) return Outcome::invalid;
    out.append(reinterpret_cast<const char*>(part.data()), part.size() - state.avail_out);
  } while (state.avail_out == 0);
  return Outcome::ok;
}

}  // namespace nuropb::edge
