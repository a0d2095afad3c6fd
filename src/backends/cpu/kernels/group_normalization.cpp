// InstanceNormalization, GroupNormalization and LRN of f32, f16 and bf16, channels first.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/reduce_loops.h"
#include "backends/cpu/row_kernel.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

constexpr auto kRun = static_cast<int64_t>(kReduceRun);

// A group of channels that lie side by side is one row: `channels` times `spatial` elements.
struct GroupKernel final : Kernel {
  ReduceLoops sum = reduce_loops(Fold::sum, DType::f32);
  ReduceLoops squares = reduce_loops(Fold::sum_square, DType::f32);
  DType type;
  int64_t groups, rows, channels, spatial = 1;
  double epsilon;

  GroupKernel(const PrepareContext& ctx, int64_t group_count)
      : type(ctx.inputs[0].dtype),
        groups(group_count),
        rows(ctx.inputs[0].shape[0] * group_count),
        channels(ctx.inputs[0].shape[1] / group_count),
        epsilon(ctx.f("epsilon")) {
    const Shape& shape = ctx.inputs[0].shape;
    for (size_t a = 2; a < shape.rank(); ++a) spatial *= shape[a];
    in_place = 1;  // a group is written when its moments are known
  }

  void run(const RunContext& ctx) const override {
    const int64_t length = channels * spatial;
    if (length == 0) return;
    parallel_for(0, rows, std::max<int64_t>(1, 16384 / length), [&](int64_t begin, int64_t end) {
      WidenedRow x(type, static_cast<size_t>(length)), y(type, static_cast<size_t>(length));
      WidenedRow scale(type, 1), bias(type, 1);
      for (int64_t row = begin; row < end; ++row) {
        const float* from = x.read(ctx.in[0], row * length, static_cast<size_t>(length));
        float* to = y.place(ctx.out[0], row * length);
        const double mean = mean_of(from, length);
        const double inverse = 1 / std::sqrt(variance_of(from, length, mean) + epsilon);
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t channel = row % groups * channels + c;
          const auto factor =
              static_cast<float>(inverse * double{*scale.read(ctx.in[1], channel, 1)});
          const float shift = *bias.read(ctx.in[2], channel, 1);
          write(from + c * spatial, static_cast<float>(mean), factor, shift, to + c * spatial);
        }
        y.write(ctx.out[0], row * length, static_cast<size_t>(length));
      }
    });
  }

  double mean_of(const float* x, int64_t length) const {
    double total = 0;
    for (int64_t at = 0; at < length; at += kRun)
      total += sum.run(x + at, static_cast<size_t>(std::min(kRun, length - at)), 0).f;
    return total / static_cast<double>(length);
  }

  double variance_of(const float* x, int64_t length, double mean) const {
    double total = 0;
    float centered[kReduceRun];
    const auto middle = static_cast<float>(mean);
    for (int64_t at = 0; at < length; at += kRun) {
      const int64_t n = std::min(kRun, length - at);
      for (int64_t i = 0; i < n; ++i) centered[i] = x[at + i] - middle;
      total += squares.run(centered, static_cast<size_t>(n), 0).f;
    }
    return total / static_cast<double>(length);
  }

  void write(const float* x, float mean, float factor, float shift, float* y) const {
    for (int64_t i = 0; i < spatial; ++i) y[i] = (x[i] - mean) * factor + shift;
  }
};

Prepared prepare(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::f64) return refuse("only f16, bf16, f32; the input is f64");
  const bool instance = &ctx.op == &op::InstanceNormalization;
  return std::make_unique<GroupKernel>(ctx,
                                       instance ? ctx.inputs[0].shape[1] : ctx.i("num_groups"));
}

// Columns of up to kColumns places; each channel reads the squares of those around it.
struct LrnKernel final : Kernel {
  static constexpr int64_t kColumns = 512;

  DType type;
  int64_t samples, channels, spatial = 1, size;
  float alpha, beta, bias;

  explicit LrnKernel(const PrepareContext& ctx)
      : type(ctx.inputs[0].dtype),
        samples(ctx.inputs[0].shape[0]),
        channels(ctx.inputs[0].shape[1]),
        size(ctx.i("size")),
        alpha(static_cast<float>(ctx.f("alpha") / static_cast<double>(size))),
        beta(static_cast<float>(ctx.f("beta"))),
        bias(static_cast<float>(ctx.f("bias"))) {
    const Shape& shape = ctx.inputs[0].shape;
    for (size_t a = 2; a < shape.rank(); ++a) spatial *= shape[a];
  }

  void run(const RunContext& ctx) const override {
    const int64_t tiles = (spatial + kColumns - 1) / kColumns;
    parallel_for(0, samples * tiles, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> values(static_cast<size_t>(channels * kColumns));
      WidenedRow x(type, kColumns), y(type, kColumns);
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t column = tile % tiles * kColumns;
        const int64_t columns = std::min(kColumns, spatial - column);
        const int64_t start = tile / tiles * channels * spatial + column;
        for (int64_t c = 0; c < channels; ++c)
          std::copy_n(x.read(ctx.in[0], start + c * spatial, static_cast<size_t>(columns)), columns,
                      values.data() + c * kColumns);
        for (int64_t c = 0; c < channels; ++c) {
          write(values.data(), c, columns, y.place(ctx.out[0], start + c * spatial));
          y.write(ctx.out[0], start + c * spatial, static_cast<size_t>(columns));
        }
      }
    });
  }

  void write(const float* values, int64_t c, int64_t columns, float* y) const {
    float sums[kColumns] = {};
    const int64_t first = std::max<int64_t>(0, c - (size - 1) / 2);
    const int64_t last = std::min(channels - 1, c + size / 2);
    for (int64_t k = first; k <= last; ++k)
      for (int64_t i = 0; i < columns; ++i)
        sums[i] += values[k * kColumns + i] * values[k * kColumns + i];
    const float* x = values + c * kColumns;
    if (beta == 0.75F) {  // the usual one, by square roots
      for (int64_t i = 0; i < columns; ++i) {
        const float root = std::sqrt(bias + alpha * sums[i]);
        y[i] = x[i] / (root * std::sqrt(root));
      }
      return;
    }
    for (int64_t i = 0; i < columns; ++i) y[i] = x[i] / std::pow(bias + alpha * sums[i], beta);
  }
};

Prepared prepare_lrn(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::f64) return refuse("only f16, bf16, f32; X is f64");
  return std::make_unique<LrnKernel>(ctx);
}

}  // namespace

constinit const KernelList group_normalization{
    {&op::InstanceNormalization, "cpu.instance_normalization", prepare},
    {&op::GroupNormalization, "cpu.group_normalization", prepare},
    {&op::LRN, "cpu.lrn", prepare_lrn},
};

}  // namespace tenon::cpu
