# What `cmake --install` lays down: the program, the library, the public headers and the CMake package Tenon.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Tenon")

# Headers name each other by their path below src/, so both include/ and include/tenon/ are on the consumer's path.
target_include_directories(tenon INTERFACE
  "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/tenon>")

install(TARGETS tenon EXPORT TenonTargets)
if(TARGET tenon_program)
  file(RELATIVE_PATH library_from_program "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set_target_properties(tenon_program PROPERTIES INSTALL_RPATH "$ORIGIN/${library_from_program}")
  install(TARGETS tenon_program)
endif()

# The insides of backends, the program's own headers and those of tests are not public.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/" "${PROJECT_BINARY_DIR}/gen/"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/tenon"
  FILES_MATCHING PATTERN "*.h"
  PATTERN "src/cli" EXCLUDE PATTERN "gen/cli" EXCLUDE PATTERN "kernels" EXCLUDE PATTERN "testing.h" EXCLUDE
  PATTERN "yaml_tree.h" EXCLUDE)

install(EXPORT TenonTargets NAMESPACE Tenon:: DESTINATION "${package_dir}")
configure_package_config_file(cmake/TenonConfig.cmake.in "${PROJECT_BINARY_DIR}/TenonConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/TenonConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/TenonConfig.cmake" "${PROJECT_BINARY_DIR}/TenonConfigVersion.cmake"
  DESTINATION "${package_dir}")
if(NOT BUILD_SHARED_LIBS)
  # A static library hands its dependencies on to whoever links it.
  install(FILES cmake/deps.cmake DESTINATION "${package_dir}" RENAME TenonDependencies.cmake)
endif()
