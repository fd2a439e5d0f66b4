#pragma once
// The compact form of an Identity for open sessions: all its texts in one allocation, since there are many thousands of
// them, mostly used for the user id. Identity is the form during authentication.
//
// Immutable; views are valid as long as the object.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

class StoredIdentity {
 public:
  StoredIdentity() = default;  ///< no identity
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

  /// The end offset of each part as std::uint32_t, then the parts. A role is stored as its size and its text.
  std::unique_ptr<char[]> memory_;
  std::int64_t expires_ = 0;
};

}  // namespace nuropb::meshd
