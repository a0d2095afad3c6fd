// ConvInteger and QLinearConv: for each image and group, the weights [maps, taps] times the windows
// [taps, windows], which are gathered panel by panel from an image that is widened to 16 bits and
// padded with zeros. Exact whatever the signs.
#include <algorithm>
#include <array>
#include <vector>

#include "backends/cpu/integer_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/conv_rules.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;

class IntegerConv : public Kernel {
 public:
  struct Ports {
    size_t x, w, x_zero, w_zero;
  };

  IntegerConv(const PrepareContext& ctx, Ports p)
      : ports_(p),
        x_type_(ctx.inputs[p.x].dtype),
        w_type_(ctx.inputs[p.w].dtype),
        g_(conv_rules::of_conv(ctx, ctx.inputs[p.x].shape, ctx.inputs[p.w].shape)) {
    if (ctx.has_input(p.w_zero)) zero_step_ = ctx.inputs[p.w_zero].numel() > 1 ? 1 : 0;
    has_x_zero_ = ctx.has_input(p.x_zero);
    has_w_zero_ = ctx.has_input(p.w_zero);
    const Windows& w = g_.windows;
    for (size_t axis = 0; axis < w.rank(); ++axis)
      padded_.push_back(w.pads_begin[axis] + w.input[axis] + w.pads_end[axis]);
    const Shape strides = padded_.row_major_strides();
    plane_ = padded_.numel();
    windows_ = w.output.numel();
    taps_ = g_.group_channels() * w.kernel.numel();
    pairs_ = static_cast<int64_t>(integer_pairs(static_cast<size_t>(taps_)));
    for (int64_t c = 0; c < g_.group_channels(); ++c)
      for_each(w.kernel, [&](const Shape& k) {
        int64_t offset = c * plane_;
        for (size_t axis = 0; axis < w.rank(); ++axis)
          offset += k[axis] * w.dilations[axis] * strides[axis];
        tap_offsets_.push_back(offset);
      });
    for_each(w.output, [&](const Shape& at) {
      int64_t offset = 0;
      for (size_t axis = 0; axis < w.rank(); ++axis)
        offset += at[axis] * w.strides[axis] * strides[axis];
      window_offsets_.push_back(offset);
    });
    scratch_bytes = static_cast<size_t>(g_.maps * pairs_) * sizeof(int32_t);
    image_at_ = (scratch_bytes + 63) / 64 * 64;
    scratch_bytes =
        image_at_ + static_cast<size_t>(g_.batch * g_.channels * plane_) * sizeof(int16_t);
  }

 protected:
  // Calls finish(element of the result, map, sums, count) for runs of each map.
  template <class Finish>
  void convolve(const RunContext& ctx, const Finish& finish) const {
    auto* weights = static_cast<int32_t*>(ctx.scratch);
    auto* image = reinterpret_cast<int16_t*>(static_cast<std::byte*>(ctx.scratch) + image_at_);
    pack_weights(ctx, weights);
    widen_image(ctx, image);
    const auto width = static_cast<int64_t>(loops_.panel);
    const int64_t panels = (windows_ + width - 1) / width;
    const int64_t work = std::max<int64_t>(1, (g_.group_maps() + 2) * pairs_ * width);
    parallel_for(0, g_.batch * g_.groups * panels, std::max<int64_t>(1, 262144 / work),
                 [&](int64_t begin, int64_t end) {
                   std::vector<int32_t> panel(static_cast<size_t>(pairs_ * width));
                   for (int64_t at = begin; at < end; ++at) {
                     const int64_t group = at / panels, first = at % panels * width;
                     gather(image + group * g_.group_channels() * plane_, first, panel.data());
                     maps_of(weights, group / g_.groups, group % g_.groups, first, panel.data(),
                             finish);
                   }
                 });
  }

