// If: one of two graphs, chosen by a boolean.
#include <exception>
#include <optional>

#include "ops/catalog.h"
#include "ops/control/body.h"
#include "ops/control/sample_body.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

using Types = std::vector<TensorType>;

// What a branch gives, or nothing and its error where these inputs do not fit it.
std::optional<Types> types_of(const InferContext& ctx, std::string_view branch,
                              std::span<const TensorType> captures, std::exception_ptr& error) {
  try {
    return ctx.graph(branch).infer(captures);
  } catch (const Error&) {
    error = std::current_exception();
    return std::nullopt;
  }
}

// A branch may be there for other sizes than these ("drop the axis if it is 1"): then it is not
// taken, and the other one says what comes out.
void infer(InferContext& ctx) {
  Types captures;
  for (size_t i = 1; i < ctx.input_count(); ++i) captures.push_back(ctx.input(i));
  std::exception_ptr error;
  const auto else_known = types_of(ctx, "else_branch", captures, error);
  const auto then_known = types_of(ctx, "then_branch", captures, error);
  if (!then_known && !else_known) std::rethrow_exception(error);
  const Types& then_types = then_known ? *then_known : *else_known;
  const Types& else_types = else_known ? *else_known : *then_known;
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

std::vector<TensorType> same_type(std::span<const TensorType> inputs) { return {inputs[0]}; }

void samples(Samples& s) {
  const Arg yes = arg::fixed(Tensor::full({}, 1, DType::boolean));
  const Arg no = arg::fixed(Tensor::full({1}, 0, DType::boolean));
  const Attr then_branch =
      control::SampleBody::attr("then_branch", 1, 1, same_type,
                                [](const TensorList& x) -> TensorList { return {x[0] * x[0]}; });
  const Attr else_branch =
      control::SampleBody::attr("else_branch", 1, 1, same_type,
                                [](const TensorList& x) -> TensorList { return {x[0] + x[0]}; });
  const Attr truth = control::SampleBody::attr(
      "else_branch", 1, 1,
      [](std::span<const TensorType> inputs) {
        TensorType type = inputs[0];
        type.dtype = DType::boolean;
        return std::vector<TensorType>{type};
      },
      [](const TensorList& x) -> TensorList { return {Greater(x[0], x[0])}; });
  s.add({yes, arg::typed({2, 3}, DType::f64)}, {then_branch, else_branch});
  s.add({no, arg::typed({2}, DType::f64)}, {then_branch, else_branch});
  s.bad({}, {}, "If: 0 inputs given");
  s.bad({yes}, {}, "then_branch");
  s.bad({yes, arg::typed({2}, DType::f32)}, {then_branch, truth},
        "output 0 is f32[2] in then_branch and bool[2] in else_branch");
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
