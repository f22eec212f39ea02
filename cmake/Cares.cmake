# trainit_cares: the library that asks DNS, for the launcher only. A static binary needs libcares.a, which Debian's
# libc-ares-dev has; elsewhere the shared one will do.
find_path(TRAINIT_CARES_INCLUDE ares.h DOC "Directory of c-ares' header")
if(TRAINIT_STATIC)
  find_library(TRAINIT_CARES_LIBRARY NAMES libcares.a libcares_static.a DOC "c-ares, as a static library")
else()
  find_library(TRAINIT_CARES_LIBRARY NAMES libcares.a libcares_static.a cares DOC "c-ares")
endif()
if(NOT TRAINIT_CARES_INCLUDE OR NOT TRAINIT_CARES_LIBRARY)
  message(FATAL_ERROR "c-ares is not there, which the launcher looks up host names with: install libc-ares-dev, "
                      "or set TRAINIT_CARES_INCLUDE and TRAINIT_CARES_LIBRARY")
endif()
add_library(trainit_cares INTERFACE)
target_include_directories(trainit_cares SYSTEM INTERFACE "${TRAINIT_CARES_INCLUDE}")
target_link_libraries(trainit_cares INTERFACE "${TRAINIT_CARES_LIBRARY}")
