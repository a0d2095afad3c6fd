// The stream, and tensors filled from it.
#include "runtime/random.h"

#include <cmath>
#include <mutex>
#include <numbers>

namespace tenon {

namespace {

std::mutex mutex;
Generator& stream() {
  static Generator instance(0);
  return instance;
}

// Element i of a float64 tensor from two words of counter start + i.
template <class Fn>
Tensor filled(const Shape& shape, DType type, Fn value) {
  TENON_CHECK(type == DType::f32 || type == DType::f64, usage,
              "random tensor: {} asked for; use f32 or f64", name(type));
  Tensor out = Tensor::empty(shape, type);
  const int64_t count = out.numel();
  const Generator::State start = reserve_random(static_cast<uint64_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const double v = value(philox(start.seed, start.offset + static_cast<uint64_t>(i)));
    if (type == DType::f32)
      out.data<float>()[i] = static_cast<float>(v);
    else
      out.data<double>()[i] = v;
  }
  return out;
}

}  // namespace

void manual_seed(uint64_t seed) { set_random_state({seed, 0}); }
Generator::State random_state() {
  const std::scoped_lock lock(mutex);
  return stream().state();
}
void set_random_state(Generator::State state) {
  const std::scoped_lock lock(mutex);
  stream().set_state(state);
}
Generator::State reserve_random(uint64_t counters) {
  const std::scoped_lock lock(mutex);
  return stream().reserve(counters);
}

Tensor rand(const Shape& shape, double low, double high, DType type) {
  return filled(shape, type, [=](const std::array<uint32_t, 4>& words) {
    return low + (high - low) * to_unit_double(words[0], words[1]);
  });
}

Tensor randn(const Shape& shape, DType type) {
  // Box and Muller, "A note on the generation of random normal deviates", 1958; 1 - u is never 0.
  return filled(shape, type, [](const std::array<uint32_t, 4>& words) {
    const double radius = std::sqrt(-2 * std::log(1 - to_unit_double(words[0], words[1])));
    return radius * std::cos(2 * std::numbers::pi * to_unit_double(words[2], words[3]));
  });
}

Tensor randperm(int64_t count) {
  Tensor order = Tensor::arange(count);
  auto* values = order.data<int64_t>();
  const Generator::State start = reserve_random(static_cast<uint64_t>(count));
  Generator draw(start.seed);
  draw.set_state(start);
  // Fisher and Yates, from the end.
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(values[i], values[draw.below(static_cast<uint64_t>(i) + 1)]);
  return order;
}

}  // namespace tenon
