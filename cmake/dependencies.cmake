# Every library Nightjar stands on; docs/dependencies.md says why each was chosen.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(module libpcap libndpi libzmq sqlite3 jansson yaml-0.1 libpsl libxxhash libcrypto zlib libzstd jemalloc
               libcap-ng libseccomp libsystemd)
  string(MAKE_C_IDENTIFIER ${module} id)
  pkg_check_modules(${id} REQUIRED IMPORTED_TARGET ${module})
endforeach()

# MessagePack-c's pkg-config file is msgpack on Debian 12 and msgpack-c on Debian 13.
pkg_search_module(msgpack REQUIRED IMPORTED_TARGET msgpack-c msgpack)
# Debian 13's file names its include folder relative to nowhere; the compiler finds the header by itself.
get_target_property(msgpack_folders PkgConfig::msgpack INTERFACE_INCLUDE_DIRECTORIES)
if(msgpack_folders)
  list(FILTER msgpack_folders INCLUDE REGEX "^/")
  set_target_properties(PkgConfig::msgpack PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${msgpack_folders}")
endif()
