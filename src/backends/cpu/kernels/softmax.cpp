// Softmax, LogSoftmax and their gradients, along the last axis (rows that stay in the first-level
// cache between passes) or another (columns, a tile at a time). Results are within 4 ULP of 1 (sums
// of up to a million terms: sums are carried in double every 1024).
#include <algorithm>
#include <cmath>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/row_kernel.h"
#include "base/threads.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/softmax.cpp"
#include "backends/cpu/row_loops_inl.h"

#ifndef TENON_CPU_SOFTMAX_LOOPS
#define TENON_CPU_SOFTMAX_LOOPS
namespace tenon::cpu {
namespace {

// Loops over one row of n elements, and over `count` rows of `width` neighbouring columns at
// `stride`. For a gradient, x is dY and y is Y; for the others y is null.
struct SoftmaxLoops {
  void (*row)(const float* x, const float* y, float* out, size_t n) = nullptr;
  void (*columns)(const float* x, const float* y, float* out, int64_t stride, size_t count,
                  size_t width) = nullptr;
};

// Columns that are worked on together.
constexpr size_t kColumns = 64;

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct Scale {
  V by;
  HWY_INLINE V operator()(V x, V) const { return hn::Mul(x, by); }
};
struct LogScale {  // x - max first: it is exact near the maximum
  V max, log_sum;
  HWY_INLINE V operator()(V x, V) const { return hn::Sub(hn::Sub(x, max), log_sum); }
};
struct SoftmaxBack {  // y*(dy - dot)
  V dot;
  HWY_INLINE V operator()(V dy, V y) const { return hn::Mul(y, hn::Sub(dy, dot)); }
};
struct LogSoftmaxBack {  // dy - e^y*sum
  V sum;
  HWY_INLINE V operator()(V dy, V y) const { return hn::NegMulAdd(exp(D(), y), sum, dy); }
};

void softmax_row(const float* x, const float*, float* out, size_t n) {
  const D d;
  const double sum = row_sum<true>(x, x, out, n, ExpOfDifference{hn::Set(d, row_max(x, n))});
  row_map(out, out, out, n, Scale{hn::Set(d, static_cast<float>(1 / sum))});
}
void log_softmax_row(const float* x, const float*, float* out, size_t n) {
  const D d;
  const float max = row_max(x, n);
  const double sum = row_sum<false>(x, x, out, n, ExpOfDifference{hn::Set(d, max)});
  const V log_sum = hn::Set(d, static_cast<float>(std::log(sum)));
  row_map(x, x, out, n, LogScale{hn::Set(d, max), log_sum});
}
void softmax_grad_row(const float* dy, const float* y, float* out, size_t n) {
  const double dot = row_sum<false>(dy, y, out, n, Product{});
  row_map(dy, y, out, n, SoftmaxBack{hn::Set(D(), static_cast<float>(dot))});
}
void log_softmax_grad_row(const float* dy, const float* y, float* out, size_t n) {
  const double sum = row_sum<false>(dy, dy, out, n, First{});
  row_map(dy, y, out, n, LogSoftmaxBack{hn::Set(D(), static_cast<float>(sum))});
}

// The same down columns, a vector of columns at a time.
HWY_INLINE V column_max(const float* x, int64_t stride, size_t count, size_t width) {
  V max = load_some(x, width);
  for (size_t r = 1; r < count; ++r) {
    x += stride;
    const V v = load_some(x, width);
    max = hn::IfThenElse(hn::IsNaN(v), v, hn::Max(v, max));
  }
  return max;
}
template <bool kStore, class Term>
HWY_INLINE V column_sum(const float* x, const float* y, float* out, int64_t stride, size_t count,
                        size_t width, const Term& term) {
  const D d;
  V total = hn::Zero(d);
  // Runs of 256 rows keep the error small.
  for (size_t begin = 0; begin < count; begin += 256) {
    V sum = hn::Zero(d);
    for (size_t r = begin; r < HWY_MIN(count, begin + 256); ++r) {
      const V v = term(load_some(x, width), load_some(y, width));
      if constexpr (kStore) store_some(v, out, width);
      sum = hn::Add(sum, v);
      x += stride, y += stride, out += stride;
    }
    total = hn::Add(total, sum);
  }
  return total;
}
template <class Map>
HWY_INLINE void column_map(const float* x, const float* y, float* out, int64_t stride, size_t count,
                           size_t width, const Map& map) {
  for (size_t r = 0; r < count; ++r) {
    store_some(map(load_some(x, width), load_some(y, width)), out, width);
    x += stride, y += stride, out += stride;
  }
}

struct SoftmaxColumn {
  static HWY_INLINE void go(const float* x, const float*, float* out, int64_t stride, size_t count,
                            size_t width) {
    const V max = column_max(x, stride, count, width);
    const V sum = column_sum<true>(x, x, out, stride, count, width, ExpOfDifference{max});
    column_map(out, out, out, stride, count, width, Scale{hn::Div(hn::Set(D(), 1.0F), sum)});
  }
};
struct LogSoftmaxColumn {
  static HWY_INLINE void go(const float* x, const float*, float* out, int64_t stride, size_t count,
                            size_t width) {
    const V max = column_max(x, stride, count, width);
    const V sum = column_sum<false>(x, x, out, stride, count, width, ExpOfDifference{max});
    column_map(x, x, out, stride, count, width, LogScale{max, log(D(), sum)});
  }
};
struct SoftmaxGradColumn {
  static HWY_INLINE void go(const float* dy, const float* y, float* out, int64_t stride,
                            size_t count, size_t width) {
    const V dot = column_sum<false>(dy, y, out, stride, count, width, Product{});
    column_map(dy, y, out, stride, count, width, SoftmaxBack{dot});
  }
};
struct LogSoftmaxGradColumn {
  static HWY_INLINE void go(const float* dy, const float* y, float* out, int64_t stride,
                            size_t count, size_t width) {
    const V sum = column_sum<false>(dy, dy, out, stride, count, width, First{});
    column_map(dy, y, out, stride, count, width, LogSoftmaxBack{sum});
  }
};

template <class Column>
void columns(const float* x, const float* y, float* out, int64_t stride, size_t count,
             size_t width) {
  const size_t lanes = hn::Lanes(D());
  for (size_t c = 0; c < width; c += lanes)
    Column::go(x + c, y ? y + c : nullptr, out + c, stride, count, width - c);
}

SoftmaxLoops find_softmax(const OpDef& op) {
  if (&op == &op::Softmax) return {softmax_row, columns<SoftmaxColumn>};
  if (&op == &op::LogSoftmax) return {log_softmax_row, columns<LogSoftmaxColumn>};
  if (&op == &op::SoftmaxGrad) return {softmax_grad_row, columns<SoftmaxGradColumn>};
  return {log_softmax_grad_row, columns<LogSoftmaxGradColumn>};
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_softmax);

struct Rows final : Kernel {
  SoftmaxLoops loops;
  DType type;
  bool two_inputs;
  int64_t rows, length;

