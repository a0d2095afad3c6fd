# How a folder of src/ says what it is made of. The list is the registration: what a folder's CMakeLists.txt names is
# compiled, what is a catalogue entry is also written into the catalogue, and a .cpp in no list stops the configure step.
#
#   tenon_sources(error.cpp text.cpp)         # plain sources of the library
#   tenon_tests(error_test.cpp)               # GoogleTest sources; one executable a module, test_<module>
#
# A catalogue is a list of constants, one a file. Its home folder declares it:
#
#   # src/ops/CMakeLists.txt
#   tenon_catalog(ops TYPE tenon::OpDef HEADER ops/op.h NAMESPACE tenon::op FUNCTION all)
#
# Any folder adds entries to it, one source an entry, named in snake_case (MatMul: mat_mul.cpp, GatherND: gather_nd.cpp,
# LSTM: lstm.cpp, ReduceL2: reduce_l2.cpp, QLinearConv: q_linear_conv.cpp):
#
#   # src/ops/math/CMakeLists.txt
#   tenon_catalog_entries(ops Abs MatMul)
#
# A home folder that holds all entries itself says both at once:
#
#   # src/graph/passes/CMakeLists.txt
#   tenon_catalog(passes TYPE tenon::Pass HEADER graph/pass.h NAMESPACE tenon::passes FUNCTION all
#                 ENTRIES FoldConstants FuseConv)
#
# Every entry's file defines exactly one constant, and includes its folder's generated header, whose `extern` gives the
# constant external linkage:
#
#   // src/ops/math/abs.cpp
#   #include "ops/math/catalog.h"              // namespace tenon::op { extern const tenon::OpDef Abs; ... }
#   namespace tenon::op { constinit const OpDef Abs = {...}; }
#
# Readers include the home folder's generated header, which includes those of all contributing folders:
#
#   #include "ops/catalog.h"
#   for (const tenon::OpDef* op : tenon::op::all()) ...     // std::span<const tenon::OpDef* const>, in list order
#
# List order is the order of the entries; between folders it is the order of their add_subdirectory. Generated files lie
# under <build>/gen and are rewritten only when their content changes. A listed entry without a file is a configure
# error; one whose file does not define it is a link error that names it.

# Where the following tenon_sources and catalogue entries go: the library, unless a folder sets it (src/cli does).
set(TENON_TARGET tenon)

# The build-wide facts the functions below collect.
define_property(GLOBAL PROPERTY TENON_LISTED BRIEF_DOCS "Absolute paths of all .cpp files that some list names")
define_property(GLOBAL PROPERTY TENON_CATALOGS BRIEF_DOCS "Names of the declared catalogues")

# tenon_sources(<file>...)
# Compiles plain sources of this folder.
function(tenon_sources)
  tenon_list_files(files ${ARGN})
  target_sources(${TENON_TARGET} PRIVATE ${files})
endfunction()

# tenon_listed(<file>...)
# Says that sources of this folder are compiled by other means than the functions here.
function(tenon_listed)
  tenon_list_files(files ${ARGN})
endfunction()

# tenon_list_files(<out> <file>...)
# Sets <out> to the absolute paths of the files, notes them as listed, and stops where one does not exist.
function(tenon_list_files out)
  set(files)
  foreach(file IN LISTS ARGN)
    set(path "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    if(NOT EXISTS "${path}")
      cmake_path(RELATIVE_PATH path BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE shown)
      tenon_here(here)
      message(FATAL_ERROR "${shown} is listed in ${here}/CMakeLists.txt but does not exist; create it or take it off the "
                          "list.")
    endif()
    list(APPEND files "${path}")
  endforeach()
  set_property(GLOBAL APPEND PROPERTY TENON_LISTED ${files})
  set(${out} ${files} PARENT_SCOPE)
endfunction()

# tenon_here(<out>)
# This folder, relative to the project: src/ops/math.
function(tenon_here out)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE here)
  set(${out} "${here}" PARENT_SCOPE)
endfunction()

# tenon_module(<out>)
# The module this folder belongs to: ops for src/ops/math, backends_cpu for src/backends/cpu/kernels.
function(tenon_module out)
  tenon_here(here)
  if(here MATCHES "^src/backends/([^/]+)")
    set(module "backends_${CMAKE_MATCH_1}")
  elseif(here MATCHES "^src/([^/]+)")
    set(module "${CMAKE_MATCH_1}")
  else()
    string(REPLACE "/" "_" module "${here}")
  endif()
  set(${out} "${module}" PARENT_SCOPE)
