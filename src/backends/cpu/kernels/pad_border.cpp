// Pad in the modes that repeat elements (reflect, edge, wrap), and Trilu: rows of the last axis are
// put together from runs.
#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/shape/catalog.h"
#include "ops/shape/padding.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrain = 16384;  // elements worth a thread

// Which element of the input each element of an axis is.
std::vector<std::vector<int64_t>> places_of(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const std::vector<int64_t> pads = ctx.inputs[1].constant_ints();
  const size_t padded = pads.size() / 2;
  std::vector<int64_t> axes;
  if (ctx.has_input(3)) axes = ctx.inputs[3].constant_ints();
  std::vector<std::vector<int64_t>> places;
  for (size_t a = 0; a < x.rank(); ++a) places.push_back(pad_places("constant", x.shape[a], 0, 0));
  for (size_t i = 0; i < padded; ++i) {
    const int64_t named = axes.empty() ? static_cast<int64_t>(i) : axes[i];
    const auto axis = static_cast<size_t>(normalize_axis(named, x.rank(), ctx.op.name));
    places[axis] = pad_places(ctx.s("mode"), x.shape[axis], pads[i], pads[i + padded]);
  }
  return places;
}

// A stretch of the last axis: `count` elements of the input from `from` on.
struct Run {
  int64_t from, count;
};

// Ascending neighbours become one run.
std::vector<Run> runs_of(const std::vector<int64_t>& places) {
  std::vector<Run> runs;
  for (const int64_t place : places) {
    if (!runs.empty() && runs.back().from + runs.back().count == place)
      ++runs.back().count;
    else
      runs.push_back({place, 1});
  }
  return runs;
}

template <class T>
struct BorderKernel final : Kernel {
  std::vector<std::vector<int64_t>> places;
  std::vector<Run> runs;
  Shape strides, out;

  explicit BorderKernel(const PrepareContext& ctx)
      : places(places_of(ctx)),
        runs(runs_of(places.back())),
        strides(ctx.inputs[0].shape.row_major_strides()),
        out(ctx.outputs[0].shape) {}

  void run(const RunContext& ctx) const override {
    const int64_t length = out.back();
    if (out.numel() == 0) return;
    parallel_for(0, out.numel() / length, std::max<int64_t>(1, kGrain / length),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row)
                     write_row(ctx.input<T>(0) + start(row), ctx.output<T>(0) + row * length);
                 });
  }

  // Where the input's row lies that the output's row is made of.
  int64_t start(int64_t row) const {
    int64_t from = 0;
    for (size_t a = out.rank() - 1; a-- > 0;) {
      from += places[a][static_cast<size_t>(row % out[a])] * strides[a];
      row /= out[a];
    }
    return from;
  }

  void write_row(const T* x, T* y) const {
    for (const Run& each : runs) {
      if (each.count == 1)
        *y = x[each.from];
      else
        std::memcpy(y, x + each.from, static_cast<size_t>(each.count) * sizeof(T));
      y += each.count;
    }
  }
};

// Makes Made<U>, U the unsigned type of an element's size.
template <template <class> class Made>
Prepared by_size(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::string) return refuse("no strings");
  switch (size_of(ctx.inputs[0].dtype)) {
    case 1: return std::make_unique<Made<uint8_t>>(ctx);
    case 2: return std::make_unique<Made<uint16_t>>(ctx);
    case 4: return std::make_unique<Made<uint32_t>>(ctx);
    case 8: return std::make_unique<Made<uint64_t>>(ctx);
    default: return refuse("no elements of 16 bytes");
  }
}

Prepared prepare_border(const PrepareContext& ctx) {
  if (ctx.s("mode") == "constant") return refuse("not mode constant");
  if (ctx.inputs[0].rank() == 0) return refuse("no axis");
  return by_size<BorderKernel>(ctx);
}

template <class T>
struct TriluKernel final : Kernel {
  int64_t rows, columns, count;  // of all matrices
  bool upper, has_k;

  explicit TriluKernel(const PrepareContext& ctx)
      : rows(ctx.inputs[0].shape[ctx.inputs[0].rank() - 2]),
        columns(ctx.inputs[0].shape.back()),
        count(ctx.inputs[0].numel()),
        upper(ctx.i("upper") != 0),
        has_k(ctx.has_input(1)) {}

  void run(const RunContext& ctx) const override {
    if (count == 0) return;
    // k may be of any size.
    const int64_t k = std::clamp(has_k ? *ctx.input<int64_t>(1) : 0, -rows, columns);
    parallel_for(0, count / columns, std::max<int64_t>(1, kGrain / columns),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     const T* x = ctx.input<T>(0) + row * columns;
                     T* y = ctx.output<T>(0) + row * columns;
                     // The first column right of the kept (or dropped) triangle below.
                     const int64_t middle =
                         std::clamp<int64_t>(row % rows + k + (upper ? 0 : 1), 0, columns);
                     if (upper) {
                       std::fill_n(y, middle, T{});
                       std::copy(x + middle, x + columns, y + middle);
                     } else {
                       std::copy_n(x, middle, y);
                       std::fill(y + middle, y + columns, T{});
                     }
                   }
                 });
  }
};

Prepared prepare_trilu(const PrepareContext& ctx) { return by_size<TriluKernel>(ctx); }

}  // namespace

constinit const KernelList pad_border{
    {&op::Pad, "cpu.pad_border", prepare_border},
    {&op::Trilu, "cpu.trilu", prepare_trilu},
};

}  // namespace tenon::cpu
