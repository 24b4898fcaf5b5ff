# Debian packages, one for each program, made by cpack from any build; `deploy/package` does all of it. What a package has beside its program is installed by
# packages only: it names absolute paths below /usr and /etc.
set(packages cli sensor aggregator)
set(package_cli nightjar)
set(package_sensor nightjar-sensor)
set(package_aggregator nightjar-aggregator)
set(says_cli "find what agents did in captures, and ask what was found
Replays packet captures into explained alerts, flows and agent windows; learns
baselines; queries the store of an aggregator; makes keys.")
set(says_sensor "network sensor: what agents on a tap do
Turns the packets of a tap into flows and flows into agent windows, and
delivers these to an aggregator.")
set(says_aggregator "network sensor: judge what agents do, and raise alerts
Receives agent windows from sensors, learns what is usual, and raises, stores
and prints alerts that explain themselves.")

set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)
set(manual ${CMAKE_BINARY_DIR}/manual)
set(made ${CMAKE_BINARY_DIR}/packaging)

foreach(name ${packages})
  set(program ${package_${name}})
  set(section 8)
  if(name STREQUAL cli)
    set(section 1)
  endif()
  add_custom_command(OUTPUT ${manual}/${program}.${section}.gz DEPENDS ${manual}/${program}.${section}
                     COMMAND gzip -9n < ${program}.${section} > ${program}.${section}.gz WORKING_DIRECTORY ${manual} VERBATIM)
  list(APPEND compressed ${manual}/${program}.${section}.gz)
  install(FILES ${manual}/${program}.${section}.gz DESTINATION share/man/man${section} COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES ${manual}/${program}.bash DESTINATION share/bash-completion/completions RENAME ${program} COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES ${manual}/_${program} DESTINATION share/zsh/vendor-completions COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES ${manual}/${program}.fish DESTINATION share/fish/vendor_completions.d COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES ${debian}/copyright ${manual}/changelog.gz DESTINATION share/doc/${program} COMPONENT ${name} EXCLUDE_FROM_ALL)

  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${program})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${says_${name}}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION net)
endforeach()
add_custom_command(OUTPUT ${manual}/changelog.gz DEPENDS CHANGELOG.md COMMAND gzip -9n < ${CMAKE_SOURCE_DIR}/CHANGELOG.md > changelog.gz WORKING_DIRECTORY ${manual} VERBATIM)
add_custom_target(compressed ALL DEPENDS ${compressed} ${manual}/changelog.gz)
add_dependencies(compressed manual)
install(FILES README.md docs/alert.schema.json docs/detectors.md docs/features.md docs/output.md docs/threat-model.md docs/wire.md
        DESTINATION share/doc/nightjar COMPONENT cli EXCLUDE_FROM_ALL)

# The services: unit, user, folder, a configuration to begin with, scripts that put them in place.
foreach(name sensor aggregator)
  set(service nightjar-${name})
  install(FILES deploy/systemd/${service}.service DESTINATION lib/systemd/system COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES ${debian}/${service}.sysusers DESTINATION lib/sysusers.d RENAME ${service}.conf COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES ${debian}/${service}.tmpfiles DESTINATION lib/tmpfiles.d RENAME ${service}.conf COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES deploy/${name}.yaml DESTINATION /etc/nightjar COMPONENT ${name} EXCLUDE_FROM_ALL)
  install(FILES docs/runbook.md docs/recovery.md DESTINATION share/doc/${service} COMPONENT ${name} EXCLUDE_FROM_ALL)
  set(scripts)
  foreach(script postinst prerm postrm)
    configure_file(${debian}/${script}.in ${made}/${service}/${script} @ONLY FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                   WORLD_READ WORLD_EXECUTE)
    list(APPEND scripts ${made}/${service}/${script})
  endforeach()
  file(WRITE ${made}/${service}/conffiles "/etc/nightjar/${name}.yaml\n")
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${scripts} ${made}/${service}/conffiles)
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers, procps") # procps: the unit reloads by kill
  set(CPACK_DEBIAN_${upper}_PACKAGE_SUGGESTS nightjar)
endforeach()
# Public keys of the sensors that may deliver; the administrator fills it.
install(DIRECTORY DESTINATION /etc/nightjar/authorized_sensors COMPONENT aggregator EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME nightjar)
# Each package has a summary of its own.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PACKAGE_CONTACT "whoever built this package <root@localhost>" CACHE STRING "Maintainer of the Debian packages")
set(CPACK_COMPONENTS_ALL ${packages})
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1 CACHE STRING "Revision of the Debian packages")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_STRIP_FILES ON)
# /etc lies outside the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
