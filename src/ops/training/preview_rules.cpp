// Lists of tensors that are trained together.
#include "ops/training/preview_rules.h"

#include "ops/math/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/windows.h"
#include "ops/shape/catalog.h"

namespace tenon::preview_rules {

namespace {

constexpr size_t kLists = 2;  // inputs before the first list

Tensor as_scalar(const Tensor& x) {
  const Tensor wide = x.to(DType::f64);
  return x.rank() == 0 ? wide : op::Reshape(wide, Tensor::ints({}));
}

}  // namespace

void infer(InferContext& ctx, size_t kinds) {
  for (size_t i = 0; i < kLists; ++i)
    ctx.check(ctx.rank(i) == 0 || (ctx.rank(i) == 1 && !differ(ctx.dims(i)[0], Dim(1))),
              "{} is {}; it must be a scalar", ctx.op.inputs[i].name, ctx.str(i));
  const size_t tensors = ctx.input_count() - kLists;
  ctx.check(tensors % kinds == 0, "{} tensors behind R and T; give {} for each that is trained",
            tensors, kinds);
  const size_t count = tensors / kinds;
  for (size_t kind = 0; kind < kinds; ++kind)
    for (size_t i = 0; i < count; ++i) {
      const size_t first = kLists + i, at = first + kind * count;
      bool same = ctx.rank(at) == ctx.rank(first) && ctx.dtype(at) == ctx.dtype(first);
      for (size_t a = 0; same && a < ctx.rank(at); ++a)
        same = !differ(ctx.dims(at)[a], ctx.dims(first)[a]);
      ctx.check(same, "input {} is {}, but belongs to input {}, which is {}; make them alike", at,
                ctx.str(at), first, ctx.str(first));
    }
  const size_t outputs = (kinds - 1) * count;
  ctx.check(ctx.output_count() <= outputs, "{} outputs asked for; there are {}", ctx.output_count(),
            outputs);
  for (size_t o = 0; o < ctx.output_count(); ++o) {
    const size_t from = kLists + o % count;
    ctx.output(o, ctx.dims(from), ctx.dtype(from));
  }
}

TensorList expand(const ExpandContext& ctx, size_t kinds, Step step) {
  const size_t count = (ctx.input_count() - kLists) / kinds;
  const Tensor rate = as_scalar(ctx.input(0)), updates = as_scalar(ctx.input(1));
  TensorList outputs((kinds - 1) * count);
  for (size_t i = 0; i < count; ++i) {
    const Tensor& x = ctx.input(kLists + i);
    const DType type = compute_type(x.dtype());
    const auto of_kind = [&](size_t kind) { return ctx.input(kLists + kind * count + i).to(type); };
    Trained trained{x.to(type), of_kind(1), {}};
    if (const double norm = ctx.f("norm_coefficient"); norm != 0)
      trained.gradient = trained.gradient + trained.x * norm;
    for (size_t kind = 2; kind < kinds; ++kind) trained.states.push_back(of_kind(kind));
    const Update update = step(ctx, rate, updates, trained);
    outputs[i] = update.x.to(x.dtype());
    for (size_t k = 0; k < update.states.size(); ++k)
      outputs[(k + 1) * count + i] = update.states[k].to(x.dtype());
  }
  return outputs;
}

Tensor scalar_like(const Tensor& scalar, const Tensor& like) { return scalar.to(like.dtype()); }

}  // namespace tenon::preview_rules
