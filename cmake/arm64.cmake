# A toolchain file: compiles for arm64 on another machine, with Debian's cross compiler and libraries installed beside the
# machine's own (`dpkg --add-architecture arm64`; scripts/install-packages --arm64 --list names the packages).
#
#   cmake --preset arm64
#
# Tests run in the emulator of qemu-user. scripts/test arm64 does all of it in a root folder of its own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)

# Programs that a build runs are of this machine. Libraries are found by the name of the architecture, /usr/lib/aarch64-linux-gnu,
# and headers that are the same for all of them in /usr/include.
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
