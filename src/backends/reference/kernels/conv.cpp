// Conv, ConvTranspose and the gradients of Conv: one loop over all products, and three ways to add
// them up.
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/windows.h"
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"

namespace tenon::reference {

namespace {

using conv_rules::Geometry;

// Calls fn(image, map, weight) with the places of the three factors that belong together: of
// [N, C, spatial...], [N, M, windows...] and [M, C/group, kernel...].
template <class Fn>
void for_each_product(const Geometry& g, Fn&& fn) {
  const int64_t image_size = g.windows.input.numel();
  const int64_t map_size = g.windows.output.numel();
  const int64_t kernel_size = g.windows.kernel.numel();
  for_each_index(g.windows.output, [&](const Shape& at, int64_t window) {
    for_each_tap(g.windows, at, [&](int64_t tap, int64_t pixel) {
      for (int64_t n = 0; n < g.batch; ++n)
        for (int64_t m = 0; m < g.maps; ++m) {
          const int64_t first = m / g.group_maps() * g.group_channels();
          for (int64_t c = 0; c < g.group_channels(); ++c)
            fn(static_cast<size_t>((n * g.channels + first + c) * image_size + pixel),
               static_cast<size_t>((n * g.maps + m) * map_size + window),
               static_cast<size_t>((m * g.group_channels() + c) * kernel_size + tap));
        }
    });
  });
}

// A result [N, channels, size] that starts from the bias, or from zeros.
std::vector<double> biased(int64_t batch, int64_t channels, int64_t size, DType type,
                           const void* bias) {
  std::vector<double> wide(static_cast<size_t>(batch * channels * size));
  if (!bias) return wide;
  const In<double> b(type, bias);
  for (size_t i = 0; i < wide.size(); ++i) wide[i] = b[static_cast<int64_t>(i) / size % channels];
  return wide;
}

struct Products : Kernel {
  Products(const PrepareContext& ctx, Geometry g)
      : geometry(std::move(g)),
        type(ctx.inputs[0].dtype),
        first(ctx.inputs[0].numel()),
        second(ctx.inputs[1].numel()) {
    has_bias = ctx.has_input(2);
  }

  std::vector<double> input(const RunContext& ctx, size_t i) const {
    return widened(type, ctx.in[i], i == 0 ? first : second);
  }
  const void* bias(const RunContext& ctx) const { return has_bias ? ctx.in[2] : nullptr; }

  Geometry geometry;
  DType type;
  int64_t first, second;
  bool has_bias;
};

struct Forward final : Products {
  using Products::Products;
  void run(const RunContext& ctx) const override {
    const std::vector<double> x = input(ctx, 0), w = input(ctx, 1);
    std::vector<double> y =
        biased(geometry.batch, geometry.maps, geometry.windows.output.numel(), type, bias(ctx));
    for_each_product(
        geometry, [&](size_t image, size_t map, size_t weight) { y[map] += x[image] * w[weight]; });
    store_all(type, ctx.out[0], y);
  }
};

struct ToImage final : Products {
  using Products::Products;
  void run(const RunContext& ctx) const override {
    const std::vector<double> maps = input(ctx, 0), w = input(ctx, 1);
    std::vector<double> x =
        biased(geometry.batch, geometry.channels, geometry.windows.input.numel(), type, bias(ctx));
    for_each_product(geometry, [&](size_t image, size_t map, size_t weight) {
      x[image] += maps[map] * w[weight];
    });
    store_all(type, ctx.out[0], x);
  }
};

struct ToWeights final : Products {
  using Products::Products;
  void run(const RunContext& ctx) const override {
    const std::vector<double> x = input(ctx, 0), dy = input(ctx, 1);
    std::vector<double> dw(static_cast<size_t>(geometry.maps * geometry.group_channels() *
                                               geometry.windows.kernel.numel()));
    for_each_product(geometry, [&](size_t image, size_t map, size_t weight) {
      dw[weight] += x[image] * dy[map];
    });
    store_all(type, ctx.out[0], dw);
  }
};

Prepared prepare_conv(const PrepareContext& ctx) {
  return std::make_unique<Forward>(
      ctx, conv_rules::of_conv(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape));
}
Prepared prepare_transpose(const PrepareContext& ctx) {
  return std::make_unique<ToImage>(
      ctx, conv_rules::of_transpose(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape));
}
Prepared prepare_input_grad(const PrepareContext& ctx) {
  return std::make_unique<ToImage>(
      ctx, conv_rules::of_input_grad(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape));
}
Prepared prepare_weight_grad(const PrepareContext& ctx) {
  return std::make_unique<ToWeights>(
      ctx, conv_rules::of_weight_grad(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape));
}

}  // namespace

constinit const KernelList conv{
    {&op::Conv, "reference.conv", prepare_conv},
    {&op::ConvTranspose, "reference.conv_transpose", prepare_transpose},
    {&op::ConvInputGrad, "reference.conv_input_grad", prepare_input_grad},
    {&op::ConvWeightGrad, "reference.conv_weight_grad", prepare_weight_grad},
};

}  // namespace tenon::reference
