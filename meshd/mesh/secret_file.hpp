#pragma once
// A password in a file of its own, which somebody else may renew (a token of an identity provider, a mounted secret).

#include <sys/stat.h>

#include <string>

#include "common/result.hpp"

namespace nuropb::mesh {

class SecretFile {
 public:
  static constexpr std::size_t largest = 64U << 10;

  /// `setting` is what names it, for errors.
  explicit SecretFile(std::string path, std::string setting = "amqp.password_file")
      : path_(std::move(path)), setting_(std::move(setting)) {}
  [[nodiscard]] bool named() const { return !path_.empty(); }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// Its text without the line's end. An error names the file, never what is in it.
  Result<std::string> read();
  /// The same of one that may have several lines.
  Result<std::string> read_lines();
  /// It looks different from when it was read: another file, size, or time of change. Also while it can't be looked at.
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
