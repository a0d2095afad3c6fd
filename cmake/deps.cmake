# The libraries Tenon is built on. Each is looked up once, here; a missing one ends the configure step with one sentence
# that says what it is for and how to get it.

# tenon_require(<package> PURPOSE <what it is for> TARGET <imported target> [DEBIAN <Debian package>]
#               [ARGS <arguments of find_package>...])
function(tenon_require package)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PURPOSE;TARGET;DEBIAN" "ARGS")
  find_package(${package} QUIET ${arg_ARGS} GLOBAL)
  if(NOT TARGET ${arg_TARGET})
    tenon_missing_dependency(${package} "${arg_PURPOSE}" ${arg_DEBIAN})
  endif()
endfunction()

function(tenon_missing_dependency package purpose debian)
  message(FATAL_ERROR "${package}, needed for ${purpose}, was not found; run ./dev setup, or install the Debian package "
                      "${debian}.")
endfunction()

# tenon_require_library(<name> HEADER <header> LIBRARY <library> PURPOSE <what it is for> DEBIAN <Debian package>)
# Finds a library by its header and file, for the packages whose own CMake files ask for more than Tenon uses, and
# makes the imported target Tenon::<name>.
function(tenon_require_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;LIBRARY;PURPOSE;DEBIAN" "")
  find_path(TENON_${name}_INCLUDE_DIR ${arg_HEADER})
  find_library(TENON_${name}_LIBRARY ${arg_LIBRARY})
  mark_as_advanced(TENON_${name}_INCLUDE_DIR TENON_${name}_LIBRARY)
  if(NOT TENON_${name}_INCLUDE_DIR OR NOT TENON_${name}_LIBRARY)
    tenon_missing_dependency(${name} "${arg_PURPOSE}" ${arg_DEBIAN})
  endif()
  add_library(Tenon::${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(Tenon::${name} PROPERTIES
    IMPORTED_LOCATION "${TENON_${name}_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${TENON_${name}_INCLUDE_DIR}")
endfunction()

# tenon_find_library(<name> HEADER <header> LIBRARY <library> [PATH_SUFFIXES <folder>...])
# As tenon_require_library, for what Tenon can be built without: Tenon::<name> exists where it was found.
function(tenon_find_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;LIBRARY" "PATH_SUFFIXES")
  find_path(TENON_${name}_INCLUDE_DIR ${arg_HEADER} PATH_SUFFIXES ${arg_PATH_SUFFIXES})
  find_library(TENON_${name}_LIBRARY ${arg_LIBRARY})
  mark_as_advanced(TENON_${name}_INCLUDE_DIR TENON_${name}_LIBRARY)
  if(NOT TENON_${name}_INCLUDE_DIR OR NOT TENON_${name}_LIBRARY)
    message(STATUS "${name} was not found: Tenon is built without it")
    return()
  endif()
  add_library(Tenon::${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(Tenon::${name} PROPERTIES
    IMPORTED_LOCATION "${TENON_${name}_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${TENON_${name}_INCLUDE_DIR}")
endfunction()

set(THREADS_PREFER_PTHREAD_FLAG ON)
tenon_require(Threads PURPOSE "threads" TARGET Threads::Threads DEBIAN libc6-dev)
tenon_require(OpenMP PURPOSE "the threads inside an operator" TARGET OpenMP::OpenMP_CXX DEBIAN g++ ARGS COMPONENTS CXX)
tenon_require(fmt PURPOSE "formatting text" TARGET fmt::fmt DEBIAN libfmt-dev ARGS CONFIG)
tenon_require(nlohmann_json PURPOSE "JSON" TARGET nlohmann_json::nlohmann_json DEBIAN nlohmann-json3-dev ARGS CONFIG)
tenon_require(yaml-cpp PURPOSE "YAML" TARGET yaml-cpp DEBIAN libyaml-cpp-dev ARGS CONFIG)
tenon_require(CLI11 PURPOSE "the command line" TARGET CLI11::CLI11 DEBIAN libcli11-dev ARGS CONFIG)
tenon_require(hwy PURPOSE "SIMD kernels" TARGET hwy::hwy DEBIAN libhwy-dev ARGS CONFIG)
tenon_require(ZLIB PURPOSE "compressed files" TARGET ZLIB::ZLIB DEBIAN zlib1g-dev)
tenon_require(JPEG PURPOSE "JPEG images" TARGET JPEG::JPEG DEBIAN libjpeg-dev)
tenon_require(PNG PURPOSE "PNG images" TARGET PNG::PNG DEBIAN libpng-dev)
tenon_require(Protobuf PURPOSE "ONNX files" TARGET protobuf::libprotobuf DEBIAN libprotobuf-dev)

# Image formats that few data sets have.
tenon_find_library(webp HEADER webp/decode.h LIBRARY webp)
tenon_find_library(tiff HEADER tiffio.h LIBRARY tiff)
tenon_find_library(openjp2 HEADER openjpeg.h LIBRARY openjp2 PATH_SUFFIXES openjpeg-2.5 openjpeg-2.4)

# oneDNN's and ONNX's own CMake packages insist on OpenCL headers and on parts of ONNX that Tenon does not use; RE2 has
# none in Debian.
tenon_require_library(dnnl HEADER dnnl.hpp LIBRARY dnnl PURPOSE "matrix work on the CPU" DEBIAN libdnnl-dev)
tenon_require_library(re2 HEADER re2/re2.h LIBRARY re2 PURPOSE "regular expressions" DEBIAN libre2-dev)
tenon_require_library(onnx_proto HEADER onnx/onnx-ml.pb.h LIBRARY onnx_proto PURPOSE "ONNX files" DEBIAN libonnx-dev)
set_target_properties(Tenon::onnx_proto PROPERTIES
  INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
  INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)

if(TENON_TESTS)
  tenon_require(GTest PURPOSE "the tests" TARGET GTest::gtest_main DEBIAN libgtest-dev ARGS CONFIG)
endif()
