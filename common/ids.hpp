#pragma once
// Identifiers that travel between processes: session ids, and return addresses packed into correlation ids.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nuropb {

/// 128 random bits; shown to clients as 32 lower-case hex digits (nuropb-wire.md section 2, `session_id`).
struct SessionId {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const SessionId&) const = default;
  [[nodiscard]] std::string hex() const;
  static std::optional<SessionId> from_hex(std::string_view text);
  static SessionId random();
};

/// The destination of a response, packed into the correlation id of the outgoing message (design.md, rule 4). So meshd
/// keeps no table of requests, and a restarted meshd still delivers responses to its predecessor's requests.
///
/// 32 lower-case hex digits, as the Python peer's ids look:
///   instance 32 bits | worker slot 8 | worker generation 24 | session slot 24 | sequence 40
/// `instance` rejects responses for another gateway, or for an earlier run under another instance id; `generation`
/// keeps a dead worker's responses from its successor; `sequence` is the edge's own request number.
struct ReturnAddress {
  static constexpr std::uint32_t max_slot = 0xff;
  static constexpr std::uint32_t max_generation = 0xff'ffff;
  static constexpr std::uint32_t max_session = 0xff'ffff;
  static constexpr std::uint64_t max_sequence = 0xff'ffff'ffff;

  std::uint32_t instance = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t session = 0;
  std::uint64_t sequence = 0;
  auto operator<=>(const ReturnAddress&) const = default;

  /// Precondition: each field fits its width (asserted).
  [[nodiscard]] std::string correlation_id() const;
  /// Empty if the text is not one of our correlation ids.
  static std::optional<ReturnAddress> parse(std::string_view correlation_id);
  /// The instance field for a gateway's instance id: a stable 32-bit hash of the text.
  static std::uint32_t instance_hash(std::string_view instance_id);
};

/// A keyed hash for tables: edges choose the sequences, so they must not be able to provoke collisions. Each object has
/// its own random key.
class ReturnAddressHash {
 public:
  ReturnAddressHash();
  std::size_t operator()(const ReturnAddress& address) const;

 private:
  std::uint64_t a_, b_;
};

/// 32 random lower-case hex digits: trace ids, correlation ids of our own calls, instance ids.
std::string random_hex32();

/// Fills from the kernel's random source.
void random_bytes(void* out, std::size_t size);

std::string to_hex(std::string_view bytes);
/// Appends 16 lower-case hex digits.
void append_hex(std::string& out, std::uint64_t value);
std::optional<std::string> from_hex(std::string_view text);

}  // namespace nuropb
