// Widening inputs and narrowing outputs around a kernel.
#include "backends/cpu/through_f32.h"

#include <algorithm>
#include <vector>

#include "backends/cpu/rows.h"
#include "backends/cpu/strided.h"
#include "base/threads.h"
#include "runtime/packed_store.h"

namespace tenon::cpu {

namespace {

constexpr size_t kAlignment = 64;
constexpr int64_t kGrain = 32768;

// Whether the elements fill one block from the first on, in some order of the axes.
bool is_dense(const TensorSpec& spec) {
  if (spec.contiguous || spec.numel() <= 1) return true;
  int64_t reach = 1;
  for (size_t axis = 0; axis < spec.rank(); ++axis) {
    if (spec.shape[axis] > 1 && spec.strides[axis] <= 0) return false;
    reach += (spec.shape[axis] - 1) * spec.strides[axis];
  }
  if (reach != spec.numel()) return false;
  const Shape order = memory_order(spec.shape, spec.strides);
  const Shape dims = permuted(spec.shape, order), strides = permuted(spec.strides, order);
  for (size_t axis = dims.rank(), stride = 1; axis-- > 0; stride *= static_cast<size_t>(dims[axis]))
    if (dims[axis] > 1 && strides[axis] != static_cast<int64_t>(stride)) return false;
  return true;
}

void convert(ConvertFn fn, const void* from, size_t from_size, void* to, size_t to_size,
             int64_t count) {
  parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    fn(static_cast<const std::byte*>(from) + static_cast<size_t>(begin) * from_size,
       static_cast<std::byte*>(to) + static_cast<size_t>(begin) * to_size,
       static_cast<size_t>(end - begin));
  });
}

class ThroughF32 final : public Kernel {
 public:
  // `constants`: by input, what a constant of 16 bits is in f32; undefined for all others.
  ThroughF32(std::unique_ptr<Kernel> inner, const PrepareContext& ctx, TensorList constants)
      : inner_(std::move(inner)), constants_(std::move(constants)) {
    scratch_bytes = inner_->scratch_bytes;
    random_counters = inner_->random_counters;
    inputs_ = std::max(ctx.inputs.size(), ctx.op.inputs.size());
    outputs_ = std::max(ctx.outputs.size(), ctx.op.outputs.size());
    for (size_t i = 0; i < ctx.inputs.size(); ++i)
      if (is_half(ctx.inputs[i].dtype) && !constants_[i].defined())
        widened_.push_back({i, ctx.inputs[i].numel(), place(ctx.inputs[i].numel()),
                            half_conversion(ctx.inputs[i].dtype, DType::f32)});
    for (size_t i = 0; i < ctx.outputs.size(); ++i)
      if (is_half(ctx.outputs[i].dtype))
        narrowed_.push_back({i, ctx.outputs[i].numel(), place(ctx.outputs[i].numel()),
                             half_conversion(DType::f32, ctx.outputs[i].dtype)});
  }

  void run(const RunContext& ctx) const override {
    std::vector<const void*> in(ctx.in, ctx.in + inputs_);
    std::vector<void*> out(ctx.out, ctx.out + outputs_);
    auto* scratch = static_cast<std::byte*>(ctx.scratch);
    for (size_t i = 0; i < constants_.size(); ++i)
      if (constants_[i].defined()) in[i] = constants_[i].raw();
    for (const Copy& copy : widened_) {
      convert(copy.fn, ctx.in[copy.port], 2, scratch + copy.at, 4, copy.count);
      in[copy.port] = scratch + copy.at;
    }
    for (const Copy& copy : narrowed_) out[copy.port] = scratch + copy.at;
    inner_->run({in.data(), out.data(), ctx.scratch, ctx.random, ctx.outputs});
    for (const Copy& copy : narrowed_)
      convert(copy.fn, scratch + copy.at, 4, ctx.out[copy.port], 2, copy.count);
  }

 private:
  struct Copy {
    size_t port;
    int64_t count;
    size_t at;  // in the scratch, behind the inner kernel's
    ConvertFn fn;
  };

  size_t place(int64_t count) {
    const size_t at = (scratch_bytes + kAlignment - 1) / kAlignment * kAlignment;
    scratch_bytes = at + static_cast<size_t>(count) * sizeof(float);
    return at;
  }

  std::unique_ptr<Kernel> inner_;
  TensorList constants_;
  size_t inputs_, outputs_;
  std::vector<Copy> widened_, narrowed_;
};

TensorSpec widened(TensorSpec spec) {
  if (!is_half(spec.dtype)) return spec;
  spec.dtype = DType::f32;
  spec.constant = nullptr;
  return spec;
}

}  // namespace

Tensor constant_as_f32(const PrepareContext& ctx, size_t i) {
  const TensorSpec& spec = ctx.inputs[i];
  const auto count = static_cast<size_t>(spec.numel());
  if (!is_half(spec.dtype))
    return Tensor::borrow(const_cast<void*>(spec.constant), {spec.numel()}, spec.dtype);
  return ctx.packed->get(spec.constant, fmt::format("{} of {} as f32", count, name(spec.dtype)),
                         [&] {
                           Tensor wide = Tensor::empty({spec.numel()}, DType::f32);
                           convert(half_conversion(spec.dtype, DType::f32), spec.constant, 2,
                                   wide.raw(), 4, spec.numel());
                           return wide;
                         },
                         {DType::f32, spec.numel()});
}

Prepared prepare_through_f32(const PrepareContext& ctx, PrepareFn prepare) {
  std::vector<TensorSpec> inputs, outputs;
  TensorList constants(ctx.inputs.size());
  bool any = false;
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    const TensorSpec& spec = ctx.inputs[i];
    any = any || is_half(spec.dtype);
    if (is_half(spec.dtype) && !is_dense(spec))
      return refuse("an input of 16 bits has gaps or repeats elements");
    inputs.push_back(widened(spec));
    if (!is_half(spec.dtype) || !ctx.is_constant(i)) continue;
    constants[i] = constant_as_f32(ctx, i);
    inputs.back().constant = constants[i].raw();
  }
  if (!any) return refuse("only f16 and bf16");
  for (const TensorSpec& spec : ctx.outputs) outputs.push_back(widened(spec));
  Prepared inner = prepare(PrepareContext{{ctx.op, ctx.attrs}, inputs, outputs, ctx.packed});
  if (std::holds_alternative<Refusal>(inner)) return inner;
  for (size_t i = 0; i < outputs.size(); ++i) {
    ctx.outputs[i].strides = outputs[i].strides;
    ctx.outputs[i].contiguous = outputs[i].contiguous;
  }
  return std::make_unique<ThroughF32>(std::move(std::get<std::unique_ptr<Kernel>>(inner)), ctx,
                                      std::move(constants));
}

}  // namespace tenon::cpu
