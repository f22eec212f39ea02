# Nettle::nettle: the library of cryptographic functions; its static file when programs are linked without any
# shared library.
find_path(Nettle_INCLUDE_DIR nettle/hmac.h)
if(TRAINIT_STATIC)
  find_library(Nettle_LIBRARY NAMES libnettle.a)
else()
  find_library(Nettle_LIBRARY NAMES nettle libnettle.a)
endif()
mark_as_advanced(Nettle_INCLUDE_DIR Nettle_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Nettle REQUIRED_VARS Nettle_LIBRARY Nettle_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "on Debian the package nettle-dev has it")
if(Nettle_FOUND AND NOT TARGET Nettle::nettle)
  add_library(Nettle::nettle UNKNOWN IMPORTED)
  set_target_properties(Nettle::nettle PROPERTIES IMPORTED_LOCATION "${Nettle_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Nettle_INCLUDE_DIR}")
endif()
