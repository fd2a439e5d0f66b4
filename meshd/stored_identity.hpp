#pragma once
// An Identity as a session keeps it for as long as it is open: all its texts in one piece of memory, since there are many
// thousands of them and each is mostly asked for its user. An Identity that has just been judged is the other kind.
//
// Immutable; views live as long as it does.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

class StoredIdentity {
 public:
  StoredIdentity() = default;  ///< nobody's
  explicit StoredIdentity(const Identity& identity);

  [[nodiscard]] std::string_view user_id() const { return text(user_id_); }
  [[nodiscard]] std::string_view username() const { return text(username_); }
  [[nodiscard]] std::string_view token() const { return text(token_); }
  [[nodiscard]] std::string_view claims() const { return text(claims_); }
  [[nodiscard]] std::int64_t expires() const { return expires_; }
  [[nodiscard]] Identity unpack() const;

 private:
  enum Part : unsigned { user_id_, username_, token_, claims_, authorizer_, roles_, parts };
  [[nodiscard]] std::string_view text(Part part) const;

  /// Where each part ends, as so many std::uint32_t; then the parts. A role is its size and its text.
  std::unique_ptr<char[]> memory_;
  std::int64_t expires_ = 0;
};

}  // namespace nuropb::meshd
