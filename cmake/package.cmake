# The mesh library for other programs: `cmake --install BUILD --component mesh`, then
#
#   find_package(nuropb-gateway 0.1 REQUIRED)
#   target_link_libraries(service PRIVATE nuropb::mesh)
#
# tests/package is such a program.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/nuropb-gateway)
set_target_properties(nuropb_options PROPERTIES EXPORT_NAME options)
set_target_properties(nuropb_vocabulary PROPERTIES EXPORT_NAME vocabulary)
set_target_properties(nuropb_mesh PROPERTIES EXPORT_NAME mesh)
install(TARGETS nuropb_mesh nuropb_vocabulary nuropb_options EXPORT nuropb-gateway
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT mesh)
install(EXPORT nuropb-gateway NAMESPACE nuropb:: DESTINATION ${package_dir} COMPONENT mesh)

# Headers keep their paths, so that they include one another there as here.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/common DESTINATION include/nuropb-gateway COMPONENT mesh
  FILES_MATCHING PATTERN "*.hpp" PATTERN "config*" EXCLUDE PATTERN "program.hpp" EXCLUDE)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/meshd/mesh ${PROJECT_SOURCE_DIR}/meshd/amqp DESTINATION include/nuropb-gateway/meshd
  COMPONENT mesh FILES_MATCHING PATTERN "*.hpp"
  PATTERN "configure.hpp" EXCLUDE PATTERN "election.hpp" EXCLUDE PATTERN "service_container.hpp" EXCLUDE PATTERN "set_up.hpp" EXCLUDE)  # nuropb_container's

configure_package_config_file(cmake/nuropb-gateway-config.cmake.in nuropb-gateway-config.cmake INSTALL_DESTINATION ${package_dir})
# While the first number is 0, the second may change what programs see.
write_basic_package_version_file(nuropb-gateway-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/nuropb-gateway-config.cmake ${PROJECT_BINARY_DIR}/nuropb-gateway-config-version.cmake
  DESTINATION ${package_dir} COMPONENT mesh)
