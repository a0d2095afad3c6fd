// Resize in mode nearest: elements of any size, copied. A row that repeats the one before is one
// memcpy, and whole factors of 2 to 4 along rows have loops of their own.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/resize_loops.h"
#include "backends/cpu/resize_plan.h"
#include "base/threads.h"
#include "ops/image/catalog.h"

namespace tenon::cpu {

namespace {

using resize_rules::Taps;

template <size_t kBytes>
void pick(const std::byte* x, const int64_t* place, int64_t count, size_t, std::byte* y) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(y + static_cast<size_t>(i) * kBytes, x + static_cast<size_t>(place[i]) * kBytes,
                kBytes);
}
void pick_runs(const std::byte* x, const int64_t* place, int64_t count, size_t bytes,
               std::byte* y) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(y + static_cast<size_t>(i) * bytes, x + static_cast<size_t>(place[i]) * bytes,
                bytes);
}

// How often each element of the axis is repeated, where that is one number; else 0.
int64_t whole_factor(const Taps& taps) {
  if (taps.in == 0 || taps.out % taps.in != 0) return 0;
  const int64_t factor = taps.out / taps.in;
  for (size_t o = 0; o < taps.place.size(); ++o)
    if (taps.place[o] != static_cast<int64_t>(o) / factor) return 0;
  return factor;
}

struct NearestKernel final : Kernel {
  ResizePlan plan;
  size_t last = 0;  // the last axis that changes: rows run along it and what is behind it
  size_t run_bytes, row_in, row_out;
  int64_t rows;
  RepeatFn repeat = nullptr;
  decltype(&pick_runs) pick_row = pick_runs;

  NearestKernel(ResizePlan given, size_t element) : plan(std::move(given)) {
    for (size_t a = 0; a < plan.taps.size(); ++a)
      if (!plan.taps[a].is_identity()) last = a;
    const Taps& along = plan.taps[last];
    run_bytes = static_cast<size_t>(plan.inner(last)) * element;
    row_in = static_cast<size_t>(along.in) * run_bytes;
    row_out = static_cast<size_t>(along.out) * run_bytes;
    rows = 1;
    for (size_t a = 0; a < last; ++a) rows *= plan.out[a];
    if (run_bytes == 1) pick_row = pick<1>;
    if (run_bytes == 2) pick_row = pick<2>;
    if (run_bytes == 4) pick_row = pick<4>;
    if (run_bytes == 8) pick_row = pick<8>;
    if (const int64_t factor = whole_factor(along)) repeat = repeat_loop(run_bytes, factor);
  }

  // Which row of x row `r` of y reads.
  int64_t source(int64_t r) const {
    int64_t from = 0, stride = 1;
    for (size_t a = last; a-- > 0;) {
      from += plan.taps[a].place[static_cast<size_t>(r % plan.out[a])] * stride;
      r /= plan.out[a];
      stride *= plan.in[a];
    }
    return from;
  }

  void run(const RunContext& ctx) const override {
    const int64_t grain = std::max<int64_t>(1, 65536 / static_cast<int64_t>(row_out + 16));
    parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      const Taps& along = plan.taps[last];
      int64_t before = -1;
      for (int64_t r = begin; r < end; ++r) {
        std::byte* y = ctx.output<std::byte>(0) + static_cast<size_t>(r) * row_out;
        const int64_t from = source(r);
        const std::byte* x = ctx.input<std::byte>(0) + static_cast<size_t>(from) * row_in;
        if (from == before)
          std::memcpy(y, y - row_out, row_out);
        else if (repeat)
          repeat(x, y, static_cast<size_t>(along.in));
        else
          pick_row(x, along.place.data(), along.out, run_bytes, y);
        before = from;
      }
    });
  }
};

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (ctx.s("mode") != "nearest") return refuse("only mode nearest");
  if (x.dtype == DType::string) return refuse("no strings");
  if (x.numel() == 0 || ctx.outputs[0].numel() == 0) return refuse("nothing to compute");
  const std::vector<Taps> taps =
      resize_rules::taps(ctx, x.shape, ctx.outputs[0].shape, resize_rules::lists_of(ctx.inputs, 1));
  for (const Taps& along : taps)
    if (!along.is_selection()) return refuse("places outside x take the extrapolation value");
  auto plan = plan_resize(x, ctx.outputs[0], taps);
  if (!plan) return refuse("x has gaps between its elements");
  return std::make_unique<NearestKernel>(std::move(*plan), size_of(x.dtype));
}

}  // namespace

constinit const KernelList resize_nearest{
    {&op::Resize, "cpu.resize_nearest", prepare, Strides::any},
    {&op::Resize, "cpu.resize_nearest_of_copy", prepare},
};

}  // namespace tenon::cpu
