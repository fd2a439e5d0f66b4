# Compiler flags that every target of ours shares: link `nuropb_options`.
add_library(nuropb_options INTERFACE)
# A program that uses the installed library finds the same headers elsewhere, and chooses its own warnings.
target_include_directories(nuropb_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/nuropb-gateway>)
target_compile_features(nuropb_options INTERFACE $<INSTALL_INTERFACE:cxx_std_20>)
# So does a parent project that links a library of ours: warnings are for targets in our folders.
string(REGEX REPLACE "([][+.*()^$?|\\\\])" "\\\\\\1" our_folder "${PROJECT_SOURCE_DIR}")
set(is_ours "$<BOOL:$<FILTER:$<TARGET_PROPERTY:SOURCE_DIR>,INCLUDE,^${our_folder}(/|$)>>")
target_compile_options(nuropb_options INTERFACE $<BUILD_INTERFACE:$<${is_ours}:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wnon-virtual-dtor>>)
if(NUROPB_WERROR)
  target_compile_options(nuropb_options INTERFACE $<BUILD_INTERFACE:$<${is_ours}:-Werror>>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
  # GCC 12 and 14 see overflows in `"text" + std::string` that are not there (GCC bug 105329, mended in part in 13); GCC 16 does not.
  target_compile_options(nuropb_options INTERFACE $<BUILD_INTERFACE:$<${is_ours}:-Wno-restrict;-Wno-stringop-overflow;-Wno-array-bounds>>)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # libstdc++ 12 calls a function that it declares deprecated (in std::stable_partition), and clang says so where ours is instantiated.
  target_compile_options(nuropb_options INTERFACE $<BUILD_INTERFACE:$<${is_ours}:-Wno-deprecated-declarations>>)
endif()
target_compile_definitions(nuropb_options INTERFACE $<BUILD_INTERFACE:NUROPB_VERSION="${PROJECT_VERSION}">)

if(NUROPB_SANITIZE STREQUAL "address")
  # GCC's flow analysis loses its way in instrumented code: what it says there of uninitialized members is not so.
  target_compile_options(nuropb_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -Wno-maybe-uninitialized)
  target_link_options(nuropb_options INTERFACE -fsanitize=address,undefined)
elseif(NUROPB_SANITIZE STREQUAL "thread")
  # GCC's TSan does not model fences; the rings use operations only, and -Wno-tsan keeps libraries that use fences compiling.
  target_compile_options(nuropb_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer -g1 -Wno-tsan)
  target_link_options(nuropb_options INTERFACE -fsanitize=thread)
elseif(NOT NUROPB_SANITIZE STREQUAL "")
  message(FATAL_ERROR "NUROPB_SANITIZE is '${NUROPB_SANITIZE}': use 'address', 'thread' or nothing")
endif()
if(NUROPB_COVERAGE)
  # Threads count exactly; and the counts are files written at the end of a process, which no list of system calls has.
  target_compile_options(nuropb_options INTERFACE --coverage -fprofile-update=atomic)
  target_compile_definitions(nuropb_options INTERFACE NUROPB_NO_SECCOMP)
  target_link_options(nuropb_options INTERFACE --coverage -Wl,--wrap=_exit,--wrap=execve)
  add_library(nuropb_count_on_exit STATIC ${PROJECT_SOURCE_DIR}/cmake/count_on_exit.cpp)
  target_link_libraries(nuropb_options INTERFACE $<BUILD_INTERFACE:nuropb_count_on_exit>)
endif()
if(NUROPB_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "NUROPB_FUZZ needs clang's libFuzzer: -DCMAKE_CXX_COMPILER=clang++")
  endif()
  # The libraries too: without their coverage the fuzzer gropes in the dark.
  target_compile_options(nuropb_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(nuropb_options INTERFACE -fsanitize=address,undefined)
endif()
