// If: one of two graphs, chosen by a boolean.
#include "ops/control/body.h"
#include "ops/control/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  std::vector<TensorType> captures;
  for (size_t i = 1; i < ctx.input_count(); ++i) captures.push_back(ctx.input(i));
  const auto then_types = ctx.graph("then_branch").infer(captures);
  const auto else_types = ctx.graph("else_branch").infer(captures);
  ctx.check(then_types.size() == else_types.size(),
            "then_branch has {} outputs and else_branch {}; give both as many", then_types.size(),
            else_types.size());
  ctx.check(ctx.output_count() <= then_types.size(), "{} outputs asked for; its branches have {}",
            ctx.output_count(), then_types.size());
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    const TensorType &a = then_types[i], &b = else_types[i];
    ctx.check(a.dtype == b.dtype,
              "output {} is {} in then_branch and {} in else_branch; give both one type", i,
              a.str(), b.str());
    ctx.output(i, common_type(a, b));
  }
}

TensorList expand(const ExpandContext& ctx) {
  TensorList captures;
  for (size_t i = 1; i < ctx.input_count(); ++i) captures.push_back(ctx.input(i));
  const bool taken = control::decide<bool>(ctx, ctx.input(0), "cond");
  return ctx.graph(taken ? "then_branch" : "else_branch").runner()(captures);
}

void samples(Samples& s) {
  s.bad({}, {}, "If: 0 inputs given");
  s.bad({arg::fixed(Tensor::full({}, 1, DType::boolean))}, {}, "then_branch");
}

}  // namespace

constinit const OpDef If{
    .name = "If",
    .doc = "The outputs of `then_branch` where `cond` is true, else those of `else_branch`.",
    .inputs = {{"cond", "B"}, {"captures", "V", Arity::variadic, false, true}},
    .outputs = {{"outputs", "V", Arity::variadic, false, true}},
    .types = {{"B", kBool}, {"V", kAnyType | kStored | kContainers}},
    .attrs = {required("then_branch", AttrType::graph), required("else_branch", AttrType::graph)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 1},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
