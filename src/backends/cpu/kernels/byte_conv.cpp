// QLinearConv and ConvInteger whose weights are a constant, channels-last: the windows of a padded
// image are rows of a product with the weights, [taps][channels] elements each: read where they lie
// in the image where pairs are multiplied, else laid out a block of rows at a time.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

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
constexpr int64_t kMaxBlockRows = 120;  // a multiple of tiles of 4, 6 and 8
// Bytes of a padded image above which the padding is not written out.
constexpr double kMostPadded = 0x1p32;
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
  // Of one element, without padding: windows are pixels.
  bool is_pixel() const { return kernel == Sizes{1, 1, 1} && pads == Sizes{0, 0, 0}; }
  // All of them, in order.
  bool is_pointwise() const { return is_pixel() && strides == Sizes{1, 1, 1} && input == output; }
  // Elements of the padded image along `axis` that some window touches.
  int64_t padded(size_t axis) const {
    return (output[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1;
  }
};

// The elements under the kernel at a window, of one group: runs of `length` that follow each other
// in the image, each rounded up to whole pairs in the product.
struct KernelRuns {
  int64_t length = 0, count = 0;

  KernelRuns(const Geometry& g, const Window3& w) {
    const int64_t taps = g.windows.kernel.numel();
    const int64_t joined = g.groups == 1 && w.dilations[2] == 1 ? w.kernel[2] : 1;
    length = joined * g.group_channels();
    count = taps / joined;
  }
  int64_t pairs() const { return (length + 1) / 2; }
  // Where they lie in a padded image of 16-bit numbers, in bytes from the first.
  std::vector<int64_t> offsets(const Geometry& g, const Window3& w) const {
    const int64_t steps = count / w.kernel[0] / w.kernel[1];
    std::vector<int64_t> list;
    for (int64_t k = 0; k < w.kernel[0]; ++k)
      for (int64_t i = 0; i < w.kernel[1]; ++i)
        for (int64_t j = 0; j < steps; ++j)
          list.push_back(2 * g.channels *
                         ((k * w.dilations[0] * w.padded(1) + i * w.dilations[1]) * w.padded(2) +
                          j * w.dilations[2]));
    return list;
  }
};

// Whether windows are read where they lie.
bool reads_runs(ByteForm form, const Window3& w) {
  return form == ByteForm::pairs && !w.is_pixel();
}

struct ByteConv : Kernel {
  Ports p;
  Geometry g;
  Window3 w;
  KernelRuns runs;
  std::vector<int64_t> run_offsets;  // empty: rows are laid out
  ByteProduct product;               // of one group
  Tensor packed;
  DType x_type;
  bool has_x_zero, in_place_rows;
  int64_t windows, block;  // of an image; rows that are laid out at a time
  ChannelsLastBytes image;
  // In the scratch, behind the image: one padded image; then biases, then scales.
  size_t padded_at = 0, terms_at = 0;

  ByteConv(const PrepareContext& ctx, const Ports& ports, const Geometry& geometry,
           const ByteProduct& shape)
      : p(ports),
        g(geometry),
        w(geometry.windows),
        runs(geometry, w),
        product(shape),
        x_type(ctx.inputs[ports.x].dtype),
        has_x_zero(ctx.has_input(ports.x_zero)) {
    windows = g.windows.output.numel();
    in_place_rows = w.is_pointwise() && g.groups == 1 && product.takes_as_is(x_type);
    const int64_t rows = w.is_pixel() ? g.batch * windows : windows;
    block =
        std::clamp<int64_t>(kBlockBytes / product.row_bytes(), product.max_rows(), kMaxBlockRows);
    if (const int64_t share = (rows + thread_count() - 1) / thread_count(); share < block)
      block = std::max<int64_t>(1, share);
    block = (block + product.max_rows() - 1) / product.max_rows() * product.max_rows();
    if (reads_runs(product.form(), w)) {
      run_offsets = runs.offsets(g, w);
      block = std::clamp<int64_t>(rows / thread_count(), 1, kMaxBlockRows);
    }
    image = ChannelsLastBytes(ctx.inputs[p.x]);
    padded_at = terms_at = image.scratch_bytes();
    if (!w.is_pixel()) {
      const int64_t pixels = w.padded(0) * w.padded(1) * w.padded(2);
      // The last pair of a run may reach behind the image.
      terms_at +=
          static_cast<size_t>(pixels * g.channels * product.element_bytes() + 2 + 63) / 64 * 64;
    }
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

  // finish(tile), whose rows are the windows of all images and whose columns the maps.
  template <class Finish>
  void convolve(const RunContext& ctx, const Finish& finish) const {
    const std::byte* x = image.at(ctx.in[p.x], ctx.scratch);
    const int32_t zero = x_zero(ctx);
    if (w.is_pixel()) {
      multiply(g.batch * windows, 0, finish,
               [&](int64_t first, int64_t count, int64_t group, std::byte* to) {
                 if (in_place_rows) return x + first * g.channels;
                 lay_pixels(x, zero, group, first, count, to);
                 return static_cast<const std::byte*>(to);
               });
      return;
    }
    auto* padded = static_cast<std::byte*>(ctx.scratch) + padded_at;
    for (int64_t n = 0; n < g.batch; ++n) {
      pad(x + n * g.channels * g.windows.input.numel(), zero, padded);
      if (!run_offsets.empty()) {
        multiply_runs(padded, n * windows, finish);
        continue;
      }
      multiply(windows, n * windows, finish,
               [&](int64_t first, int64_t count, int64_t group, std::byte* to) {
                 const int64_t channel = group * g.group_channels();
                 for (int64_t i = 0; i < count; ++i) {
                   std::byte* row = to + i * product.row_bytes();
                   lay_window(padded + channel * product.element_bytes(), first + i, row);
                   product.finish_row(row);
                 }
                 return static_cast<const std::byte*>(to);
               });
    }
  }

 private:
  int32_t x_zero(const RunContext& ctx) const {
    return has_x_zero ? byte_at(ctx.in[p.x_zero], x_type, 0) : 0;
  }

  // rows(first, count, group, room) lays a block of rows, or says where it lies. The first row is
  // row `offset` of the result.
  template <class Finish, class Rows>
  void multiply(int64_t count, int64_t offset, const Finish& finish, const Rows& rows) const {
    const int64_t blocks = (count + block - 1) / block;
    const int64_t work = std::max<int64_t>(1, block * product.row_bytes() * g.maps / 4);
    parallel_for(0, blocks, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end) {
      std::unique_ptr<std::byte[]> room;
      if (!in_place_rows)
        room = std::make_unique_for_overwrite<std::byte[]>(
            static_cast<size_t>(block * product.row_bytes()));
      for (int64_t at = begin; at < end; ++at) {
        const int64_t first = at * block, n = std::min(block, count - first);
        for (int64_t group = 0; group < g.groups; ++group)
          product.multiply(rows(first, n, group, room.get()), product.row_bytes(), n,
                           weights(group), 0, product.panels(), [&](ByteTile tile) {
                             tile.row += offset + first;
                             tile.column += group * g.group_maps();
                             finish(tile);
                           });
      }
    });
  }

  // As multiply, of one padded image's windows.
  template <class Finish>
  void multiply_runs(const std::byte* padded, int64_t offset, const Finish& finish) const {
    const IntegerRuns where{run_offsets.data(), run_offsets.size(),
                            static_cast<size_t>(runs.pairs())};
    const int64_t blocks = (windows + block - 1) / block;
    const int64_t work = std::max<int64_t>(1, block * product.row_bytes() * g.maps / 4);
    parallel_for(0, blocks, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end) {
      std::array<const std::byte*, kMaxBlockRows> rows;
      for (int64_t at = begin; at < end; ++at) {
        const int64_t first = at * block, n = std::min(block, windows - first);
        for (int64_t group = 0; group < g.groups; ++group) {
          for (int64_t i = 0; i < n; ++i)
            rows[static_cast<size_t>(i)] =
                padded + 2 * (place_of(first + i) * g.channels + group * g.group_channels());
          product.multiply_runs(rows.data(), n, where, weights(group), [&](ByteTile tile) {
            tile.row += offset + first;
            tile.column += group * g.group_maps();
            finish(tile);
          });
        }
      }
    });
  }

  // The first pixel of a window in a padded image.
  int64_t place_of(int64_t window) const {
    const int64_t x = window % w.output[2] * w.strides[2];
    const int64_t y = window / w.output[2] % w.output[1] * w.strides[1];
    const int64_t z = window / w.output[2] / w.output[1] * w.strides[0];
    return (z * w.padded(1) + y) * w.padded(2) + x;
  }

  void lay_pixels(const std::byte* x, int32_t zero, int64_t group, int64_t first, int64_t count,
                  std::byte* to) const {
    if (g.groups == 1 && w.is_pointwise() && product.rows_join())
      return product.lay(x + first * g.channels, x_type, count * g.channels, zero, to);
    const std::byte* from = x + group * g.group_channels();
    const int64_t pixels = g.windows.input.numel();
    for (int64_t row = first; row < first + count; ++row, to += product.row_bytes()) {
      const int64_t window = row % windows;
      const int64_t column = window % w.output[2] * w.strides[2];
      const int64_t line = window / w.output[2] % w.output[1] * w.strides[1];
      const int64_t plane = window / w.output[2] / w.output[1] * w.strides[0];
      const int64_t pixel =
          row / windows * pixels + (plane * w.input[1] + line) * w.input[2] + column;
      product.lay(from + pixel * g.channels, x_type, g.group_channels(), zero, to);
      product.finish_row(to);
    }
  }

  // An image as it is laid in rows, with its padding.
  void pad(const std::byte* x, int32_t zero, std::byte* to) const {
    const int64_t bytes = g.channels * product.element_bytes();
    const int64_t lines = w.padded(0) * w.padded(1), width = w.padded(2);
    const int64_t left = std::min(w.pads[2], width);
    const int64_t middle = std::clamp<int64_t>(width - left, 0, w.input[2]);
    parallel_for(0, lines, std::max<int64_t>(1, 65536 / (width * g.channels)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t at = begin; at < end; ++at) {
                     std::byte* line = to + at * width * bytes;
                     const int64_t z = at / w.padded(1) - w.pads[0];
                     const int64_t y = at % w.padded(1) - w.pads[1];
                     if (z < 0 || z >= w.input[0] || y < 0 || y >= w.input[1]) {
                       product.lay_zeros(width * g.channels, x_type, zero, line);
                       continue;
                     }
                     product.lay_zeros(left * g.channels, x_type, zero, line);
                     product.lay(x + (z * w.input[1] + y) * w.input[2] * g.channels, x_type,
                                 middle * g.channels, zero, line + left * bytes);
                     product.lay_zeros((width - left - middle) * g.channels, x_type, zero,
                                       line + (left + middle) * bytes);
                   }
                 });
  }

  // The elements under the kernel at a window of a padded image.
  void lay_window(const std::byte* padded, int64_t window, std::byte* to) const {
    const int64_t pixel = g.channels * product.element_bytes();
    const auto tap = static_cast<size_t>(g.group_channels() * product.element_bytes());
    const auto line = static_cast<size_t>(w.kernel[2]) * tap;
    const bool joins = g.groups == 1 && w.dilations[2] == 1;
    const int64_t corner = place_of(window);
    for (int64_t k = 0; k < w.kernel[0]; ++k)
      for (int64_t i = 0; i < w.kernel[1]; ++i, to += line) {
        const int64_t place =
            corner + (k * w.dilations[0] * w.padded(1) + i * w.dilations[1]) * w.padded(2);
        const std::byte* from = padded + place * pixel;
        if (joins) {
          std::memcpy(to, from, line);
          continue;
        }
        for (int64_t j = 0; j < w.kernel[2]; ++j)
          std::memcpy(to + static_cast<size_t>(j) * tap, from + j * w.dilations[2] * pixel, tap);
      }
  }
};

