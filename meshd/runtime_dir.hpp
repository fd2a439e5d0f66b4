#pragma once
// The folder that survives crashes of meshd: control socket, sealing secret, instance id, admin key. Mode 0700, or 0710
// if edges run as another user.

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

  /// Creates the folder if it is missing. Refuses one that others may write to.
  static Result<RuntimeDir> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  static std::string control_socket_of(const std::string& path) { return path + "/meshd.sock"; }
  [[nodiscard]] std::string control_socket() const { return control_socket_of(path_); }
  [[nodiscard]] std::string admin_socket() const { return path_ + "/admin.sock"; }
  /// Gives the edges' group access to the control socket only; everything else stays private to the owner.
  [[nodiscard]] Result<void> let_in(gid_t edges) const;
  /// Generated on first use, with mode 0600, and stored.
  [[nodiscard]] Result<SealedTickets::Secret> secret() const;
  [[nodiscard]] Result<std::string> instance_id() const;
  /// Key of the admin socket: text that is allowed in a header.
  [[nodiscard]] Result<std::string> admin_key() const;
  /// Recreates the folder and these files if they are missing, with the same content: the next meshd has to open our
  /// tickets and to be the same instance. `edges`: as in let_in(). Empty texts have no file. Returns the names of the
  /// missing ones.
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
