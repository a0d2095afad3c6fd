// For tests: the same checks on every instruction set that kernels are compiled for and this
// processor has, not the best alone.
#pragma once

#include <gtest/gtest.h>

#include "base/simd_targets.h"
#include "runtime/dispatch.h"

namespace tenon::cpu {

inline void use_target(int64_t target) {
  use_simd_targets(target);
  clear_kernel_cache();
}

// The processor's own choice is back in force afterwards.
template <class Body>
void on_every_target(Body&& body) {
  const std::vector<SimdTarget> targets = simd_targets();
  if (targets.empty()) body();
  for (const SimdTarget& target : targets) {
    SCOPED_TRACE(target.name);
    use_target(target.bits);
    body();
    use_target(0);
  }
}

}  // namespace tenon::cpu
