// ArgMax and ArgMin along any axis: columns side by side are searched together.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/reduce/catalog.h"

namespace tenon::cpu {

namespace {

struct Greater {
  template <class T>
  static bool first(T a, T b) {
    return a > b;
  }
};
struct Less {
  template <class T>
  static bool first(T a, T b) {
    return a < b;
  }
};

template <class T, class Order>
struct ColumnsKernel final : Kernel {
  static constexpr int64_t kColumns = 256;

  int64_t outer = 1, length, inner = 1;
  bool last;

  ColumnsKernel(const PrepareContext& ctx, size_t axis)
      : length(ctx.inputs[0].shape[axis]), last(ctx.i("select_last_index") != 0) {
    const Shape& shape = ctx.inputs[0].shape;
    for (size_t a = 0; a < axis; ++a) outer *= shape[a];
    for (size_t a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  }

  void run(const RunContext& ctx) const override {
    const int64_t tiles = (inner + kColumns - 1) / kColumns;
    const int64_t each = std::max<int64_t>(1, length * std::min(inner, kColumns));
    parallel_for(0, outer * tiles, std::max<int64_t>(1, 16384 / each),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t column = i % tiles * kColumns;
                     search(ctx.input<T>(0) + i / tiles * length * inner + column,
                            std::min(kColumns, inner - column),
                            ctx.output<int64_t>(0) + i / tiles * inner + column);
                   }
                 });
  }

  // NaN, which is unlike itself, comes before all else in both searches.
  static bool better(T a, T b) { return b == b && (a != a || Order::first(a, b)); }

  void search(const T* x, int64_t columns, int64_t* found) const {
    T best[kColumns];
    std::copy_n(x, columns, best);
    std::fill_n(found, columns, int64_t{0});
    for (int64_t i = 1; i < length; ++i) {
      const T* row = x + i * inner;
      for (int64_t c = 0; c < columns; ++c) {
        const bool take = last ? !better(best[c], row[c]) : better(row[c], best[c]);
        best[c] = take ? row[c] : best[c];
        found[c] = take ? i : found[c];
      }
    }
  }
};

template <class Order>
Prepared prepare(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
  if (shape[axis] == 0) return refuse("no elements");
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return std::make_unique<ColumnsKernel<float, Order>>(ctx, axis);
    case DType::f64: return std::make_unique<ColumnsKernel<double, Order>>(ctx, axis);
    case DType::i32: return std::make_unique<ColumnsKernel<int32_t, Order>>(ctx, axis);
    case DType::i64: return std::make_unique<ColumnsKernel<int64_t, Order>>(ctx, axis);
    case DType::u8: return std::make_unique<ColumnsKernel<uint8_t, Order>>(ctx, axis);
    case DType::i8: return std::make_unique<ColumnsKernel<int8_t, Order>>(ctx, axis);
    default:
      return refuse(
          fmt::format("only f32, f64, i32, i64, u8, i8; data is {}", name(ctx.inputs[0].dtype)));
  }
}

}  // namespace

constinit const KernelList arg_max_columns{
    {&op::ArgMax, "cpu.arg_max_columns", prepare<Greater>},
    {&op::ArgMin, "cpu.arg_min_columns", prepare<Less>},
};

}  // namespace tenon::cpu
