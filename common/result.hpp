#pragma once
// Errors as values: what went wrong, where, and what the reader can do about it.

#include <string>
#include <tl/expected.hpp>

namespace nuropb {

struct Error {
  std::string what;   ///< what is wrong, one clause, no trailing full stop: "password refused"
  std::string where;  ///< a file and line, a redacted URL, a record type; may be empty
  std::string hint;   ///< what to do about it; may be empty

  /// "where: what (hint)" without the empty parts.
  [[nodiscard]] std::string text() const;
};

/// Either a value or an Error. Used wherever the caller decides what an error means; exceptions are for programming
/// mistakes and never cross a C callback or an event loop.
template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(std::string what, std::string where = {}, std::string hint = {}) {
  return tl::unexpected<Error>(Error{std::move(what), std::move(where), std::move(hint)});
}

}  // namespace nuropb
