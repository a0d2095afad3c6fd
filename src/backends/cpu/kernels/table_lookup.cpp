// TableLookup, and Clip of bytes.
#include <algorithm>
#include <limits>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/strided.h"
#include "base/threads.h"
#include "ops/math/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrain = 65536;

template <class T>
void look_up(const RunContext& ctx, int64_t count) {
  parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    const auto* x = ctx.input<uint8_t>(0);
    const auto* table = ctx.input<T>(1);
    auto* y = ctx.output<T>(0);
    for (int64_t i = begin; i < end; ++i) y[i] = table[x[i]];
  });
}

Prepared prepare_lookup(const PrepareContext& ctx) {
  if (!ctx.inputs[1].contiguous) return refuse("the table is strided");
  if (!take_order(ctx.inputs[0], ctx.outputs[0])) return refuse("only dense elements");
  const int64_t count = ctx.inputs[0].numel();
  if (ctx.outputs[0].dtype == DType::f32)
    return make_kernel([count](const RunContext& run) { look_up<float>(run, count); });
  auto kernel = make_kernel([count](const RunContext& run) { look_up<uint8_t>(run, count); });
  kernel->in_place = 1;
  return kernel;
}

template <class T>
void clip(const RunContext& ctx, int64_t count, bool has_low, bool has_high) {
  const T low = has_low ? *ctx.input<T>(1) : std::numeric_limits<T>::lowest();
  const T high = has_high ? *ctx.input<T>(2) : std::numeric_limits<T>::max();
  parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    const auto* x = ctx.input<T>(0);
    auto* y = ctx.output<T>(0);
    for (int64_t i = begin; i < end; ++i) y[i] = std::min(std::max(x[i], low), high);
  });
}

Prepared prepare_clip(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  if (!integer_rules::kBytes.has(type))
    return refuse(fmt::format("only bytes, not {}", name(type)));
  if (!take_order(ctx.inputs[0], ctx.outputs[0])) return refuse("only dense elements");
  const int64_t count = ctx.inputs[0].numel();
  const bool low = ctx.has_input(1), high = ctx.has_input(2), is_signed = type == DType::i8;
  auto kernel = make_kernel([=](const RunContext& run) {
    if (is_signed)
      clip<int8_t>(run, count, low, high);
    else
      clip<uint8_t>(run, count, low, high);
  });
  kernel->in_place = 1;
  return kernel;
}

}  // namespace

constinit const KernelList table_lookup{
    {&op::TableLookup, "cpu.table_lookup", prepare_lookup, Strides::any},
    {&op::TableLookup, "cpu.table_lookup_dense", prepare_lookup},
    {&op::Clip, "cpu.clip_bytes", prepare_clip, Strides::any},
    {&op::Clip, "cpu.clip_bytes_dense", prepare_clip},
};

}  // namespace tenon::cpu
