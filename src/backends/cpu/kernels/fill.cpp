// Tensors made from sizes and rules: ConstantOfShape, Range, EyeLike and OneHot.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/shape/catalog.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrain = 32768;  // elements worth a thread

// Calls fn.operator()<U>() with the unsigned type of an element's size; refuses others.
template <class Fn>
Prepared by_size(DType type, Fn&& fn) {
  if (type == DType::string) return refuse("no strings");
  switch (size_of(type)) {
    case 1: return fn.template operator()<uint8_t>();
    case 2: return fn.template operator()<uint16_t>();
    case 4: return fn.template operator()<uint32_t>();
    case 8: return fn.template operator()<uint64_t>();
    default: return refuse("no elements of 16 bytes");
  }
}

Prepared prepare_constant_of_shape(const PrepareContext& ctx) {
  const Tensor given = ctx.tensor("value");
  return by_size(ctx.outputs[0].dtype, [&]<class U>() -> Prepared {
    U value{};
    if (given.defined()) std::memcpy(&value, given.raw(), sizeof(U));
    return make_kernel([value, count = ctx.outputs[0].numel()](const RunContext& run) {
      U* y = run.output<U>(0);
      parallel_for(0, count, kGrain,
                   [=](int64_t begin, int64_t end) { std::fill(y + begin, y + end, value); });
    });
  });
}

// start + i * delta, of floats in double and of integers modulo 2^64.
template <class T>
Prepared range_of(const PrepareContext& ctx) {
  using Wide = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
  return make_kernel([count = ctx.outputs[0].numel()](const RunContext& run) {
    const auto start = static_cast<Wide>(*run.input<T>(0));
    const auto delta = static_cast<Wide>(*run.input<T>(2));
    T* y = run.output<T>(0);
    parallel_for(0, count, kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        y[i] = static_cast<T>(start + static_cast<Wide>(i) * delta);
    });
  });
}

Prepared prepare_range(const PrepareContext& ctx) {
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return range_of<float>(ctx);
    case DType::f64: return range_of<double>(ctx);
    case DType::i32: return range_of<int32_t>(ctx);
    case DType::i64: return range_of<int64_t>(ctx);
    default: return refuse(fmt::format("no loop for {}", name(ctx.inputs[0].dtype)));
  }
}

Prepared prepare_eye_like(const PrepareContext& ctx) {
  const DType type = ctx.outputs[0].dtype;
  const Tensor one = Tensor::ones({}, type);
  const int64_t rows = ctx.outputs[0].shape[0], columns = ctx.outputs[0].shape[1];
  const int64_t k = std::clamp(ctx.i("k"), -rows, columns);
  return by_size(type, [&]<class U>() -> Prepared {
    U value{};
    std::memcpy(&value, one.raw(), sizeof(U));
    return make_kernel([=](const RunContext& run) {
      U* y = run.output<U>(0);
      std::fill_n(y, rows * columns, U{});
      for (int64_t row = std::max<int64_t>(0, -k); row < std::min(rows, columns - k); ++row)
        y[row * columns + row + k] = value;
    });
  });
}

// Output as [outer, depth, inner].
template <class U, class Index>
Prepared one_hot_of(const PrepareContext& ctx) {
  const Shape& out = ctx.outputs[0].shape;
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), out.rank(), ctx.op.name));
  int64_t outer = 1, inner = 1;
  for (size_t a = 0; a < axis; ++a) outer *= out[a];
  for (size_t a = axis + 1; a < out.rank(); ++a) inner *= out[a];
  return make_kernel([=, depth = out[axis]](const RunContext& run) {
    const U off = run.input<U>(2)[0], on = run.input<U>(2)[1];
    const Index* indices = run.input<Index>(0);
    U* y = run.output<U>(0);
    const int64_t each = std::max<int64_t>(1, depth * inner);
    parallel_for(0, outer, std::max<int64_t>(1, kGrain / each), [=](int64_t begin, int64_t end) {
      std::fill(y + begin * depth * inner, y + end * depth * inner, off);
      for (int64_t o = begin; o < end; ++o) {
        for (int64_t i = 0; i < inner; ++i) {
          int64_t place = static_cast<int64_t>(indices[o * inner + i]);
          if (place < 0) place += depth;
          if (place >= 0 && place < depth) y[(o * depth + place) * inner + i] = on;
        }
      }
    });
  });
}

Prepared prepare_one_hot(const PrepareContext& ctx) {
  return by_size(ctx.inputs[2].dtype, [&]<class U>() -> Prepared {
    switch (ctx.inputs[0].dtype) {
      case DType::i64: return one_hot_of<U, int64_t>(ctx);
      case DType::i32: return one_hot_of<U, int32_t>(ctx);
      case DType::u8: return one_hot_of<U, uint8_t>(ctx);
      default: return refuse(fmt::format("no loop for indices of {}", name(ctx.inputs[0].dtype)));
    }
  });
}

}  // namespace

constinit const KernelList fill{
    {&op::ConstantOfShape, "cpu.constant_of_shape", prepare_constant_of_shape},
    {&op::Range, "cpu.range", prepare_range},
    {&op::EyeLike, "cpu.eye_like", prepare_eye_like},
    {&op::OneHot, "cpu.one_hot", prepare_one_hot},
};

}  // namespace tenon::cpu
