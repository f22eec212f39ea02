# The library as a package: find_package(trainit), then link trainit::trainit, or single layers of it.
# "cmake --install BUILD --component library" installs it without the binary. trainit::nccl is an optional component
# of the package, find_package(trainit COMPONENTS nccl), because who uses it needs NCCL's header too.
include(CMakePackageConfigHelpers)

set(trainit_layers trainit_base trainit_sys trainit_job trainit_hardware trainit_cluster trainit_environment
                   trainit_store)
add_library(trainit_all INTERFACE)
add_library(trainit::trainit ALIAS trainit_all)
set_target_properties(trainit_all PROPERTIES EXPORT_NAME trainit)
target_link_libraries(trainit_all INTERFACE ${trainit_layers})

# The public headers are C++20, which trainit_settings says to our own sources only.
target_compile_features(trainit_base PUBLIC cxx_std_20)

set(trainit_package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/trainit")
set(trainit_no_header)
if(NOT TARGET trainit_nccl)
  set(trainit_no_header PATTERN nccl.h EXCLUDE)
endif()
install(TARGETS trainit_all ${trainit_layers} EXPORT trainitTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/toolkit/include/trainit" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT library FILES_MATCHING PATTERN "*.h" ${trainit_no_header})
install(EXPORT trainitTargets NAMESPACE trainit:: DESTINATION "${trainit_package_directory}" COMPONENT library)
if(TARGET trainit_nccl)
  install(TARGETS trainit_nccl EXPORT trainitNcclTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library)
  install(EXPORT trainitNcclTargets NAMESPACE trainit:: DESTINATION "${trainit_package_directory}" COMPONENT library)
endif()

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/trainitConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/trainitConfig.cmake" INSTALL_DESTINATION "${trainit_package_directory}")
# Before 1.0 the interface may change with each minor version.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/trainitConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/trainitConfig.cmake" "${PROJECT_BINARY_DIR}/trainitConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/trainitNccl.cmake" "${CMAKE_CURRENT_LIST_DIR}/trainitNcclHeaders.cmake"
  DESTINATION "${trainit_package_directory}" COMPONENT library)