struct SumsOut final : ByteConv {
  using ByteConv::ByteConv;
  void run(const RunContext& ctx) const override {
    find_biases(ctx, nullptr);
    const int32_t* bias = biases(ctx);
    auto* y = ctx.output<int32_t>(0);
    convolve(ctx, [&](const ByteTile& tile) { tile.add(bias, y, g.maps); });
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
    how.biases = biases(ctx);
    how.scale = scale;
    auto* y = ctx.output<std::byte>(0);
    convolve(ctx, [&](const ByteTile& tile) { tile.requantize(how, y, g.maps); });
  }
};

// The weights of a group as [taps][channels] by maps: runs of `length` elements, each of which
// takes `step` in the product.
struct RunSteps {
  int64_t length, step;
};
template <class T>
void pack_group(const Geometry& g, const ByteProduct& product, RunSteps runs, const T* w,
                const ByteZeroPoints& zeros, int64_t group, int32_t* to) {
  const int64_t channels = g.group_channels(), taps = g.windows.kernel.numel();
  const int64_t first = group * g.group_maps();
  product.pack(
      [&](int64_t at, int64_t j) {
        if (at % runs.step >= runs.length) return 0;
        const int64_t map = first + j, k = at / runs.step * runs.length + at % runs.step;
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
  const ByteForm form = zeros.form_of(given.constant, given.dtype, given.numel(), g.maps, true);
  const Window3 w(g.windows);
  const KernelRuns runs(g, w);
  const int64_t taps = g.group_channels() * g.windows.kernel.numel();
  RunSteps steps{taps, taps};
  if (reads_runs(form, w)) steps = {runs.length, 2 * runs.pairs()};
  const ByteProduct product(form, taps / steps.length * steps.step, g.group_maps());
  double padded = static_cast<double>(g.channels * product.element_bytes());
  for (size_t axis = 0; axis < 3; ++axis) padded *= static_cast<double>(w.padded(axis));
  if (padded > kMostPadded) return refuse("the padded image would not fit into memory");
  auto kernel = std::make_unique<Made>(ctx, p, g, product);
  std::string key =
      fmt::format("byte conv {} times {} in runs of {}, {} {}", g.groups, product.layout(),
                  steps.length, given.shape.str(), name(given.dtype));
  for (int64_t j = 0; j < zeros.count; ++j) key += fmt::format(" {}", zeros.at(j));
  const int64_t count = g.groups * product.packed_size();
  const auto pack_now = [&] {
    Tensor made = Tensor::empty({count}, DType::i32);
    for (int64_t group = 0; group < g.groups; ++group) {
      int32_t* to = made.data<int32_t>() + group * product.packed_size();
      if (given.dtype == DType::i8)
        pack_group(g, product, steps, static_cast<const int8_t*>(given.constant), zeros, group, to);
      else
        pack_group(g, product, steps, static_cast<const uint8_t*>(given.constant), zeros, group,
                   to);
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
