#include "meshd/runtime_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/errno_text.hpp"
#include "common/ids.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::meshd {
Result<RuntimeDir> RuntimeDir::open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return failure("can't be created: " + errno_text(), path, "gateway.runtime_dir names it");
  struct stat st{};
  if (::lstat(path.c_str(), &st) != 0) return failure(errno_text(), path);
  if (!S_ISDIR(st.st_mode)) return failure("is not a folder", path, "gateway.runtime_dir names it");
  if (st.st_uid != ::geteuid())
    return failure("belongs to user " + std::to_string(st.st_uid), path,
                   "it has to belong to the user that meshd runs as");
  if (st.st_mode & 0022)
    return failure("other users may write to it", path,
                   "remove write permission for others (chmod go-w): it holds the secret that seals identities");
  return RuntimeDir(path);
}

Result<void> RuntimeDir::let_in(gid_t edges) const {
  if (::chown(path_.c_str(), static_cast<uid_t>(-1), edges) != 0) {
    return failure("can't be given to the group of hardening.edge_user: " + errno_text(), path_,
                   "let meshd's user be a member of that group");
  }
  if (::chmod(path_.c_str(), 0710) != 0) return failure(errno_text(), path_);
  return {};
}

Result<std::string> RuntimeDir::kept(const std::string& name, std::string (*make)(), std::size_t size) const {
  const std::string file = path_ + "/" + name;
  shm::UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!in && errno != ENOENT) return failure("can't be read: " + errno_text(), file);
  if (in) {
    std::string text(size + 1, '\0');
    const ssize_t n = ::read(in.get(), text.data(), text.size());
    if (n != static_cast<ssize_t>(size))
      return failure("does not have " + std::to_string(size) + " bytes", file, "remove it, and a new one is created");
    text.resize(size);
    return text;
  }
  return write(name, make());
}

/// Written to a temporary file and renamed: after a crash there is either no file or a complete one.
Result<std::string> RuntimeDir::write(const std::string& name, const std::string& text) const {
  const std::string file = path_ + "/" + name, fresh = file + ".new";
  shm::UniqueFd out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) return failure("can't be written: " + errno_text(), fresh);
  if (::write(out.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(out.get()) != 0 ||
      ::rename(fresh.c_str(), file.c_str()) != 0) {
    return failure("can't be written: " + errno_text(), file);
  }
  return text;
}

Result<std::vector<std::string>> RuntimeDir::restore(const Kept& kept) const {
  std::vector<std::string> missing;
  struct stat st{};
  if (::lstat(path_.c_str(), &st) != 0 && errno == ENOENT) {
    if (const auto made = open(path_); !made) return tl::unexpected(made.error());
    if (const auto in = kept.edges ? let_in(*kept.edges) : Result<void>(); !in) return tl::unexpected(in.error());
    missing.emplace_back(".");
  }
  for (const auto& [name, text] :
       {std::pair<std::string, std::string>("secret", {kept.secret.begin(), kept.secret.end()}),
        std::pair<std::string, std::string>("instance", kept.instance),
        std::pair<std::string, std::string>(admin_key_name, kept.admin_key)}) {
    if (text.empty() || ::lstat((path_ + "/" + name).c_str(), &st) == 0 || errno != ENOENT) continue;
    if (const auto written = write(name, text); !written) return tl::unexpected(written.error());
    missing.push_back(name);
  }
  return missing;
}

Result<SealedTickets::Secret> RuntimeDir::secret() const {
  SealedTickets::Secret secret{};
  const auto text = kept(
      "secret",
      [] {
        std::string bytes(std::tuple_size_v<SealedTickets::Secret>, '\0');
        random_bytes(bytes.data(), bytes.size());
        return bytes;
      },
      secret.size());
  if (!text) return tl::unexpected(text.error());
  std::copy(text->begin(), text->end(), secret.begin());
  return secret;
}

Result<std::string> RuntimeDir::instance_id() const { return kept("instance", random_hex32, 32); }

Result<std::string> RuntimeDir::admin_key() const {
  return kept(admin_key_name, [] { return random_hex32() + random_hex32(); }, 64);
}

}  // namespace nuropb::meshd
