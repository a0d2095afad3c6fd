// MeanVarianceNormalization: mean 0 and variance 1 over the given axes.
#include <algorithm>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

// In ONNX's definition, where it keeps the quotient finite.
constexpr double kSmall = 1e-9;

std::vector<int64_t> given_axes(const Call& call) {
  const auto axes = call.ints("axes");
  return axes.empty() ? std::vector<int64_t>{0, 2, 3}
                      : std::vector<int64_t>(axes.begin(), axes.end());
}

void infer(InferContext& ctx) {
  std::vector<size_t> axes;
  for (const int64_t axis : given_axes(ctx)) axes.push_back(ctx.axis(axis, ctx.rank(0)));
  std::sort(axes.begin(), axes.end());
  ctx.check(std::adjacent_find(axes.begin(), axes.end()) == axes.end(),
            "axes name an axis of {} twice; name it once", ctx.str(0));
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor wide = x.to(compute_type(x.dtype()));
  const std::vector<int64_t> axes = given_axes(ctx);
  const Tensor centered = wide - wide.mean(axes, true);
  const Tensor deviation = Sqrt((centered * centered).mean(axes, true));
  return {(centered / (deviation + kSmall)).to(x.dtype())};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 2, 2})});
  s.add({arg::any({3, 4})}, {{"axes", {-1}}});
  s.add({arg::any({3, 4, 2})}, {{"axes", {0, 2}}});
  s.bad({arg::any({3, 4})}, {}, "MeanVarianceNormalization: axis 2 is outside");
  s.bad({arg::any({3, 4})}, {{"axes", {1, -1}}}, "twice; name it once");
}

}  // namespace

constinit const OpDef MeanVarianceNormalization{
    .name = "MeanVarianceNormalization",
    .doc = "(X - mean) / (standard deviation + 1e-9), with both over `axes`.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr("axes", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
