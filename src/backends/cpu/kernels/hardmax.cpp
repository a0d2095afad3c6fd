// Hardmax of f32: 1 at the first greatest element of a row, NaN counting as the greatest.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/reduce/catalog.h"

namespace tenon::cpu {

namespace {

struct HardmaxKernel final : Kernel {
  int64_t outer = 1, length, inner = 1;

  HardmaxKernel(const Shape& shape, size_t axis) : length(shape[axis]) {
    for (size_t a = 0; a < axis; ++a) outer *= shape[a];
    for (size_t a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  }

  void run(const RunContext& ctx) const override {
    if (length == 0) return;
    parallel_for(0, outer * inner, std::max<int64_t>(1, 16384 / length),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t line = begin; line < end; ++line) {
                     const int64_t start = line / inner * length * inner + line % inner;
                     write(ctx.input<float>(0) + start, ctx.output<float>(0) + start);
                   }
                 });
  }

  void write(const float* x, float* y) const {
    int64_t best = 0;
    for (int64_t i = 0; i < length; ++i) {
      y[i * inner] = 0;
      const float value = x[i * inner], greatest = x[best * inner];
      if (value > greatest || (value != value && greatest == greatest)) best = i;
    }
    y[best * inner] = 1;
  }
};

Prepared prepare(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32)
    return refuse(fmt::format("only f32; input is {}", name(ctx.inputs[0].dtype)));
  const Shape& shape = ctx.inputs[0].shape;
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
  return std::make_unique<HardmaxKernel>(shape, axis);
}

}  // namespace

constinit const KernelList hardmax{{&op::Hardmax, "cpu.hardmax", prepare}};

}  // namespace tenon::cpu
