#pragma once
// A password in a file of its own, which another program may renew (a token of an identity provider, a mounted secret).

#include <sys/stat.h>

#include <string>

#include "common/result.hpp"

namespace nuropb::mesh {

class SecretFile {
 public:
  static constexpr std::size_t largest = 64U << 10;

  /// `setting` is the name of the setting for error messages.
  explicit SecretFile(std::string path, std::string setting = "amqp.password_file")
      : path_(std::move(path)), setting_(std::move(setting)) {}
  [[nodiscard]] bool named() const { return !path_.empty(); }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// The file's text without the trailing newline. An error names the file, never its content.
  Result<std::string> read();
  /// The same for a file with several lines.
  Result<std::string> read_lines();
  /// True if the file differs from when it was read, by identity, size or time of change, or cannot be examined.
  [[nodiscard]] bool changed() const;

 private:
  struct Look {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    timespec changed{};
  };
  [[nodiscard]] Look look() const;
  std::string path_, setting_;
  Look read_{};
};

}  // namespace nuropb::mesh
