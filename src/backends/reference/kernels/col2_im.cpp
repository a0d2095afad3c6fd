// Col2Im: every element of every column to its place.
#include <vector>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/image/catalog.h"
#include "ops/image/col2im_rules.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  const Windows windows = resolve_windows(ctx, Shape(ctx.inputs[2].constant_ints()),
                                          Shape(ctx.inputs[1].constant_ints()));
  const int64_t planes = ctx.outputs[0].shape[0] * ctx.outputs[0].shape[1];
  return make_kernel([type = ctx.inputs[0].dtype, planes, pixels = windows.input.numel(),
                      places = col2im_places(windows)](const RunContext& run) {
    with_wide(type, [&]<class Wide>() {
      const In<Wide> x(type, run.in[0]);
      const Out<Wide> y(type, run.out[0]);
      const auto count = static_cast<int64_t>(places.size());
      for (int64_t plane = 0; plane < planes; ++plane) {
        // One more, which what lies in the padding is added to.
        std::vector<Wide> image(static_cast<size_t>(pixels) + 1);
        for (int64_t i = 0; i < count; ++i)
          image[static_cast<size_t>(places[static_cast<size_t>(i)])] += x[plane * count + i];
        for (int64_t i = 0; i < pixels; ++i)
          y.set(plane * pixels + i, image[static_cast<size_t>(i)]);
      }
    });
  });
}

}  // namespace

constinit const KernelList col2_im{{&op::Col2Im, "reference.col2im", prepare}};

}  // namespace tenon::reference