endfunction()

# tenon_file_name(<out> <Entry>)
# The source of an entry: capitals start words, a run of capitals is one word.
function(tenon_file_name out entry)
  string(REPLACE "NaN" "Nan" name "${entry}")
  string(REGEX REPLACE "([A-Z]+)([A-Z][a-z])" "\\1_\\2" name "${name}")
  string(REGEX REPLACE "([a-z0-9])([A-Z])" "\\1_\\2" name "${name}")
  string(TOLOWER "${name}" name)
  set(${out} "${name}.cpp" PARENT_SCOPE)
endfunction()

# tenon_catalog(<name> TYPE <C++ type> HEADER <header that defines it> NAMESPACE <namespace of the entries>
#               FUNCTION <function that returns them> [ENTRIES <Entry>...])
function(tenon_catalog name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TYPE;HEADER;NAMESPACE;FUNCTION" "ENTRIES")
  foreach(needed TYPE HEADER NAMESPACE FUNCTION)
    if(NOT arg_${needed})
      message(FATAL_ERROR "tenon_catalog(${name}) has no ${needed}; see cmake/catalog.cmake.")
    endif()
  endforeach()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tenon_catalog(${name}) does not know \"${arg_UNPARSED_ARGUMENTS}\"; see cmake/catalog.cmake.")
  endif()
  get_property(catalogs GLOBAL PROPERTY TENON_CATALOGS)
  tenon_here(here)
  foreach(other IN LISTS catalogs)
    get_property(home GLOBAL PROPERTY TENON_CATALOG_${other}_HOME)
    if(home STREQUAL here)
      message(FATAL_ERROR "${here}/CMakeLists.txt declares the catalogues ${other} and ${name}; a folder is the home of "
                          "one at most.")
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY TENON_CATALOGS ${name})
  set_property(GLOBAL PROPERTY TENON_CATALOG_${name}_HOME "${here}")
  set_property(GLOBAL PROPERTY TENON_CATALOG_${name}_TARGET "${TENON_TARGET}")
  foreach(fact TYPE HEADER NAMESPACE FUNCTION)
    set_property(GLOBAL PROPERTY TENON_CATALOG_${name}_${fact} "${arg_${fact}}")
  endforeach()
  tenon_catalog_entries(${name} ${arg_ENTRIES})
endfunction()

# tenon_catalog_entries(<name> <Entry>...)
function(tenon_catalog_entries name)
  tenon_here(here)
  get_property(catalogs GLOBAL PROPERTY TENON_CATALOGS)
  if(NOT name IN_LIST catalogs)
    message(FATAL_ERROR "${here}/CMakeLists.txt adds entries to the catalogue ${name}, which no folder before it declares "
                        "with tenon_catalog().")
  endif()
  get_property(known GLOBAL PROPERTY TENON_CATALOG_${name}_ENTRIES)
  foreach(entry IN LISTS ARGN)
    if(entry IN_LIST known)
      message(FATAL_ERROR "${here}/CMakeLists.txt adds ${entry} to the catalogue ${name}, which has it already.")
    endif()
    list(APPEND known ${entry})
    tenon_file_name(file ${entry})
    tenon_sources(${file})
  endforeach()
  get_property(folders GLOBAL PROPERTY TENON_CATALOG_${name}_FOLDERS)
  if(NOT here IN_LIST folders)
    set_property(GLOBAL APPEND PROPERTY TENON_CATALOG_${name}_FOLDERS "${here}")
  endif()
  set_property(GLOBAL APPEND PROPERTY TENON_CATALOG_${name}_ENTRIES ${ARGN})
  set_property(GLOBAL APPEND PROPERTY TENON_CATALOG_${name}_ENTRIES_OF_${here} ${ARGN})
endfunction()

