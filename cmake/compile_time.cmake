# What keeps a build from nothing short: one precompiled header for all that ships, one for all unit tests, and batches.
# `scripts/build --times` shows where the time goes; CONTRIBUTING.md has the table.

# Asio and Beast, compiled once rather than in each file that uses them. All that links this sees their declarations only.
add_library(nuropb_asio STATIC ${CMAKE_CURRENT_LIST_DIR}/asio.cpp)
target_compile_features(nuropb_asio PRIVATE cxx_std_20)
target_compile_definitions(nuropb_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
target_link_libraries(nuropb_asio PUBLIC Boost::headers OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
# Sanitizers and coverage, and no warnings: the code is Boost's.
target_link_libraries(nuropb_asio PRIVATE nuropb_options)
target_compile_options(nuropb_asio PRIVATE -w)

# The headers that are heavy and used nearly everywhere: two thirds of the time of a typical file were spent on reading them.
# Precompiled once for all targets, because that costs as much as compiling a file: without Asio for the libraries that other
# programs link, which know nothing of it, and with Asio for the gateway's own.
set(nuropb_heavy_headers <algorithm> <chrono> <functional> <map> <memory> <optional> <string> <string_view> <unordered_map> <utility> <vector>
  <nlohmann/json.hpp>)
set(nuropb_heavy_asio_headers <boost/asio/io_context.hpp> <boost/asio/posix/stream_descriptor.hpp> <boost/asio/signal_set.hpp>
  <boost/asio/steady_timer.hpp>)
add_library(nuropb_precompiled OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cpp)
target_link_libraries(nuropb_precompiled PRIVATE nuropb_options nlohmann_json::nlohmann_json)
target_precompile_headers(nuropb_precompiled PRIVATE ${nuropb_heavy_headers})
add_library(nuropb_precompiled_asio OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cpp)
target_link_libraries(nuropb_precompiled_asio PRIVATE nuropb_options nlohmann_json::nlohmann_json nuropb_asio)
target_precompile_headers(nuropb_precompiled_asio PRIVATE ${nuropb_heavy_headers} ${nuropb_heavy_asio_headers})

# nuropb_precompile(TARGET [ASIO]): the target is compiled with those headers. Files include what they use all the same: this is
# only a matter of speed, and scripts/lint compiles without it.
function(nuropb_precompile target)
  if("ASIO" IN_LIST ARGN)
    target_link_libraries(${target} PRIVATE nuropb_asio)
    target_precompile_headers(${target} REUSE_FROM nuropb_precompiled_asio)
  else()
    target_precompile_headers(${target} REUSE_FROM nuropb_precompiled)
  endif()
endfunction()

# nuropb_batch(TARGET NAME FILE...): sources of the target that are compiled as one translation unit, so that what they all
# include is read and instantiated once. A batch should have about 1,500 lines, so that two cores end at the same time, and its
# files must not have two helpers of one name. Without batches (the preset `debug`, -DNUROPB_BATCHES=OFF) the files are compiled
# one by one: better while one file is worked on, and necessary for tools that look at files.
function(nuropb_batch target name)
  target_sources(${target} PRIVATE ${ARGN})
  if(NUROPB_BATCHES)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
    set_source_files_properties(${ARGN} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${name})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # GCC takes every file of a batch but the batch itself for a header, where a member of a local type would be a mistake.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()
