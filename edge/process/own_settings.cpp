#include "edge/process/own_settings.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/life_sign.hpp"
#include "common/program.hpp"
#include "common/service_notice.hpp"
#include "common/standard_streams.hpp"
#include "edge/net/tls_config.hpp"
#include "shm/layout.hpp"
#include "shm/unique_fd.hpp"

extern char** environ;

namespace nuropb::edge {
namespace {

using program::permanent_fault;
constexpr int settings_fd = 3, life_sign_fd = 4;
constexpr off_t largest = 1 << 20;
constexpr std::string_view second_life = "--own-settings";

int fail(const std::string& what) {
  complain("nuropb-edge: " + what + ": " + std::strerror(errno));
  return permanent_fault;
}

/// Environment variables that an edge needs: library paths and options, and languages. No others are passed on, in
/// particular not NUROPB_….
bool needed(std::string_view variable) {
  constexpr std::array names{"PATH=",
                             "HOME=",
                             "LANG=",
                             "LC_",
                             "TZ=",
                             "TMPDIR=",
                             "LD_LIBRARY_PATH=",
                             "OPENSSL_CONF=",
                             "OPENSSL_MODULES=",
                             "ASAN_",
                             "UBSAN_",
                             "TSAN_",
                             "LSAN_",
                             "MALLOC_",
                             "GLIBC_TUNABLES="};
#ifdef NUROPB_CRASH_POINTS
  if (variable.starts_with("NUROPB_CRASH_AT=")) return true;
#endif
  for (const std::string_view name : names) {
    if (variable.starts_with(name)) return true;
  }
  return std::ranges::any_of(ServiceNotice::variables, [&](const auto name) { return variable.starts_with(name); });
}

int begin_second_life(const OwnSettings& settings, char** argv) {
  const std::string text = config_for_edges(settings.config);
  shm::UniqueFd memory(::memfd_create("nuropb-edge-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::write(memory.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail("no memory for the settings");
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return fail("the settings can't be sealed");
  const std::vector<std::string> words{argv[0],
                                       std::string(second_life),
                                       settings.port_file,
                                       settings.backend_port_file,
                                       settings.lines_port_file,
                                       settings.console_port_file};
  std::vector<char*> arguments, environment;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  for (char** variable = environ; *variable; ++variable) {
    if (needed(*variable)) environment.push_back(*variable);
  }
  // Passes on no inherited descriptor except the one for life signs; that one and the settings get fixed numbers.
  std::string life_sign = std::string(LifeSign::variable) + "=" + std::to_string(life_sign_fd);
  int sign = LifeSign::inherited();
  if (sign >= 0) {
    sign = ::fcntl(sign, F_DUPFD, life_sign_fd + 1);
    if (sign < 0) return fail("the descriptor for life signs can't be kept");
    environment.push_back(life_sign.data());
  }
  environment.push_back(nullptr);
  if (::dup2(memory.get(), settings_fd) != settings_fd) return fail("the settings can't be passed on");
  if (memory.get() == settings_fd) {
    (void)memory.release();
    if (::fcntl(settings_fd, F_SETFD, 0) != 0) return fail("the settings can't be passed on");
  }
  if (sign >= 0 && ::dup2(sign, life_sign_fd) != life_sign_fd)
    return fail("the descriptor for life signs can't be kept");
  if (::close_range(sign >= 0 ? life_sign_fd + 1 : life_sign_fd, ~0U, 0) != 0)
    return fail("inherited descriptors can't be closed");
  ::execve("/proc/self/exe", arguments.data(), environment.data());
  return fail("/proc/self/exe can't be executed");
}

tl::expected<OwnSettings, int> handed_over(char** argv) {
  ::prctl(PR_SET_NAME, "nuropb-edge", 0, 0, 0);  // instead of "exe", the name of the executed file
  shm::UniqueFd memory(settings_fd);
  const off_t size = ::lseek(memory.get(), 0, SEEK_END);
  if (size < 0 || size > largest) return tl::unexpected(fail("no settings were passed on"));
  std::string text(static_cast<std::size_t>(size), '\0');
  if (::pread(memory.get(), text.data(), text.size(), 0) != size)
    return tl::unexpected(fail("the settings can't be read"));
  auto config = parse_config(text, "");
  if (!config) {
    complain(config.error().text());
    return tl::unexpected(permanent_fault);
  }
  return OwnSettings{std::move(*config), argv[2], argv[3], argv[4], argv[5]};
}

}  // namespace

tl::expected<OwnSettings, int> own_settings(int argc, char** argv) {
  if (argc == 6 && argv[1] == second_life) return handed_over(argv);
  OwnSettings out;
  auto config = config_from_command_line(
      argc, argv, "nuropb-edge", "WebSocket edge of the NuroPb gateway", check_tls,
      {{"--port-file", "Writes the port that it listens on to this file", &out.port_file},
       {"--backend-port-file", "The same for the port of backends", &out.backend_port_file},
       {"--lines-port-file", "The same for the port of JSON lines", &out.lines_port_file},
       {"--console-port-file", "The same for the port of the console", &out.console_port_file}},
      " (ABI " + std::to_string(shm::abi) + ")");
  if (!config) return tl::unexpected(config.error());
  out.config = std::move(*config);
  return tl::unexpected(begin_second_life(out, argv));
}

}  // namespace nuropb::edge
