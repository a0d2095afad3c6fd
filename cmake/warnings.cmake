# Compiler warnings and the flags that decide what the code means. The interface target tenon_flags carries them to
# everything of ours and to nothing of a consumer's.

add_library(tenon_flags INTERFACE)

target_compile_options(tenon_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wvla -Wundef
  $<$<COMPILE_LANGUAGE:CXX>:-Wextra-semi> $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
  -Wimplicit-fallthrough $<$<COMPILE_LANGUAGE:CXX>:-Wdeprecated-copy> -Wunused -Wformat=2
  # Designated initialisers leave out what keeps its default: that is their use here.
  -Wno-missing-field-initializers)

if(TENON_WERROR)
  target_compile_options(tenon_flags INTERFACE -Werror)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(tenon_flags INTERFACE
    -Wshadow=local $<$<COMPILE_LANGUAGE:CXX>:-Wsuggest-override> -Wlogical-op -Wduplicated-cond
    # Flow-based guesses of GCC 12 that fire on correct standard-library code once it is inlined.
    -Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-stringop-truncation -Wno-dangling-pointer -Wno-free-nonheap-object -Wno-nonnull
    # Calls inside the library may be inlined although it is shared.
    -fno-semantic-interposition)
else()
  target_compile_options(tenon_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wsuggest-override>)
endif()

target_compile_options(tenon_flags INTERFACE
  # a*b+c is rounded as written unless a kernel asks for a fused multiply-add, so that machines agree.
  -ffp-contract=off
  # Neither errno nor floating-point traps are ever read; without them loops vectorise.
  -fno-math-errno -fno-trapping-math
  # Paths in messages are relative to the project, and builds in different folders are identical.
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)

# Sanitizers: -DTENON_SANITIZE=address,undefined | thread | fuzzer,address,undefined
if(TENON_SANITIZE)
  string(REPLACE "fuzzer" "fuzzer-no-link" sanitize "${TENON_SANITIZE}")
  target_compile_options(tenon_flags INTERFACE -fsanitize=${sanitize} -fno-omit-frame-pointer)
  target_link_options(tenon_flags INTERFACE -fsanitize=${sanitize})
  if(TENON_SANITIZE MATCHES "undefined")
    target_compile_options(tenon_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