# tenon_write_catalogs()
# Writes the generated headers and sources; called once, after all folders.
function(tenon_write_catalogs)
  get_property(catalogs GLOBAL PROPERTY TENON_CATALOGS)
  foreach(name IN LISTS catalogs)
    foreach(fact HOME TARGET TYPE HEADER NAMESPACE FUNCTION FOLDERS ENTRIES)
      get_property(${fact} GLOBAL PROPERTY TENON_CATALOG_${name}_${fact})
    endforeach()
    if(NOT EXISTS "${PROJECT_SOURCE_DIR}/src/${HEADER}")
      if(NOT ENTRIES)
        continue()
      endif()
      message(FATAL_ERROR "The catalogue ${name} names the header ${HEADER}, but src/${HEADER} does not exist.")
    endif()

    string(REGEX REPLACE "^src/" "" home "${HOME}")
    set(includes "")
    set(declarations "")
    foreach(folder IN LISTS FOLDERS)
      get_property(entries GLOBAL PROPERTY TENON_CATALOG_${name}_ENTRIES_OF_${folder})
      string(REGEX REPLACE "^src/" "" module_path "${folder}")
      set(declared "")
      foreach(entry IN LISTS entries)
        string(APPEND declared "extern const ${TYPE} ${entry};\n")
      endforeach()
      if(folder STREQUAL HOME)
        set(declarations "${declared}")
      else()
        string(APPEND includes "#include \"${module_path}/catalog.h\"\n")
        file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/gen/${module_path}/catalog.h" @ONLY CONTENT
"// The entries of the catalogue ${name} in ${folder}. Generated from ${folder}/CMakeLists.txt.
#pragma once

#include \"${HEADER}\"

namespace ${NAMESPACE} {

${declared}
}  // namespace ${NAMESPACE}
")
      endif()
    endforeach()

    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/gen/${home}/catalog.h" @ONLY CONTENT
"// The catalogue ${name}. Generated from ${HOME}/CMakeLists.txt.
#pragma once

#include <span>

#include \"${HEADER}\"
${includes}
namespace ${NAMESPACE} {

${declarations}
/// All entries, in list order. They live as long as the program.
std::span<const ${TYPE}* const> ${FUNCTION}();

}  // namespace ${NAMESPACE}
")

    list(LENGTH ENTRIES count)
    if(count EQUAL 0)
      set(body "  return {};")
    else()
      set(rows "")
      foreach(entry IN LISTS ENTRIES)
        string(APPEND rows "      &${entry},\n")
      endforeach()
      set(body "  static constexpr const ${TYPE}* entries[] = {\n${rows}  };\n  return entries;")
    endif()
    set(source "${PROJECT_BINARY_DIR}/gen/${home}/catalog.cpp")
    file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT
"// Generated from ${HOME}/CMakeLists.txt.
#include \"${home}/catalog.h\"

namespace ${NAMESPACE} {

std::span<const ${TYPE}* const> ${FUNCTION}() {
${body}
}

}  // namespace ${NAMESPACE}
")
    target_sources(${TARGET} PRIVATE "${source}")
  endforeach()
endfunction()

# tenon_tests(<file>... [LINK <target>...])
# GoogleTest sources of this folder, linked into the one test executable of the module, test_<module>, which CTest runs
# under the module's name and with the module as a label. Tests run in the project's root folder.
function(tenon_tests)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "LINK")
  tenon_list_files(files ${arg_UNPARSED_ARGUMENTS})
  if(NOT TENON_TESTS OR NOT files)
    return()
  endif()
  tenon_module(module)
  if(NOT TARGET test_${module})
    tenon_test_executable(test_${module})
    tenon_add_test(${module} test_${module} LABELS ${module})
  endif()
  target_sources(test_${module} PRIVATE ${files})
  if(NOT TENON_TARGET STREQUAL "tenon")
    target_link_libraries(test_${module} PRIVATE ${TENON_TARGET})
  endif()
  target_link_libraries(test_${module} PRIVATE ${arg_LINK})
endfunction()

# tenon_test(<name> SOURCES <file>... [LINK <target>...] [SHARDS <n>] [LABELS <label>...])
# A test executable of its own, for what crosses folders. With SHARDS, CTest runs it as n tests that share its cases.
function(tenon_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SHARDS" "SOURCES;LINK;LABELS")
  tenon_list_files(files ${arg_SOURCES})
  if(NOT TENON_TESTS)
    return()
  endif()
  tenon_test_executable(test_${name})
  target_sources(test_${name} PRIVATE ${files})
  target_link_libraries(test_${name} PRIVATE ${arg_LINK})
  if(NOT arg_SHARDS)
    tenon_add_test(${name} test_${name} LABELS ${name} ${arg_LABELS})
    return()
  endif()
  math(EXPR last "${arg_SHARDS} - 1")
  foreach(shard RANGE ${last})
    math(EXPR shown "${shard} + 1")
    tenon_add_test(${name}_${shown} test_${name} LABELS ${name} ${arg_LABELS}
                   ENVIRONMENT GTEST_TOTAL_SHARDS=${arg_SHARDS} GTEST_SHARD_INDEX=${shard})
  endforeach()
endfunction()

function(tenon_test_executable target)
  add_executable(${target})
  target_link_libraries(${target} PRIVATE tenon tenon_flags GTest::gtest_main)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
endfunction()

# tenon_add_script_test(<name> <script> [ARGS <argument>...] [LABELS <label>...])
# A test that is an executable script of this folder.
function(tenon_add_script_test name script)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "ARGS;LABELS")
  tenon_add_test(${name} "${CMAKE_CURRENT_SOURCE_DIR}/${script}" ARGS ${arg_ARGS} LABELS ${arg_LABELS})
