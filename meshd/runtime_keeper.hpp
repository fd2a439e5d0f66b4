#pragma once
// Looks now and then whether what meshd needs in its runtime folder is still there, and makes it again: cleaners of /run and
// /tmp remove what looks old, and without meshd.sock no new edge could attach.
//
// Each loss is said in the log and counted. What can't be made again is said once, and tried again at each look.
// The ring loop's thread only.

#include <cstdint>
#include <functional>
#include <string>

#include "common/result.hpp"
#include "meshd/runtime_dir.hpp"

namespace nuropb::meshd {

class RuntimeKeeper {
 public:
  struct Settings {
    RuntimeDir folder;
    RuntimeDir::Kept kept;
  };
  /// One of the sockets: whether its path still leads to it, and how it is made again.
  struct Socket {
    std::string name;
    std::function<bool()> there;
    std::function<Result<void>()> make;
  };
  explicit RuntimeKeeper(Settings settings) : settings_(std::move(settings)) {}

  void watch(Socket socket) { sockets_.push_back(std::move(socket)); }
  void look();
  /// Files, sockets and folders that were made again.
  [[nodiscard]] std::uint64_t restored() const { return restored_; }

 private:
  void failed(const Error& error);
  Settings settings_;
  std::vector<Socket> sockets_;
  std::uint64_t restored_ = 0;
  std::string said_;  // what could not be made again, for as long as it can't
};

}  // namespace nuropb::meshd
