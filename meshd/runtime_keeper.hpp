#pragma once
// Checks regularly whether meshd's files in the runtime folder still exist, and recreates them: cleaners of /run and
// /tmp remove old files, and without meshd.sock no new edge could attach.
//
// Each loss is logged and counted. What cannot be recreated is logged once and retried at each check. The ring loop's
// thread only.

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
  /// One of the sockets: whether its path still leads to it, and how to recreate it.
  struct Socket {
    std::string name;
    std::function<bool()> there;
    std::function<Result<void>()> make;
  };
  explicit RuntimeKeeper(Settings settings) : settings_(std::move(settings)) {}

  void watch(Socket socket) { sockets_.push_back(std::move(socket)); }
  void look();
  /// Number of recreated files, sockets and folders.
  [[nodiscard]] std::uint64_t restored() const { return restored_; }

 private:
  void failed(const Error& error);
  Settings settings_;
  std::vector<Socket> sockets_;
  std::uint64_t restored_ = 0;
  std::string said_;  // the failure that was logged, while it lasts
};

}  // namespace nuropb::meshd
