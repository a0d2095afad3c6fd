// ScatterND: a copy of a tensor with slices replaced or combined.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/scattering.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  check_reduction(ctx);
  const Dims &data = ctx.dims(0), &indices = ctx.dims(1), &updates = ctx.dims(2);
  ctx.check(!data.empty() && !indices.empty(), "data is {} and indices is {}; both need an axis",
            ctx.str(0), ctx.str(1));
  ctx.output(0, data);
  const Dim& depth = indices.back();
  if (!depth.is_const()) return;
  const auto rank = static_cast<int64_t>(data.size());
  ctx.check(depth.value() >= 1 && depth.value() <= rank,
            "indices {} name {} axes of data {}; name 1 to {}", ctx.str(1), depth.value(),
            ctx.str(0), rank);
  Dims wanted(indices.begin(), indices.end() - 1);
  wanted.insert(wanted.end(), data.begin() + static_cast<std::ptrdiff_t>(depth.value()),
                data.end());
  bool fits = updates.size() == wanted.size();
  for (size_t a = 0; fits && a < wanted.size(); ++a)
    fits = !wanted[a].is_const() || !updates[a].is_const() || wanted[a] == updates[a];
  ctx.check(
      fits,
      "updates is {}, but indices {} into data {} name slices of shape {}; give updates that shape",
      ctx.str(2), ctx.str(1), ctx.str(0), str(wanted));
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  const bool adds = adds_updates(ctx);
  if (ctx.needs(0))
    out[0] = adds ? ctx.grad() : ScatterND(ctx.grad(), ctx.input(1), zero_updates(ctx));
  if (ctx.needs(2)) out[2] = GatherND(ctx.grad(), ctx.input(1));
  return out;
}

void samples(Samples& s) {
  const auto places = [](std::initializer_list<int64_t> values, const tenon::Shape& shape) {
    return arg::fixed(Tensor::from<int64_t>(values, shape));
  };
  s.add({arg::any({4}), places({2, -4}, {2, 1}), arg::any({2})});
  s.add({arg::any({3, 2}), places({2, 0}, {2, 1}), arg::any({2, 2})});
  s.add({arg::any({2, 3}), places({0, 2, 1, 0}, {1, 2, 2}), arg::any({1, 2})});
  for (const char* reduction : {"add", "mul", "max", "min"}) {
    Sample& sample = s.add({arg::any({3, 2}), places({1, 1}, {2, 1}), arg::any({2, 2})},
                           {{"reduction", reduction}});
    sample.types = kNumeric;
    sample.grad = std::string_view(reduction) == "add";
  }
  s.add({arg::any({3, 2}), places({}, {0, 1}), arg::any({0, 2})});
  s.bad({arg::any({3, 2}), places({0}, {1, 1}), arg::any({2})}, {}, "name slices of shape [1, 2]");
  s.bad({arg::any({3}), places({0, 0}, {1, 2}), arg::any({1})}, {}, "name 2 axes of data");
  s.bad({arg::any({3, 2}), places({0, 2}, {1, 2}), arg::any({1})}, {},
        "index 2 is outside axis 1 of size 2");
}

}  // namespace

constinit const OpDef ScatterND{
    .name = "ScatterND",
    .doc = "A copy of `data` whose slices at `indices` are `updates`, or are combined with them.",
    .inputs = {{"data", "T"}, {"indices", "I"}, {"updates", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .attrs = {kScatterReduction},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 18, .older = {{11, upgrade::as_is}}, .lower = lower_scatter},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
