// QLinearConv and ConvInteger whose weights are a constant, channels-last: the windows are rows of
// a product with the weights, [taps][channels] elements each, laid out a block of rows at a time.
#include <algorithm>
#include <array>
#include <memory>

#include "backends/cpu/byte_product.h"
#include "backends/cpu/channels_last.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/conv_rules.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"
#include "runtime/packed_store.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;

struct Ports {
  size_t x, x_zero, w, w_zero;
};
constexpr Ports kInteger{0, 2, 1, 3};
constexpr Ports kQLinear{0, 2, 3, 5};

// Bytes of a block of rows: they stay in the second-level cache while all maps meet them.
constexpr int64_t kBlockBytes = 128 << 10;
constexpr int64_t kMaxBlockRows = 128;
constexpr int64_t kGrain = 1 << 19;  // multiplications worth a thread of their own

// Windows over three spatial axes; those that an image does not have are of size 1.
struct Window3 {
  using Sizes = std::array<int64_t, 3>;
  Sizes input, output, kernel, strides, dilations, pads;

  explicit Window3(const Windows& w) {
    input = output = kernel = strides = dilations = {1, 1, 1};
    pads = {0, 0, 0};
    for (size_t axis = 0; axis < w.rank(); ++axis) {
      const size_t at = 3 - w.rank() + axis;
      input[at] = w.input[axis];
      output[at] = w.output[axis];
      kernel[at] = w.kernel[axis];
      strides[at] = w.strides[axis];
      dilations[at] = w.dilations[axis];
      pads[at] = w.pads_begin[axis];
    }
  }
  // Windows of one element side by side: the image is its own rows.
  bool is_pointwise() const {
    return kernel == Sizes{1, 1, 1} && strides == Sizes{1, 1, 1} && pads == Sizes{0, 0, 0} &&
           input == output;
  }
};

struct ByteConv : Kernel {
  Ports p;
  Geometry g;
  Window3 w;
  ByteProduct product;  // of one group
  Tensor packed;
  DType x_type;
  bool has_x_zero, in_place_rows;
  int64_t rows, windows, block;
  ChannelsLastBytes image;
  size_t terms_at = 0;  // in the scratch, behind the image: biases, then scales

  ByteConv(const PrepareContext& ctx, const Ports& ports, const Geometry& geometry,
           const ByteProduct& shape)
      : p(ports),
        g(geometry),
        w(geometry.windows),
        product(shape),
        x_type(ctx.inputs[ports.x].dtype),
        has_x_zero(ctx.has_input(ports.x_zero)) {
    const TensorSpec& x = ctx.inputs[p.x];
    windows = g.windows.output.numel();
    rows = g.batch * windows;
    const bool pointwise = w.is_pointwise() && g.groups == 1;
    in_place_rows = pointwise && product.takes_as_is(x_type);
    block =
        std::clamp<int64_t>(kBlockBytes / product.row_bytes(), product.max_rows(), kMaxBlockRows);
    if (const int64_t share = (rows + thread_count() - 1) / thread_count(); share < block)
      block = std::max<int64_t>(1, share);
    block = (block + product.max_rows() - 1) / product.max_rows() * product.max_rows();
    image = ChannelsLastBytes(x);
    terms_at = image.scratch_bytes();
    scratch_bytes = terms_at + static_cast<size_t>(g.maps) * 8;
  }

  int32_t* biases(const RunContext& ctx) const {
    return reinterpret_cast<int32_t*>(static_cast<std::byte*>(ctx.scratch) + terms_at);
  }
  float* scales(const RunContext& ctx) const {
    return reinterpret_cast<float*>(biases(ctx) + g.maps);
  }
  const int32_t* weights(int64_t group) const {
    return packed.data<int32_t>() + group * product.packed_size();
  }
  void find_biases(const RunContext& ctx, const int32_t* given) const {
    int32_t* to = biases(ctx);
    if (given)
      std::copy_n(given, g.maps, to);
    else
      std::fill_n(to, g.maps, 0);
    for (int64_t group = 0; group < g.groups; ++group)
      product.correct(weights(group), x_type, x_zero(ctx), to + group * g.group_maps());
  }