 private:
  template <class Fn>
  static void for_each(const Shape& shape, Fn&& fn) {
    Shape index(shape.rank(), 0);
    for (int64_t i = 0, count = shape.numel(); i < count; ++i) {
      fn(std::as_const(index));
      for (size_t axis = shape.rank(); axis-- > 0;) {
        if (++index[axis] < shape[axis]) break;
        index[axis] = 0;
      }
    }
  }

  void pack_weights(const RunContext& ctx, int32_t* to) const {
    for (int64_t m = 0; m < g_.maps; ++m)
      loops_.pack_row(ctx.input<std::byte>(ports_.w) + m * taps_, w_type_,
                      static_cast<size_t>(taps_),
                      has_w_zero_ ? byte_at(ctx.in[ports_.w_zero], w_type_, m * zero_step_) : 0,
                      to + m * pairs_);
  }

  // Rows of the innermost axis, one by one: between them lies padding.
  void widen_image(const RunContext& ctx, int16_t* image) const {
    const Windows& w = g_.windows;
    const int32_t zero_point = has_x_zero_ ? byte_at(ctx.in[ports_.x_zero], x_type_, 0) : 0;
    const bool padded = padded_ != w.input;
    const size_t last = w.rank() - 1;
    const int64_t row = w.input[last], pixels = w.input.numel();
    const Shape strides = padded_.row_major_strides();
    Shape rows = w.input;
    rows[last] = 1;
    parallel_for(0, g_.batch * g_.channels, std::max<int64_t>(1, 65536 / (plane_ + 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t c = begin; c < end; ++c) {
                     const auto* from = ctx.input<std::byte>(ports_.x) + c * pixels;
                     int16_t* to = image + c * plane_;
                     if (!padded) {
                       loops_.widen(from, x_type_, static_cast<size_t>(pixels), zero_point, to);
                       continue;
                     }
                     std::fill_n(to, plane_, int16_t{0});
                     for_each(rows, [&](const Shape& at) {
                       int64_t place = w.pads_begin[last];
                       for (size_t axis = 0; axis < last; ++axis)
                         place += (at[axis] + w.pads_begin[axis]) * strides[axis];
                       loops_.widen(from, x_type_, static_cast<size_t>(row), zero_point,
                                    to + place);
                       from += row;
                     });
                   }
                 });
  }

  // The panel of windows from `first` on of one group's channels.
  void gather(const int16_t* image, int64_t first, int32_t* panel) const {
    const auto width = static_cast<int64_t>(loops_.panel);
    const int64_t count = std::min(width, windows_ - first);
    const int64_t* at = window_offsets_.data() + first;
    const auto taps = static_cast<size_t>(taps_);
    const bool run = at[count - 1] - at[0] == count - 1;  // offsets grow: all follow each other
    for (size_t k = 0; k < taps; k += 2, panel += width) {
      const int16_t* one = image + tap_offsets_[k];
      const int16_t* two = k + 1 < taps ? image + tap_offsets_[k + 1] : nullptr;
      if (run)
        loops_.interleave(one + at[0], two ? two + at[0] : nullptr, static_cast<size_t>(count),
                          panel);
      else
        for (int64_t j = 0; j < count; ++j)
          panel[j] = integer_pair(one[at[j]], two ? two[at[j]] : 0);
      std::fill(panel + count, panel + width, 0);
    }
  }

  template <class Finish>
  void maps_of(const int32_t* weights, int64_t n, int64_t group, int64_t first,
               const int32_t* panel, const Finish& finish) const {
    const auto width = static_cast<int64_t>(loops_.panel);
    const auto step = static_cast<int64_t>(loops_.max_rows);
    const int64_t count = std::min(width, windows_ - first), maps = g_.group_maps();
    alignas(64) int32_t sums[kMaxIntegerRows * kMaxIntegerPanel];
    for (int64_t from = 0; from < maps; from += step) {
      const int64_t rows = std::min(step, maps - from);
      const int64_t map = group * maps + from;
      loops_.tile(weights + map * pairs_, static_cast<size_t>(pairs_), static_cast<size_t>(rows),
                  panel, static_cast<size_t>(pairs_), sums);
      for (int64_t r = 0; r < rows; ++r)
        finish((n * g_.maps + map + r) * windows_ + first, map + r, sums + r * width, count);
    }
  }

