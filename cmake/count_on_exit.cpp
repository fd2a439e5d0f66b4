// For the variant `coverage` alone: what a process has counted is written also when it ends by _exit(), as children of
// fork() do, or goes over into another by exec.
extern "C" {
void __gcov_dump();
void __gcov_reset();
[[noreturn]] void __real__exit(int status);
int __real_execve(const char* path, char* const* arguments, char* const* environment);

[[noreturn]] void __wrap__exit(int status) {
  __gcov_dump();
  __real__exit(status);
}
int __wrap_execve(const char* path, char* const* arguments, char* const* environment) {
  __gcov_dump();
  __gcov_reset();
  return __real_execve(path, arguments, environment);
}
}
