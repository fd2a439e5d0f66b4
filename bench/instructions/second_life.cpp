// LD_PRELOAD for an edge under callgrind: an edge re-executes itself through /proc/self/exe (edge/process/own_settings.cpp),
// which under valgrind would execute valgrind. So the first image runs normally, and the second one under callgrind.

#include <dlfcn.h>
#include <unistd.h>

#include <cstring>
#include <vector>

extern "C" int execve(const char* path, char* const argv[], char* const envp[]) {
  using Execve = int (*)(const char*, char* const*, char* const*);
  const auto next = reinterpret_cast<Execve>(::dlsym(RTLD_NEXT, "execve"));
  if (std::strcmp(path, "/proc/self/exe") != 0) return next(path, argv, envp);
  static char program[4096];
  if (const ssize_t n = ::readlink(path, program, sizeof program - 1); n <= 0) return -1;
  static char valgrind[] = "/usr/bin/valgrind", tool[] = "--tool=callgrind",
              no_file[] = "--callgrind-out-file=/dev/null";
  std::vector<char*> words{valgrind, tool, no_file, program};
  for (char* const* word = argv + 1; *word; ++word) words.push_back(*word);
  words.push_back(nullptr);
  return next(valgrind, words.data(), envp);
}
