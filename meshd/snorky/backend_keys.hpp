#pragma once
// The keys of backends (docs/tasks/snorky.md): a TOML file, backend.key_file. Each key has a name, for the log; several
// keys are valid at a time, so that one can be replaced without an interruption.
//
//   [keys]
//   billing = "a-long-random-text"     # may do everything
//
//   [keys.reports]                     # may do what backend_scope.hpp says
//   key = "another-long-random-text"
//   may = ["publish"]
//   channels = ["reports.*"]
//
// Verified in meshd only. A key's SHA-256 is compared with all stored ones in constant time, so that neither time nor
// order reveals anything; the keys themselves do not stay in memory.

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

  /// An error names file, line and what is wrong, never the key.
  static Result<BackendKeys> load(const std::string& file);
  static Result<BackendKeys> parse(std::string_view toml, const std::string& name);

  struct Owner {
    std::string name;
    BackendScope scope;
  };
  /// The owner of the key; nullptr if it is unknown. Valid until the next reload().
  [[nodiscard]] const Owner* judge(std::string_view key) const;
  /// Reads the file again. On an error the previously loaded content stays in force.
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
