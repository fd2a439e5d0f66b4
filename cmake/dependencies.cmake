# Everything comes from the own packages of Debian 13 or 12; scripts/install-packages has the list, and
# docs/reference/platforms.md the versions that are tested.
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED CONFIG)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL 7.88 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(tl-expected 1.0 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(rabbitmq REQUIRED IMPORTED_TARGET librabbitmq>=0.11)
pkg_check_modules(cjose REQUIRED IMPORTED_TARGET cjose>=0.6.2)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp>=2.5)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)

# websocketpp 0.8.2 uses names of Asio that Boost 1.87 removed. What Debian testing and Ubuntu 26.04 package as
# 0.8.2+git20250909 uses the new ones, and works with any Boost from 1.74 on: -DWEBSOCKETPP_INCLUDE_DIR=FOLDER takes another
# websocketpp than the system's.
find_path(WEBSOCKETPP_INCLUDE_DIR websocketpp/server.hpp REQUIRED)
if(Boost_VERSION VERSION_GREATER_EQUAL 1.87)
  file(STRINGS ${WEBSOCKETPP_INCLUDE_DIR}/websocketpp/transport/asio/connection.hpp former_names REGEX "asio::io_service" LIMIT_COUNT 1)
  if(former_names)
    message(FATAL_ERROR "The websocketpp in ${WEBSOCKETPP_INCLUDE_DIR} does not work with Boost ${Boost_VERSION}: Boost 1.87 removed io_service. "
      "Use an older Boost (-DBoost_ROOT=FOLDER), or websocketpp 0.8.2+git20250909 (-DWEBSOCKETPP_INCLUDE_DIR=FOLDER)")
  endif()
endif()
add_library(nuropb_websocketpp INTERFACE IMPORTED)
target_include_directories(nuropb_websocketpp INTERFACE ${WEBSOCKETPP_INCLUDE_DIR})

if(NUROPB_TESTS)
  find_package(GTest REQUIRED)
endif()
