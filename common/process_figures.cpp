#include "common/process_figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>

#include "common/text_file.hpp"

namespace nuropb {

std::optional<std::uint64_t> resident_bytes(pid_t process) {
  // The file has sizes in pages: total, resident, and others.
  const auto text = read_text_file("/proc/" + std::to_string(process) + "/statm", 4096);
  const auto space = text ? text->find(' ') : std::string::npos;
  if (space == std::string::npos) return {};
  std::uint64_t pages = 0;
  const auto [end, wrong] = std::from_chars(text->data() + space + 1, text->data() + text->size(), pages);
  if (wrong != std::errc{}) return {};
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> open_files() {
  std::error_code wrong;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", wrong), end; !wrong && at != end; at.increment(wrong))
    ++count;
  if (wrong || count == 0) return {};
  return count - 1;  // without the descriptor of this directory listing
}

std::uint64_t most_files() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace nuropb
