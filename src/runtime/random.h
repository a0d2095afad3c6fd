// The process's random numbers: one Philox stream that random operators and initialisers draw from.
// Same seed, same results, whatever the thread count. Thread-safe.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "tensor/tensor.h"

namespace tenon {

void manual_seed(uint64_t seed);
// Where the stream stands: what a checkpoint keeps to continue bit for bit.
Generator::State random_state();
void set_random_state(Generator::State state);
// Takes `counters` consecutive counters (of four 32-bit words) out of the stream.
Generator::State reserve_random(uint64_t counters);

// Values in [low, high), and normally distributed ones (mean 0, variance 1); f32 or f64.
Tensor rand(const Shape& shape, double low = 0, double high = 1, DType type = DType::f32);
Tensor randn(const Shape& shape, DType type = DType::f32);
// A random order of 0 to count-1, as i64.
Tensor randperm(int64_t count);

}  // namespace tenon
