// Col2Im of f32: planes in parallel, rows of blocks added at a stride.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/image/catalog.h"
#include "ops/nn/windows.h"

namespace tenon::cpu {

namespace {

struct Col2ImKernel final : Kernel {
  Windows windows;
  int64_t planes;

  void run(const RunContext& ctx) const override {
    const int64_t elements = windows.kernel.numel(), blocks = windows.output.numel();
    parallel_for(0, planes, std::max<int64_t>(1, 16384 / (elements * blocks + 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t p = begin; p < end; ++p)
                     run_plane(ctx.input<float>(0) + p * elements * blocks,
                               ctx.output<float>(0) + p * windows.input.numel());
                 });
  }

  void run_plane(const float* x, float* y) const {
    std::fill_n(y, windows.input.numel(), 0.0F);
    const size_t last = windows.rank() - 1;
    const int64_t width = windows.output[last], rows = windows.output.numel() / width;
    const Shape strides = windows.input.row_major_strides();
    for (int64_t element = 0; element < windows.kernel.numel(); ++element)
      for (int64_t row = 0; row < rows; ++row, x += width) {
        // Where the row of blocks lies along all axes but the last.
        int64_t k = element / windows.kernel[last], o = row, at = 0;
        bool inside = true;
        for (size_t axis = last; axis-- > 0;) {
          const int64_t place = windows.start(axis, o % windows.output[axis]) +
                                k % windows.kernel[axis] * windows.dilations[axis];
          inside = inside && place >= 0 && place < windows.input[axis];
          at += place * strides[axis];
          k /= windows.kernel[axis];
          o /= windows.output[axis];
        }
        if (!inside) continue;
        const int64_t shift = element % windows.kernel[last] * windows.dilations[last];
        for (int64_t i = 0; i < width; ++i) {
          const int64_t place = windows.start(last, i) + shift;
          if (place >= 0 && place < windows.input[last]) y[at + place] += x[i];
        }
      }
  }
};

Prepared prepare(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32)
    return refuse(fmt::format("only f32; input is {}", name(ctx.inputs[0].dtype)));
  auto kernel = std::make_unique<Col2ImKernel>();
  kernel->windows = resolve_windows(ctx, Shape(ctx.inputs[2].constant_ints()),
                                    Shape(ctx.inputs[1].constant_ints()));
  kernel->planes = ctx.outputs[0].shape[0] * ctx.outputs[0].shape[1];
  return kernel;
}

}  // namespace

constinit const KernelList col2_im{{&op::Col2Im, "cpu.col2im", prepare}};

}  // namespace tenon::cpu
