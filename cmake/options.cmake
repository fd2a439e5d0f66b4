# Compiler flags that every target of ours shares: link `nuropb_options`.
add_library(nuropb_options INTERFACE)
# A program that uses the installed library finds the same headers elsewhere, and chooses its own warnings.
target_include_directories(nuropb_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/nuropb-gateway>)
target_compile_features(nuropb_options INTERFACE $<INSTALL_INTERFACE:cxx_std_20>)
target_compile_options(nuropb_options INTERFACE $<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wnon-virtual-dtor;-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overflows in `"text" + std::string` that are not there (GCC bug 105329, fixed in 13).
  target_compile_options(nuropb_options INTERFACE $<BUILD_INTERFACE:-Wno-restrict;-Wno-stringop-overflow;-Wno-array-bounds>)
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

# Names the precompiled header of a target with many translation units: standard headers, and what else is given.
function(nuropb_precompile target)
  target_precompile_headers(${target} PRIVATE <string> <string_view> <vector> <memory> <functional> <optional> <unordered_map> <chrono> ${ARGN})
endfunction()
set(nuropb_asio_headers <boost/asio/io_context.hpp> <boost/asio/posix/stream_descriptor.hpp> <boost/asio/signal_set.hpp> <boost/asio/steady_timer.hpp>)

# Several files of one translation unit, so that what they all include is instantiated once: six at a time of the whole
# target, or the files that are named. Two files' helpers of one name then clash, so it is not for every target.
function(nuropb_in_batches target)
  if(NOT NUROPB_BATCHES)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  if(ARGN)
    set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
    list(GET ARGN 0 first)
    set_source_files_properties(${ARGN} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${first})
  endif()
endfunction()
