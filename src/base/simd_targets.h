// The instruction sets that SIMD loops (Google Highway) are compiled for and this processor has.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tenon {

struct SimdTarget {
  int64_t bits;  // Highway's HWY_AVX2 ...
  std::string_view name;
};

// Best first. Empty where the choice is made when the library is compiled.
std::vector<SimdTarget> simd_targets();

// From now on loops take the best of these; 0: of all. For tests: kernels that have been prepared
// keep what they took.
void use_simd_targets(int64_t bits);

}  // namespace tenon
