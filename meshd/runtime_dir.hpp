#pragma once
// The folder that outlives meshd's crashes: control socket, sealing secret, instance id. Mode 0700, ours alone;
// 0710 where edges are another user.

#include <sys/types.h>

#include <string>

#include "common/result.hpp"
#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {

class RuntimeDir {
 public:
  /// Makes the folder where it is missing. Refuses one that others may write to.
  static Result<RuntimeDir> open(const std::string& path);

  [[nodiscard]] std::string control_socket() const { return path_ + "/meshd.sock"; }
  [[nodiscard]] std::string admin_socket() const { return path_ + "/admin.sock"; }
  /// Lets the edges' group in, as far as the control socket; what else is here stays its owner's.
  [[nodiscard]] Result<void> let_in(gid_t edges) const;
  /// Made at first use, with mode 0600, and the same ever after.
  [[nodiscard]] Result<SealedTickets::Secret> secret() const;
  [[nodiscard]] Result<std::string> instance_id() const;

 private:
  explicit RuntimeDir(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<std::string> kept(const std::string& name, std::string (*make)(), std::size_t size) const;
  std::string path_;
};

}  // namespace nuropb::meshd
