#pragma once
// The folder that outlives meshd's crashes: control socket, sealing secret, instance id, admin key. Mode 0700, ours alone;
// 0710 where edges are another user.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {

class RuntimeDir {
 public:
  static constexpr const char* admin_key_name = "admin.key";

  /// Makes the folder where it is missing. Refuses one that others may write to.
  static Result<RuntimeDir> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  static std::string control_socket_of(const std::string& path) { return path + "/meshd.sock"; }
  [[nodiscard]] std::string control_socket() const { return control_socket_of(path_); }
  [[nodiscard]] std::string admin_socket() const { return path_ + "/admin.sock"; }
  /// Lets the edges' group in, as far as the control socket; what else is here stays its owner's.
  [[nodiscard]] Result<void> let_in(gid_t edges) const;
  /// Made at first use, with mode 0600, and the same ever after.
  [[nodiscard]] Result<SealedTickets::Secret> secret() const;
  [[nodiscard]] Result<std::string> instance_id() const;
  /// Of the admin socket: text that may stand in a header.
  [[nodiscard]] Result<std::string> admin_key() const;
  /// Makes the folder and these files again where they are missing, as they were: the next meshd has to open our tickets,
  /// and to be the same instance. `edges`: as in let_in(). An empty text is in no file. Which ones were missing.
  struct Kept {
    SealedTickets::Secret secret{};
    std::string instance, admin_key;
    std::optional<gid_t> edges;
  };
  [[nodiscard]] Result<std::vector<std::string>> restore(const Kept& kept) const;

 private:
  explicit RuntimeDir(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<std::string> kept(const std::string& name, std::string (*make)(), std::size_t size) const;
  [[nodiscard]] Result<std::string> write(const std::string& name, const std::string& text) const;
  std::string path_;
};

}  // namespace nuropb::meshd