endfunction()

# tenon_add_test(<name> <target or program> [ARGS <argument>...] [LABELS <label>...] [ENVIRONMENT <variable=value>...])
function(tenon_add_test name command)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "ARGS;LABELS;ENVIRONMENT")
  add_test(NAME ${name} COMMAND ${command} ${arg_ARGS} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES
    LABELS "${arg_LABELS}"
    ENVIRONMENT "${TENON_TEST_ENVIRONMENT};TENON_BUILD_DIR=${PROJECT_BINARY_DIR};${arg_ENVIRONMENT}"
    TIMEOUT 600)
endfunction()

# tenon_fuzz(<name> <file>... [CORPUS <folder>] [LINK <target>...])
# A fuzz target: sources that define LLVMFuzzerTestOneInput. With the preset fuzz it becomes a libFuzzer program,
# <build>/fuzz/<name>; everywhere else a test, fuzz_<name>, that runs it over the files of CORPUS, so that an input that
# once did harm is tried for ever.
function(tenon_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS" "LINK")
  tenon_list_files(files ${arg_UNPARSED_ARGUMENTS})
  if(NOT TENON_TESTS)
    return()
  endif()
  add_executable(fuzz_${name} ${files})
  target_link_libraries(fuzz_${name} PRIVATE tenon tenon_flags ${arg_LINK})
  set_target_properties(fuzz_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz" OUTPUT_NAME ${name})
  if(TENON_SANITIZE MATCHES "fuzzer")
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp")
    set(corpus)
    if(arg_CORPUS)
      set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS}")
    endif()
    tenon_add_test(fuzz_${name} fuzz_${name} ARGS ${corpus} LABELS fuzz)
  endif()
endfunction()

# tenon_example(<name> <file>... [ARGS <argument>...])
# A program of examples/, <build>/examples/<name>, and the test example_<name> that runs it: an example ends in a check
# of its own result.
function(tenon_example name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ARGS")
  tenon_list_files(files ${arg_UNPARSED_ARGUMENTS})
  add_executable(example_${name} ${files})
  target_link_libraries(example_${name} PRIVATE tenon tenon_flags)
  set_target_properties(example_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples" OUTPUT_NAME ${name})
  if(TENON_TESTS)
    tenon_add_test(example_${name} example_${name} ARGS ${arg_ARGS} LABELS examples)
  endif()
endfunction()

# tenon_bench(<name> <file>... [LINK <target>...])
# A program of bench/, <build>/bench/<name>, which `./dev bench <name>` runs.
function(tenon_bench name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  tenon_list_files(files ${arg_UNPARSED_ARGUMENTS})
  add_executable(bench_${name} ${files})
  target_link_libraries(bench_${name} PRIVATE tenon tenon_flags ${arg_LINK})
  set_target_properties(bench_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench" OUTPUT_NAME ${name})
endfunction()

# tenon_check_listed()
# Stops where a .cpp of src/ or tests/ is in no list; called once, after all folders.
function(tenon_check_listed)
  set(folders src)
  if(TENON_TESTS)
    list(APPEND folders tests)
  endif()
  list(TRANSFORM folders PREPEND "${PROJECT_SOURCE_DIR}/")
  list(TRANSFORM folders APPEND "/*.cpp")
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${folders})
  get_property(listed GLOBAL PROPERTY TENON_LISTED)
  list(REMOVE_ITEM found ${listed})
  if(found)
    list(TRANSFORM found REPLACE "^${PROJECT_SOURCE_DIR}/" "")
    list(JOIN found ", " found)
    message(FATAL_ERROR "In no list, so never compiled: ${found}; name it in the CMakeLists.txt of its folder.")
  endif()
endfunction()
