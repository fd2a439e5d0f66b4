#include "edge/net/port_claim.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace nuropb::edge {
namespace {

// @nuropb-gateway/port/8880/127.0.0.1/<device>/<inode>/<folder's path, hashed>/<process>
constexpr std::string_view beginning = "nuropb-gateway/port/";
enum Part : std::size_t { port_, address_, device_, inode_, path_, process_, parts };
using Claim = std::array<std::string, parts>;

std::string hexadecimal(std::uint64_t number) {
  std::string out;
  for (; out.empty() || number != 0; number >>= 4) out.insert(out.begin(), "0123456789abcdef"[number & 15]);
  return out;
}

std::string name_of(const Claim& claim) {
  std::string out(beginning);
  for (const std::string& part : claim) out += (out.size() == beginning.size() ? "" : "/") + part;
  return out;
}

std::optional<Claim> claim_of(std::string_view name) {
  if (!name.starts_with(beginning)) return {};
  name.remove_prefix(beginning.size());
  Claim out;
  for (std::size_t part = 0; part < parts; ++part) {
    const auto end = name.find('/');
    if ((end == std::string_view::npos) != (part + 1 == parts)) return {};
    out[part] = name.substr(0, end);
    name.remove_prefix(end == std::string_view::npos ? name.size() : end + 1);
  }
  return out;
}

bool is_any(std::string_view address) { return address == "::" || address == "0.0.0.0"; }

/// Whether the two claims exclude each other. "::" includes IPv4.
bool overlap(const Claim& a, const Claim& b) {
  if (a[port_] != b[port_]) return false;
  const bool v6_a = a[address_].find(':') != std::string::npos, v6_b = b[address_].find(':') != std::string::npos;
  if (a[address_] == b[address_] || a[address_] == "::" || b[address_] == "::") return true;
  return v6_a == v6_b && (is_any(a[address_]) || is_any(b[address_]));
}

/// The folder may have been recreated since, or be mounted elsewhere for another container of the same gateway.
bool same_gateway(const Claim& a, const Claim& b) {
  return a[device_] == b[device_] && (a[inode_] == b[inode_] || a[path_] == b[path_]);
}

socklen_t address_of(const std::string& name, sockaddr_un& out) {
  out.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), out.sun_path + 1);  // after a NUL byte: not in a file system
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

/// Names in the abstract namespace: the last column, with "@" for the NUL byte. Read below /proc/self, which systemd
/// leaves accessible (ProcSubset=pid).
std::vector<std::string> names_in_use() {
  std::vector<std::string> out;
  std::ifstream table("/proc/self/net/unix");
  for (std::string line; std::getline(table, line);) {
    const auto at = line.find(" @");
    if (at != std::string::npos && line.compare(at + 2, beginning.size(), beginning) == 0)
      out.push_back(line.substr(at + 2));
  }
  return out;
}

/// Whether the process that holds the name belongs to our user. One whose socket accepts no more connections counts as
/// ours.
bool is_of_our_user(const std::string& name) {
  sockaddr_un to{};
  const socklen_t size = address_of(name, to);
  const shm::UniqueFd link(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!link) return false;
  if (::connect(link.get(), reinterpret_cast<const sockaddr*>(&to), size) != 0) return errno == EAGAIN;
  ucred who{};
  socklen_t length = sizeof who;
  return ::getsockopt(link.get(), SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.uid == ::geteuid();
}

}  // namespace

Result<PortClaim> PortClaim::take(const std::string& address, std::uint16_t port, const std::string& folder) {
  PortClaim out;
  struct stat about{};
  if (folder.empty() || port == 0 || ::stat(folder.c_str(), &about) != 0) return out;
  std::error_code ignored;
  const std::string path = std::filesystem::weakly_canonical(folder, ignored).string();
  const Claim ours{std::to_string(port),
                   address,
                   hexadecimal(about.st_dev),
                   hexadecimal(about.st_ino),
                   hexadecimal(std::hash<std::string>()(path)),
                   std::to_string(::getpid())};
  const std::string name = name_of(ours);
  sockaddr_un at{};
  if (name.size() + 1 > sizeof at.sun_path) return out;
  const socklen_t size = address_of(name, at);
  // Our name is created before others are searched: if two start at the same time, at least one sees the other. Where a
  // security module forbids such names, nothing can be claimed or found.
  out.name_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!out.name_ || ::bind(out.name_.get(), reinterpret_cast<const sockaddr*>(&at), size) != 0 ||
      ::listen(out.name_.get(), SOMAXCONN) != 0) {
    out.name_.reset();
  }
  for (const std::string& other : names_in_use()) {
    const auto theirs = claim_of(other);
    if (theirs && overlap(ours, *theirs) && !same_gateway(ours, *theirs) && is_of_our_user(other))
      return failure("another gateway listens on it: process " + (*theirs)[process_]);
  }
  return out;
}

}  // namespace nuropb::edge
