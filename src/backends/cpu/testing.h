// For tests: the same checks on every instruction set that kernels are compiled for and this
// processor has, not the best alone.
#pragma once

#include <gtest/gtest.h>

#include <hwy/targets.h>

#include "runtime/dispatch.h"

namespace tenon::cpu {

inline void use_target(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  clear_kernel_cache();
}

// The processor's own choice is back in force afterwards.
template <class Body>
void on_every_target(Body&& body) {
#ifdef __x86_64__
  // Those that simd.h compiles for.
  for (int64_t rest = hwy::SupportedTargets() & (HWY_SSE4 | HWY_AVX2 | HWY_AVX3); rest != 0;
       rest &= rest - 1) {
    const int64_t target = rest & -rest;
    SCOPED_TRACE(hwy::TargetName(target));
    use_target(target);
    body();
    use_target(0);
  }
#else
  body();
#endif
}

}  // namespace tenon::cpu
