#pragma once
// Records for messages to many sockets at once. Part of records.hpp.

#include <cstdint>
#include <cstddef>
#include <compare>
#include <string>
#include <string_view>

#include "common/handler_kinds.hpp"

namespace nuropb::records {

/// One socket of an edge.
struct SessionRef {
  std::uint32_t session = 0;
  std::uint32_t serial = 0;
  auto operator<=>(const SessionRef&) const = default;
};

/// A list of sockets as stored in a record. A view: the bytes must live as long as the record's payload.
class SessionRefs {
 public:
  static constexpr std::size_t entry = sizeof(SessionRef);
  SessionRefs() = default;
  /// `bytes` is a whole number of entries.
  explicit SessionRefs(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t size() const { return bytes_.size() / entry; }
  [[nodiscard]] SessionRef operator[](std::size_t i) const;
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  /// Appends one entry to the bytes of a list.
  static void append(std::string& bytes, SessionRef ref);

 private:
  std::string_view bytes_;
};

/// A message for many sockets of one edge, so that it is framed only once.
struct Push {
  std::uint64_t op = 0;  ///< answered by one Pushed with it; 0: no answer
  /// Sends to every session of the edge whose listener kind is `handler`; `sessions` is empty then.
  bool all = false;
  bool whole_frame = false;  ///< sent to a /ws socket as it is, without an envelope
  SessionRefs sessions;      ///< closed sockets are skipped
  std::string_view text;     ///< raw JSON
  HandlerKind handler = HandlerKind::web_socket;
};

struct CloseSessions {
  std::uint64_t op = 0;
  bool all = false;
  std::uint16_t code = 0;
  SessionRefs sessions;
  std::string_view reason;
  HandlerKind handler = HandlerKind::web_socket;
};

/// How many sockets received a push, or were closed.
struct Pushed {
  std::uint64_t op = 0;
  std::uint32_t taken = 0;
};

}  // namespace nuropb::records
