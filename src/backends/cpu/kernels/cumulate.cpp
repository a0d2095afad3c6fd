// CumSum and CumProd: running totals, of floats in double.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/reduce/catalog.h"

namespace tenon::cpu {

namespace {

struct Sum {
  template <class A>
  static A of(A a, A b) {
    return a + b;
  }
  static constexpr int kStart = 0;
};
struct Product {
  template <class A>
  static A of(A a, A b) {
    return a * b;
  }
  static constexpr int kStart = 1;
};

// The lines are those of [outer, length, inner]; a thread takes up to kColumns of inner at a time.
template <class T, class Total>
struct CumulateKernel final : Kernel {
  // Unsigned, so that integers wrap.
  using Wide = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
  static constexpr int64_t kColumns = 256;

  int64_t outer = 1, length, inner = 1;
  bool exclusive, reverse;

  CumulateKernel(const PrepareContext& ctx, size_t axis)
      : length(ctx.inputs[0].shape[axis]),
        exclusive(ctx.i("exclusive") != 0),
        reverse(ctx.i("reverse") != 0) {
    const Shape& shape = ctx.inputs[0].shape;
    for (size_t a = 0; a < axis; ++a) outer *= shape[a];
    for (size_t a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  }

  void run(const RunContext& ctx) const override {
    const int64_t tiles = (inner + kColumns - 1) / kColumns;
    const int64_t each = std::max<int64_t>(1, length * std::min(inner, kColumns));
    parallel_for(
        0, outer * tiles, std::max<int64_t>(1, 16384 / each), [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const int64_t column = i % tiles * kColumns;
            run_tile(ctx, i / tiles * length * inner + column, std::min(kColumns, inner - column));
          }
        });
  }

  void run_tile(const RunContext& ctx, int64_t start, int64_t columns) const {
    Wide totals[kColumns];
    std::fill_n(totals, columns, static_cast<Wide>(Total::kStart));
    for (int64_t n = 0; n < length; ++n) {
      const int64_t at = start + (reverse ? length - 1 - n : n) * inner;
      const T* x = ctx.input<T>(0) + at;
      T* y = ctx.output<T>(0) + at;
      for (int64_t c = 0; c < columns; ++c) {
        const Wide with = Total::of(totals[c], static_cast<Wide>(x[c]));
        y[c] = static_cast<T>(exclusive ? totals[c] : with);
        totals[c] = with;
      }
    }
  }
};

template <class Total>
Prepared prepare(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  const int64_t named = ctx.inputs[1].constant_ints().at(0);
  const auto axis = static_cast<size_t>(normalize_axis(named, shape.rank(), ctx.op.name));
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return std::make_unique<CumulateKernel<float, Total>>(ctx, axis);
    case DType::f64: return std::make_unique<CumulateKernel<double, Total>>(ctx, axis);
    case DType::i32: return std::make_unique<CumulateKernel<int32_t, Total>>(ctx, axis);
    case DType::i64: return std::make_unique<CumulateKernel<int64_t, Total>>(ctx, axis);
    default:
      return refuse(fmt::format("only f32, f64, i32, i64; x is {}", name(ctx.inputs[0].dtype)));
  }
}

}  // namespace

constinit const KernelList cumulate{
    {&op::CumSum, "cpu.cum_sum", prepare<Sum>},
    {&op::CumProd, "cpu.cum_prod", prepare<Product>},
};

}  // namespace tenon::cpu
