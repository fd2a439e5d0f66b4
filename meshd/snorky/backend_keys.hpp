#pragma once
// The keys of backends (docs/tasks/snorky.md): a TOML file, backend.key_file. Each has a name, for the log; several are
// good at a time, so that one can be replaced without a gap.
//
//   [keys]
//   billing = "a-long-random-text"     # may do everything
//
//   [keys.reports]                     # may do what backend_scope.hpp says
//   key = "another-long-random-text"
//   may = ["publish"]
//   channels = ["reports.*"]
//
// Judged in meshd only. A key is compared by its SHA-256, with all of them and in constant time, so that neither the time
// nor the order tells anything; the keys themselves don't stay in memory.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "meshd/snorky/backend_scope.hpp"

namespace nuropb::meshd::snorky {

class BackendKeys {
 public:
  static constexpr std::size_t min_key = 16;  ///< bytes: shorter ones can be guessed
  static constexpr std::size_t max_key = 1024;

  /// An error names file, line and what is wrong, and never the key.
  static Result<BackendKeys> load(const std::string& file);
  static Result<BackendKeys> parse(std::string_view toml, const std::string& name);

  struct Owner {
    std::string name;
    BackendScope scope;
  };
  /// Whose key it is; nullptr: it is none of ours. Good until the next reload().
  [[nodiscard]] const Owner* judge(std::string_view key) const;
  /// Reads the file again. On an error what was loaded before stays in force.
  Result<void> reload();
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  using Digest = std::array<std::uint8_t, 32>;
  struct Key {
    Digest digest;
    Owner owner;
  };
  static Digest digest(std::string_view key);

  std::string file_;
  std::vector<Key> keys_;
};

}  // namespace nuropb::meshd::snorky