  // finish(row, map, sums, count) for runs of maps; row counts windows over all images.
  template <class Finish>
  void convolve(const RunContext& ctx, const Finish& finish) const {
    const std::byte* x = image.at(ctx.in[p.x], ctx.scratch);
    const int32_t zero = x_zero(ctx);
    const int64_t blocks = (rows + block - 1) / block;
    const int64_t work = std::max<int64_t>(1, block * product.row_bytes() * g.maps / 4);
    parallel_for(0, blocks, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end) {
      std::unique_ptr<std::byte[]> laid;
      if (!in_place_rows)
        laid = std::make_unique_for_overwrite<std::byte[]>(
            static_cast<size_t>(block * product.row_bytes()));
      for (int64_t at = begin; at < end; ++at) {
        const int64_t first = at * block, count = std::min(block, rows - first);
        for (int64_t group = 0; group < g.groups; ++group) {
          const std::byte* from = laid.get();
          if (in_place_rows)
            from = x + first * g.channels;
          else
            lay_rows(x, zero, group, first, count, laid.get());
          const int64_t map = group * g.group_maps();
          product.multiply(from, product.row_bytes(), count, weights(group), 0, product.panels(),
                           [&](int64_t row, int64_t column, const int32_t* sums, int64_t n) {
                             finish(first + row, map + column, sums, n);
                           });
        }
      }
    });
  }

 private:
  int32_t x_zero(const RunContext& ctx) const {
    return has_x_zero ? byte_at(ctx.in[p.x_zero], x_type, 0) : 0;
  }

  void lay_rows(const std::byte* x, int32_t zero, int64_t group, int64_t first, int64_t count,
                std::byte* to) const {
    if (g.groups == 1 && w.is_pointwise() && product.rows_join())
      return product.lay(x + first * g.channels, x_type, count * g.channels, zero, to);
    for (int64_t row = first; row < first + count; ++row, to += product.row_bytes()) {
      const std::byte* from = x + row / windows * g.channels * g.windows.input.numel();
      lay_window(from + group * g.group_channels(), zero, row % windows, to);
      product.finish_row(to);
    }
  }

  void lay_window(const std::byte* from, int32_t zero, int64_t window, std::byte* to) const {
    const int64_t channels = g.group_channels(), run = w.kernel[2] * channels;
    const int64_t bytes = product.element_bytes();
    const int64_t x0 = window % w.output[2] * w.strides[2] - w.pads[2];
    const int64_t y0 = window / w.output[2] % w.output[1] * w.strides[1] - w.pads[1];
    const int64_t z0 = window / w.output[2] / w.output[1] * w.strides[0] - w.pads[0];
    for (int64_t k = 0; k < w.kernel[0]; ++k) {
      const int64_t z = z0 + k * w.dilations[0];
      for (int64_t i = 0; i < w.kernel[1]; ++i, to += run * bytes) {
        const int64_t y = y0 + i * w.dilations[1];
        if (z < 0 || z >= w.input[0] || y < 0 || y >= w.input[1])
          product.lay_zeros(run, x_type, zero, to);
        else
          lay_taps(from + (z * w.input[1] + y) * w.input[2] * g.channels, zero, x0, to);
      }
    }
  }

  // The taps of one line of the kernel.
  void lay_taps(const std::byte* line, int32_t zero, int64_t x0, std::byte* to) const {
    const int64_t channels = g.group_channels(), bytes = product.element_bytes();
    if (w.dilations[2] == 1 && g.groups == 1) {
      const int64_t begin = std::clamp<int64_t>(-x0, 0, w.kernel[2]);
      const int64_t end = std::clamp<int64_t>(w.input[2] - x0, begin, w.kernel[2]);
      product.lay_zeros(begin * channels, x_type, zero, to);
      product.lay(line + (x0 + begin) * channels, x_type, (end - begin) * channels, zero,
                  to + begin * channels * bytes);
      product.lay_zeros((w.kernel[2] - end) * channels, x_type, zero, to + end * channels * bytes);
      return;
    }
    for (int64_t k = 0; k < w.kernel[2]; ++k, to += channels * bytes) {
      const int64_t x = x0 + k * w.dilations[2];
      if (x < 0 || x >= w.input[2])
        product.lay_zeros(channels, x_type, zero, to);
      else
        product.lay(line + x * g.channels, x_type, channels, zero, to);
    }
  }
};

struct SumsOut final : ByteConv {
  using ByteConv::ByteConv;
  void run(const RunContext& ctx) const override {
    find_biases(ctx, nullptr);
    const int32_t* bias = biases(ctx);
    auto* y = ctx.output<int32_t>(0);
    convolve(ctx, [&](int64_t row, int64_t map, const int32_t* sums, int64_t count) {
      int32_t* to = y + row * g.maps + map;
      for (int64_t j = 0; j < count; ++j)
        to[j] = static_cast<int32_t>(static_cast<uint32_t>(sums[j]) +
                                     static_cast<uint32_t>(bias[map + j]));
    });
  }
};

struct BytesOut final : ByteConv {
  int64_t scale_step;
  DType type;

  BytesOut(const PrepareContext& ctx, const Ports& ports, const Geometry& geometry,
           const ByteProduct& shape)
      : ByteConv(ctx, ports, geometry, shape),
        scale_step(ctx.inputs[4].numel() > 1 ? 1 : 0),
        type(ctx.outputs[0].dtype) {}

