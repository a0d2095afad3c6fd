// The activations of fused operators as loops, for kernels that apply them to what they have just
// computed and still have in the nearest cache.
#pragma once

#include <optional>

#include "backends/cpu/elementwise.h"
#include "ops/microsoft/microsoft_rules.h"

namespace tenon::cpu {

struct ActivationLoop {
  ElementFn fn = nullptr;  // null: no activation
  ElementAttrs attrs;
  float low = 0, high = 0;  // Clip's bounds

  explicit operator bool() const { return fn != nullptr; }
  // x[i] = activation(x[i])
  void operator()(float* x, size_t n) const {
    const void* in[] = {x, &low, &high};
    fn(in, x, n, 0b110U, attrs);
  }
};

// The loop that the operator's own kernel runs on f32; nothing where it has none.
std::optional<ActivationLoop> activation_loop(const microsoft::Activation& activation);

}  // namespace tenon::cpu
