// Gather (embeddings) and its gradient: runs of elements behind the gathered axis, moved whole.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/shape/catalog.h"
#include "ops/shape/indexing.h"

namespace tenon::cpu {

namespace {

// Data seen as [outer, size, inner] around the axis.
struct Around : Kernel {
  std::string_view op_name;
  size_t axis;
  DType index_type;
  int64_t outer = 1, size, inner = 1, picked;

  Around(const PrepareContext& ctx, const Shape& data)
      : op_name(ctx.op.name),
        axis(static_cast<size_t>(normalize_axis(ctx.i("axis"), data.rank(), ctx.op.name))),
        index_type(ctx.inputs[1].dtype),
        size(data[axis]),
        picked(ctx.inputs[1].numel()) {
    for (size_t a = 0; a < axis; ++a) outer *= data[a];
    for (size_t a = axis + 1; a < data.rank(); ++a) inner *= data[a];
  }

  int64_t place(const void* indices, int64_t i) const {
    const int64_t given = index_type == DType::i32 ? static_cast<const int32_t*>(indices)[i]
                                                   : static_cast<const int64_t*>(indices)[i];
    return checked_index(op_name, given, axis, size);
  }
};

template <size_t kBytes>
void copy_one(std::byte* to, const std::byte* from, size_t) {
  std::memcpy(to, from, kBytes);
}
void copy_many(std::byte* to, const std::byte* from, size_t bytes) { std::memcpy(to, from, bytes); }

struct GatherKernel final : Around {
  size_t run_bytes;
  void (*copy)(std::byte*, const std::byte*, size_t);

  GatherKernel(const PrepareContext& ctx, const Shape& data)
      : Around(ctx, data), run_bytes(static_cast<size_t>(inner) * size_of(ctx.inputs[0].dtype)) {
    copy = run_bytes == 4 ? copy_one<4> : run_bytes == 8 ? copy_one<8> : copy_many;
  }

  void run(const RunContext& ctx) const override {
    const int64_t grain = std::max<int64_t>(1, 65536 / static_cast<int64_t>(run_bytes + 16));
    const auto bytes = static_cast<int64_t>(run_bytes);
    parallel_for(0, outer * picked, grain, [&](int64_t begin, int64_t end) {
      const auto* x = ctx.input<std::byte>(0);
      auto* y = ctx.output<std::byte>(0);
      int64_t o = begin / picked, i = begin % picked;
      for (int64_t at = begin; at < end; ++at) {
        copy(y + at * bytes, x + (o * size + place(ctx.in[1], i)) * bytes, run_bytes);
        if (++i == picked) {
          i = 0;
          ++o;
        }
      }
    });
  }
};

// Threads share out the elements of a run, so that each element is added up in the order of the
// indices whatever their number.
struct GatherGradKernel final : Around {
  using Around::Around;

  void run(const RunContext& ctx) const override {
    // All indices first: threads then need not check.
    for (int64_t i = 0; i < picked; ++i) place(ctx.in[1], i);
    const int64_t rows = outer * size;
    const int64_t grain =
        std::max<int64_t>(16, 65536 / std::max<int64_t>(1, outer * (size + picked)));
    parallel_for(0, inner, grain, [&](int64_t begin, int64_t end) {
      const float* dy = ctx.input<float>(0);
      float* dx = ctx.output<float>(0);
      if (end - begin == inner) {
        std::fill_n(dx, rows * inner, 0.0F);
      } else {
        for (int64_t row = 0; row < rows; ++row)
          std::fill(dx + row * inner + begin, dx + row * inner + end, 0.0F);
      }
      for (int64_t o = 0; o < outer; ++o) {
        for (int64_t i = 0; i < picked; ++i) {
          float* to = dx + (o * size + place(ctx.in[1], i)) * inner;
          const float* from = dy + (o * picked + i) * inner;
          for (int64_t k = begin; k < end; ++k) to[k] += from[k];
        }
      }
    });
  }
};

Prepared prepare_gather(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::string) return refuse("no strings");
  return std::make_unique<GatherKernel>(ctx, ctx.inputs[0].shape);
}

Prepared prepare_gather_grad(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32)
    return refuse(fmt::format("only f32; dY is {}", name(ctx.inputs[0].dtype)));
  return std::make_unique<GatherGradKernel>(ctx, ctx.outputs[0].shape);
}

}  // namespace

constinit const KernelList gather{
    {&op::Gather, "cpu.gather", prepare_gather},
    {&op::GatherGrad, "cpu.gather_grad", prepare_gather_grad},
};

}  // namespace tenon::cpu
