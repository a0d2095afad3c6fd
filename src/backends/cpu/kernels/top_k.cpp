// TopK: the head of each line in order. An element and its place become one key that sorts like the
// operator's definition: of equal elements the first comes first, and NaN is the largest.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/ordered_bits.h"
#include "base/threads.h"
#include "ops/reduce/catalog.h"

namespace tenon::cpu {

namespace {

// Of up to 32 bits: one number, the element above the place.
struct Packed {
  uint64_t bits;

  Packed() = default;
  Packed(uint64_t element, int64_t place) : bits(element << 32 | static_cast<uint32_t>(place)) {}
  int64_t place() const { return static_cast<int64_t>(bits & 0xffffffffU); }
  bool operator<(const Packed& other) const { return bits < other.bits; }
};
struct Pair {
  uint64_t element;
  int64_t at;

  Pair() = default;
  Pair(uint64_t e, int64_t place) : element(e), at(place) {}
  int64_t place() const { return at; }
  bool operator<(const Pair& other) const {
    return element != other.element ? element < other.element : at < other.at;
  }
};

template <class T, class Key>
struct TopKKernel final : Kernel {
  int64_t outer = 1, length, inner = 1, k;
  bool largest, places;

  TopKKernel(const PrepareContext& ctx, size_t axis)
      : length(ctx.inputs[0].shape[axis]),
        k(ctx.outputs[0].shape[axis]),
        largest(ctx.i("largest") != 0),
        places(ctx.wants_output(1)) {
    const Shape& shape = ctx.inputs[0].shape;
    for (size_t a = 0; a < axis; ++a) outer *= shape[a];
    for (size_t a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  }

  void run(const RunContext& ctx) const override {
    if (k == 0) return;
    parallel_for(0, outer * inner, std::max<int64_t>(1, 4096 / length),
                 [&](int64_t begin, int64_t end) {
                   std::vector<Key> keys(static_cast<size_t>(length));
                   for (int64_t line = begin; line < end; ++line) run_line(ctx, line, keys);
                 });
  }

  void run_line(const RunContext& ctx, int64_t line, std::vector<Key>& keys) const {
    const T* x = ctx.input<T>(0) + line / inner * length * inner + line % inner;
    for (int64_t i = 0; i < length; ++i) {
      const auto bits = ordered_bits(x[i * inner]);
      keys[static_cast<size_t>(i)] = Key(largest ? static_cast<decltype(bits)>(~bits) : bits, i);
    }
    select(keys);
    const int64_t to = line / inner * k * inner + line % inner;
    for (int64_t i = 0; i < k; ++i) {
      const int64_t place = keys[static_cast<size_t>(i)].place();
      ctx.output<T>(0)[to + i * inner] = x[place * inner];
      if (places) ctx.output<int64_t>(1)[to + i * inner] = place;
    }
  }

  // The k smallest keys in order, in front.
  void select(std::vector<Key>& keys) const {
    const auto middle = keys.begin() + static_cast<std::ptrdiff_t>(k);
    if (k * 16 <= length) return std::partial_sort(keys.begin(), middle, keys.end());
    if (k < length) std::nth_element(keys.begin(), middle, keys.end());
    std::sort(keys.begin(), middle);
  }
};

Prepared prepare(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
  const bool packs = shape[axis] <= int64_t{UINT32_MAX};
  switch (ctx.inputs[0].dtype) {
    case DType::f32:
      if (packs) return std::make_unique<TopKKernel<float, Packed>>(ctx, axis);
      return std::make_unique<TopKKernel<float, Pair>>(ctx, axis);
    case DType::i32:
      if (packs) return std::make_unique<TopKKernel<int32_t, Packed>>(ctx, axis);
      return std::make_unique<TopKKernel<int32_t, Pair>>(ctx, axis);
    case DType::u8:
      if (packs) return std::make_unique<TopKKernel<uint8_t, Packed>>(ctx, axis);
      return std::make_unique<TopKKernel<uint8_t, Pair>>(ctx, axis);
    case DType::f64: return std::make_unique<TopKKernel<double, Pair>>(ctx, axis);
    case DType::i64: return std::make_unique<TopKKernel<int64_t, Pair>>(ctx, axis);
    default:
      return refuse(fmt::format("only f32, f64, i32, i64, u8; X is {}", name(ctx.inputs[0].dtype)));
  }
}

}  // namespace

constinit const KernelList top_k{{&op::TopK, "cpu.top_k", prepare}};

}  // namespace tenon::cpu
