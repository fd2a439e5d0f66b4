#pragma once
// Keys shared by the gateways of one service (push.key_file): one per line, of 32 bytes or more; lines that begin with
// `#` are comments. The first key creates MACs, all of them verify, so that keys can be rotated without an
// interruption:
//
//   add the new key as the second one on all hosts; make it the first one on all hosts; remove the old one on all hosts
//
// HMAC-SHA256. Owner thread: the ring loop.

#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace nuropb::meshd {

class PeerKeys {
 public:
  static constexpr std::size_t least_bytes = 32, most_keys = 16;

  /// An error names the file and the line, never a key.
  static Result<PeerKeys> load(const std::string& file);
  static Result<PeerKeys> parse(std::string_view text, const std::string& name);
  /// Reads the file again. On an error the previously loaded content stays in force.
  Result<void> reload();

  /// 64 hex digits.
  [[nodiscard]] std::string mac(std::string_view text) const;
  [[nodiscard]] bool verifies(std::string_view text, std::string_view mac) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  std::string file_;
  std::vector<std::string> keys_;
};

}  // namespace nuropb::meshd
