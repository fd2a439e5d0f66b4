// For the variant `coverage` alone: what a child of fork() has counted is written when it ends by _exit(), too.
extern "C" {
void __gcov_dump();
[[noreturn]] void __real__exit(int status);

[[noreturn]] void __wrap__exit(int status) {
  __gcov_dump();
  __real__exit(status);
}
}
