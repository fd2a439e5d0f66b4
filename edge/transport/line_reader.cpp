#include "edge/transport/line_reader.hpp"

#include <algorithm>
#include <utility>

#include "common/byte_order_mark.hpp"

namespace nuropb::edge {

bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t at = 0; at < text.size();) {
    const unsigned char lead = byte(at);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return false;
    // The range of the second byte excludes overlong forms, surrogates and numbers that are too large.
    const unsigned char low = lead == 0xe0   ? 0xa0
                              : lead == 0xf0 ? 0x90
                                             : 0x80,
                        high = lead == 0xed   ? 0x9f
                               : lead == 0xf4 ? 0x8f
                                              : 0xbf;
    if (byte(at + 1) < low || byte(at + 1) > high) return false;
    for (std::size_t next = at + 2; next < at + length; ++next) {
      if (byte(next) < 0x80 || byte(next) > 0xbf) return false;
    }
    at += length;
  }
  return true;
}

std::string on_one_line(std::string_view json) {
  std::string out(json);
  std::replace_if(out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return out;
}

LineReader::Problem LineReader::line(std::string_view text, const Take& take) {
  while (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  if (text.size() > limit_) {
    done_ = true;
    return Problem::too_long;
  }
  if (text.find_first_not_of(" \t\r") == std::string_view::npos) return Problem::none;
  if (!is_utf8(text)) {
    done_ = true;
    return Problem::not_utf8;
  }
  done_ = !take(text);
  return Problem::none;
}

/// The mark's bytes may arrive one at a time. If they turn out to be something else, they belong to the first line.
std::string_view LineReader::after_mark(std::string_view bytes) {
  while (mark_ < byte_order_mark.size() && !bytes.empty()) {
    if (bytes.front() != byte_order_mark[mark_]) {
      rest_.assign(byte_order_mark.substr(0, mark_));
      mark_ = byte_order_mark.size();
      break;
    }
    ++mark_;
    bytes.remove_prefix(1);
  }
  return bytes;
}

LineReader::Problem LineReader::feed(std::string_view bytes, const Take& take) {
  if (mark_ < byte_order_mark.size()) bytes = after_mark(bytes);
  while (!done_) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) {
      // One more byte may be the CR of a line end that is still incomplete.
      if (rest_.size() + bytes.size() > limit_ + 1) {
        done_ = true;
        rest_ = {};
        return Problem::too_long;
      }
      rest_.append(bytes);
      return Problem::none;
    }
    Problem problem;
    if (rest_.empty()) {
      problem = line(bytes.substr(0, end), take);
    } else if (rest_.size() + end > limit_ + 1) {
      done_ = true;
      problem = Problem::too_long;
    } else {
      rest_.append(bytes.substr(0, end));
      const std::string whole = std::exchange(rest_, {});
      problem = line(whole, take);
    }
    if (problem != Problem::none) return problem;
    bytes.remove_prefix(end + 1);
  }
  rest_ = {};
  return Problem::none;
}

LineReader::Problem LineReader::finish(const Take& take) {
  if (mark_ < byte_order_mark.size()) rest_.assign(byte_order_mark.substr(0, mark_));
  if (done_ || rest_.empty()) return Problem::none;
  const std::string last = std::exchange(rest_, {});
  return line(last, take);
}

}  // namespace nuropb::edge