  void run(const RunContext& ctx) const override {
    find_biases(ctx, ctx.input<int32_t>(8));
    const float x_scale = *ctx.input<float>(1), y_scale = *ctx.input<float>(6);
    const auto* w_scale = ctx.input<float>(4);
    float* scale = scales(ctx);
    for (int64_t m = 0; m < g.maps; ++m) scale[m] = x_scale * w_scale[m * scale_step] / y_scale;
    Requantization how;
    how.type = type;
    how.zero_point = byte_at(ctx.in[7], type, 0);
    auto* y = ctx.output<std::byte>(0);
    convolve(ctx, [&](int64_t row, int64_t map, const int32_t* sums, int64_t count) {
      Requantization part = how;
      part.biases = biases(ctx) + map;
      part.scale = scale + map;
      ByteProduct::loops().requantize(sums, static_cast<size_t>(count), part,
                                      y + row * g.maps + map);
    });
  }
};

// The weights of a group as [taps][channels] by maps.
template <class T>
void pack_group(const Geometry& g, const ByteProduct& product, const T* w,
                const ByteZeroPoints& zeros, int64_t group, int32_t* to) {
  const int64_t channels = g.group_channels(), taps = g.windows.kernel.numel();
  const int64_t first = group * g.group_maps();
  product.pack(
      [&](int64_t k, int64_t j) {
        const int64_t map = first + j;
        return int32_t{w[(map * channels + k % channels) * taps + k / channels]} - zeros.at(map);
      },
      to);
}

template <class Made>
Prepared make(const PrepareContext& ctx, const Ports& p) {
  const Geometry g = conv_rules::of_conv(ctx, ctx.inputs[p.x].shape, ctx.inputs[p.w].shape);
  if (!ctx.is_constant(p.w)) return refuse("the weights are not a constant");
  for (size_t i = 0; i < ctx.inputs.size(); ++i)
    if (i != p.x && ctx.inputs[i].present() && !ctx.inputs[i].contiguous)
      return refuse(fmt::format("{} is strided", ctx.op.inputs[i].name));
  if (ctx.has_input(p.w_zero) && !ctx.is_constant(p.w_zero))
    return refuse("the zero points of the weights are not constant");
  if (ctx.outputs[0].numel() == 0 || ctx.inputs[p.x].numel() == 0)
    return refuse("nothing to compute");
  if (g.windows.rank() > 3)
    return refuse(fmt::format("only 1 to 3 spatial axes; x has {}", g.windows.rank()));
  const TensorSpec& given = ctx.inputs[p.w];
  ByteZeroPoints zeros{nullptr, given.dtype, 1};
  if (ctx.has_input(p.w_zero)) {
    zeros.data = ctx.inputs[p.w_zero].constant;
    zeros.count = ctx.inputs[p.w_zero].numel();
  }
  const ByteForm form = zeros.fit_quads(g.maps) ? best_byte_form() : ByteForm::pairs;
  const ByteProduct product(form, g.group_channels() * g.windows.kernel.numel(), g.group_maps());
  auto kernel = std::make_unique<Made>(ctx, p, g, product);
  std::string key = fmt::format("byte conv {} {} {} {}", static_cast<int>(form), g.groups,
                                given.shape.str(), name(given.dtype));
  for (int64_t j = 0; j < zeros.count; ++j) key += fmt::format(" {}", zeros.at(j));
  const int64_t count = g.groups * product.packed_size();
  const auto pack_now = [&] {
    Tensor made = Tensor::empty({count}, DType::i32);
    for (int64_t group = 0; group < g.groups; ++group) {
      int32_t* to = made.data<int32_t>() + group * product.packed_size();
      if (given.dtype == DType::i8)
        pack_group(g, product, static_cast<const int8_t*>(given.constant), zeros, group, to);
      else
        pack_group(g, product, static_cast<const uint8_t*>(given.constant), zeros, group, to);
    }
    return made;
  };
  kernel->packed = ctx.packed->get(given.constant, key, pack_now, {DType::i32, count});
  set_channels_last(ctx.outputs[0]);
  return kernel;
}

Prepared prepare_integer(const PrepareContext& ctx) { return make<SumsOut>(ctx, kInteger); }
Prepared prepare_q_linear(const PrepareContext& ctx) { return make<BytesOut>(ctx, kQLinear); }

}  // namespace

constinit const KernelList byte_conv{
    {&op::ConvInteger, "cpu.byte_conv_integer", prepare_integer, Strides::any},
    {&op::QLinearConv, "cpu.byte_q_linear_conv", prepare_q_linear, Strides::any},
};

}  // namespace tenon::cpu
