# What keeps a clean build short on two cores.

# Precompiled headers: what most sources of a target include, read once a build. With GCC 12 an operator's source takes
# 0.4 s instead of 1.5.
option(TENON_PRECOMPILE "Precompile the headers that most sources include" ON)

# tenon_precompile(<target> <header>...)
function(tenon_precompile target)
  if(NOT TENON_PRECOMPILE)
    return()
  endif()
  target_precompile_headers(${target} PRIVATE ${ARGN})
  # ccache keeps objects made with precompiled headers only when told that these are known.
  if(TENON_CCACHE AND CMAKE_CXX_COMPILER_LAUNCHER STREQUAL TENON_CCACHE)
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER
      "${PROJECT_SOURCE_DIR}/cmake/ccache_precompiled;${TENON_CCACHE}")
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endfunction()

# tenon_optimize_less(<target> <regular expression> [EXCEPT <regular expression>...])
# Release builds compile the sources whose paths match, and match none of the exceptions, with -O1: those that decide
# what to compute, once a signature or a file, and leave the computing to kernels. Call it where the target is defined,
# when all its sources are known.
function(tenon_optimize_less target pattern)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "EXCEPT")
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "${pattern}")
  foreach(exception IN LISTS arg_EXCEPT)
    list(FILTER sources EXCLUDE REGEX "${exception}")
  endforeach()
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1>)
endfunction()
