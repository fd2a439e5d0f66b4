# A Debian package of the gateway: `scripts/package`, or by hand
#
#   scripts/build release && cpack --config build/release/CPackConfig.cmake
#
# deploy/package has what only the package needs; tests/integration/deploy installs, upgrades and removes it.
include(GNUInstallDirs)

# What programs say of themselves, and what only needs packing: BUILD/share is laid out as /usr/share.
set(share ${PROJECT_BINARY_DIR}/share)
set(pages)
foreach(page nuropb-meshd nuropb-edge nuropb-gateway)
  set(program $<TARGET_FILE_DIR:nuropb-meshd>/${page})
  if(page STREQUAL "nuropb-gateway")
    set(program ${PROJECT_SOURCE_DIR}/scripts/nuropb-gateway)
  endif()
  add_custom_command(OUTPUT ${share}/man/man8/${page}.8 VERBATIM
    COMMAND ${CMAKE_COMMAND} -E make_directory ${share}/man/man8
    COMMAND python3 ${PROJECT_SOURCE_DIR}/deploy/package/manual.py ${program} ${PROJECT_VERSION} ${share}/man/man8/${page}.8
    DEPENDS deploy/package/manual.py scripts/nuropb-gateway nuropb-meshd nuropb-edge)
  list(APPEND pages ${share}/man/man8/${page}.8)
endforeach()
add_custom_target(package_contents DEPENDS ${pages})
add_dependencies(package_contents nuropb-meshd nuropb-edge nuropb-ctl nuropb-demo-service)

# cpack with Ninja builds nothing by itself.
install(CODE "execute_process(COMMAND \"${CMAKE_COMMAND}\" --build \"${PROJECT_BINARY_DIR}\" --target package_contents OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)" COMPONENT gateway)

install(TARGETS nuropb-meshd nuropb-edge DESTINATION sbin COMPONENT gateway)
install(TARGETS nuropb-ctl DESTINATION bin COMPONENT gateway)
install(TARGETS nuropb-demo-service DESTINATION libexec/nuropb-gateway COMPONENT gateway)
install(PROGRAMS scripts/nuropb-gateway DESTINATION share/nuropb-gateway COMPONENT gateway)
install(DIRECTORY scripts/lib/launcher DESTINATION share/nuropb-gateway/lib COMPONENT gateway FILES_MATCHING PATTERN "*.py")
install(FILES deploy/systemd/nuropb-meshd.service deploy/systemd/nuropb-edge@.service deploy/systemd/nuropb-gateway.target
  DESTINATION /usr/lib/systemd/system COMPONENT gateway)
install(FILES deploy/systemd/nuropb-gateway.sysusers.conf DESTINATION /usr/lib/sysusers.d RENAME nuropb-gateway.conf COMPONENT gateway)
install(FILES deploy/systemd/nuropb-gateway.tmpfiles.conf DESTINATION /usr/lib/tmpfiles.d RENAME nuropb-gateway.conf COMPONENT gateway)
install(FILES deploy/package/gateway.toml DESTINATION /etc/nuropb-gateway COMPONENT gateway)

# A package runs on the release that it was built on, whose libraries it needs: the release is the end of its version, and so
# in its file's name. 0.1.0+deb13 is newer than 0.1.0+deb12, so that an upgrade of the system brings the other package.
cmake_host_system_information(RESULT system QUERY DISTRIB_INFO)
set(package_release ${system_ID}${system_VERSION_ID})
if(NOT system_VERSION_ID)
  # Debian testing has a name and no number.
  set(package_release ${system_ID}${system_VERSION_CODENAME})
endif()
string(REGEX REPLACE "^debian" "deb" package_release "${package_release}")
string(REGEX REPLACE "[^A-Za-z0-9.]" "" package_release "${package_release}")
set(package_version ${PROJECT_VERSION}+${package_release})

set(contact "NuroPb gateway developers <nuropb-gateway@example.org>")

# The documents keep their places to one another, so that their links hold.
set(documents share/doc/nuropb-gateway)
install(FILES deploy/package/copyright README.md CHANGELOG.md DESTINATION ${documents} COMPONENT gateway)
install(DIRECTORY docs DESTINATION ${documents} COMPONENT gateway)
install(FILES deploy/nuropb-gateway.toml DESTINATION ${documents}/deploy COMPONENT gateway)
foreach(folder nginx haproxy prometheus grafana)
  if(EXISTS ${PROJECT_SOURCE_DIR}/deploy/${folder})
    install(DIRECTORY deploy/${folder} DESTINATION ${documents}/deploy COMPONENT gateway)
  endif()
endforeach()
install(DIRECTORY ${share}/ DESTINATION share COMPONENT gateway OPTIONAL)
install(CODE [[
  set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
  file(GLOB_RECURSE manuals "${root}/share/man/*.[1-9]")
  file(MAKE_DIRECTORY "${root}/bin")
  file(CREATE_LINK ../share/nuropb-gateway/nuropb-gateway "${root}/bin/nuropb-gateway" SYMBOLIC)
]] COMPONENT gateway)
install(CODE "
  string(TIMESTAMP day \"%a, %d %b %Y %H:%M:%S +0000\" UTC)
  file(WRITE \"\${root}/${documents}/changelog\"
    \"nuropb-gateway (${package_version}) unstable; urgency=medium\\n\\n  * What is new: CHANGELOG.md beside this file.\\n\\n -- ${contact}  \${day}\\n\")
  foreach(file \${manuals} \"\${root}/${documents}/changelog\")
    execute_process(COMMAND gzip -9nf \"\${file}\" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
" COMPONENT gateway)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME nuropb-gateway)
set(CPACK_DEBIAN_PACKAGE_VERSION ${package_version})
set(CPACK_PACKAGE_VENDOR "NuroPb gateway")
set(CPACK_PACKAGE_CONTACT "${contact}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "WebSocket gateway to a NuroPb service mesh on RabbitMQ")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"WebSocket consumers call services on a NuroPb mesh, which lives on RabbitMQ.
Small, disposable edge processes hold the sockets; one process, meshd, holds
the AMQP connection and the only broker credentials; between them are rings in
shared memory. Kill an edge, and only its own sockets drop. Kill meshd, and no
socket drops.")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})
set(CPACK_COMPONENTS_ALL gateway)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "python3:any, systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "rabbitmq-server")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/deploy/package/postinst;${PROJECT_SOURCE_DIR}/deploy/package/prerm;${PROJECT_SOURCE_DIR}/deploy/package/postrm;${PROJECT_SOURCE_DIR}/deploy/package/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