  const IntegerLoops& loops_ = integer_loops();
  Ports ports_;
  DType x_type_, w_type_;
  Shape padded_;  // spatial sizes with their padding
  int64_t plane_ = 0, windows_ = 0, taps_ = 0, pairs_ = 0;
  int64_t zero_step_ = 0;
  bool has_x_zero_ = false, has_w_zero_ = false;
  std::vector<int64_t> tap_offsets_, window_offsets_;  // in the padded image of one group
  size_t image_at_ = 0;

 protected:
  Geometry g_;
};

class ConvIntegerKernel final : public IntegerConv {
 public:
  explicit ConvIntegerKernel(const PrepareContext& ctx) : IntegerConv(ctx, {0, 1, 2, 3}) {}

  void run(const RunContext& ctx) const override {
    auto* y = ctx.output<int32_t>(0);
    convolve(ctx, [&](int64_t element, int64_t, const int32_t* sums, int64_t count) {
      std::copy_n(sums, count, y + element);
    });
  }
};

class QLinearConvKernel final : public IntegerConv {
 public:
  explicit QLinearConvKernel(const PrepareContext& ctx)
      : IntegerConv(ctx, {0, 3, 2, 5}),
        scale_step_(ctx.inputs[4].numel() > 1 ? 1 : 0),
        type_(ctx.outputs[0].dtype) {}

  void run(const RunContext& ctx) const override {
    const float x_scale = *ctx.input<float>(1), y_scale = *ctx.input<float>(6);
    const auto* w_scale = ctx.input<float>(4);
    const auto* bias = ctx.input<int32_t>(8);
    std::vector<float> scale(static_cast<size_t>(g_.maps));
    for (int64_t m = 0; m < g_.maps; ++m)
      scale[static_cast<size_t>(m)] = x_scale * w_scale[m * scale_step_] / y_scale;
    auto* y = ctx.output<std::byte>(0);
    const IntegerLoops& loops = integer_loops();
    convolve(ctx, [&](int64_t element, int64_t map, const int32_t* sums, int64_t count) {
      const Requantization how{.bias = bias ? bias[map] : 0,
                               .scale = &scale[static_cast<size_t>(map)],
                               .one_scale = true,
                               .zero_point = byte_at(ctx.in[7], type_, 0),
                               .type = type_};
      loops.requantize(sums, static_cast<size_t>(count), how, y + element);
    });
  }

 private:
  int64_t scale_step_;
  DType type_;
};

// Bytes of the padded image above which the padding is not written out.
constexpr double kMostPadded = 0x1p34;

template <class Made, size_t weights>
Prepared prepare(const PrepareContext& ctx) {
  if (ctx.outputs[0].numel() == 0) return refuse("nothing to compute");
  const Windows w =
      conv_rules::of_conv(ctx, ctx.inputs[0].shape, ctx.inputs[weights].shape).windows;
  double padded = sizeof(int16_t);
  for (size_t i = 0; i < 2; ++i) padded *= static_cast<double>(ctx.inputs[0].shape[i]);
  for (size_t axis = 0; axis < w.rank(); ++axis)
    padded *= static_cast<double>(w.input[axis]) + static_cast<double>(w.pads_begin[axis]) +
              static_cast<double>(w.pads_end[axis]);
  if (padded > kMostPadded) return refuse("the padded image would not fit into memory");
  return std::make_unique<Made>(ctx);
}

}  // namespace

constinit const KernelList integer_conv{
    {&op::ConvInteger, "cpu.conv_integer", prepare<ConvIntegerKernel, 1>},
    {&op::QLinearConv, "cpu.q_linear_conv", prepare<QLinearConvKernel, 3>},
};

}  // namespace tenon::cpu