  void run(const RunContext& ctx) const override {
    const int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(length, 1));
    if (type == DType::f32 && rows <= grain)
      run_rows(ctx, 0, rows);
    else
      parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
        type == DType::f32 ? run_rows(ctx, begin, end) : run_wide(ctx, begin, end);
      });
  }

  void run_rows(const RunContext& ctx, int64_t begin, int64_t end) const {
    const auto n = static_cast<size_t>(length);
    for (int64_t row = begin; row < end; ++row)
      loops.row(ctx.input<float>(0) + row * length,
                two_inputs ? ctx.input<float>(1) + row * length : nullptr,
                ctx.output<float>(0) + row * length, n);
  }

  void run_wide(const RunContext& ctx, int64_t begin, int64_t end) const {
    const auto n = static_cast<size_t>(length);
    WidenedRow x(type, n), y(type, n), out(type, n);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * length;
      loops.row(x.read(ctx.in[0], at, n), two_inputs ? y.read(ctx.in[1], at, n) : nullptr,
                out.place(ctx.out[0], at), n);
      out.write(ctx.out[0], at, n);
    }
  }
};

struct Columns final : Kernel {
  SoftmaxLoops loops;
  bool two_inputs;
  int64_t outer, length, inner;

  void run(const RunContext& ctx) const override {
    constexpr auto tile = static_cast<int64_t>(kColumns);
    const int64_t tiles = (inner + tile - 1) / tile;
    const int64_t work = length * std::min(inner, tile);
    parallel_for(0, outer * tiles, std::max<int64_t>(1, 8192 / std::max<int64_t>(work, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t column = i % tiles * tile;
                     const int64_t at = i / tiles * length * inner + column;
                     loops.columns(ctx.input<float>(0) + at,
                                   two_inputs ? ctx.input<float>(1) + at : nullptr,
                                   ctx.output<float>(0) + at, inner, static_cast<size_t>(length),
                                   static_cast<size_t>(std::min(tile, inner - column)));
                   }
                 });
  }
};

struct Nothing final : Kernel {
  void run(const RunContext&) const override {}
};

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.dtype == DType::f64) return refuse("only f16, bf16, f32; the input is f64");
  if (x.numel() == 0) return std::make_unique<Nothing>();
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), x.rank(), ctx.op.name));
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= x.shape[i];
  for (size_t i = axis + 1; i < x.rank(); ++i) inner *= x.shape[i];
  const SoftmaxLoops loops = HWY_DYNAMIC_DISPATCH(find_softmax)(ctx.op);
  const bool two_inputs = ctx.inputs.size() > 1;
  if (inner == 1) {
    auto kernel = std::make_unique<Rows>();
    kernel->loops = loops;
    kernel->type = x.dtype;
    kernel->two_inputs = two_inputs;
    kernel->rows = outer;
    kernel->length = x.shape[axis];
    kernel->in_place = two_inputs ? 3 : 1;  // each pass writes what it has just read
    return kernel;
  }
  if (x.dtype != DType::f32)
    return refuse(fmt::format("only f32 along axis {} of rank {}; the input is {}", axis, x.rank(),
                              name(x.dtype)));
  auto kernel = std::make_unique<Columns>();
  kernel->loops = loops;
  kernel->two_inputs = two_inputs;
  kernel->outer = outer;
  kernel->length = x.shape[axis];
  kernel->inner = inner;
  kernel->in_place = two_inputs ? 3 : 1;
  return kernel;
}

}  // namespace

constinit const KernelList softmax{
    {&op::Softmax, "cpu.softmax", prepare},
    {&op::LogSoftmax, "cpu.log_softmax", prepare},
    {&op::SoftmaxGrad, "cpu.softmax_grad", prepare},
    {&op::LogSoftmaxGrad, "cpu.log_softmax_grad", prepare},
};

}  // namespace tenon::cpu
#endif
