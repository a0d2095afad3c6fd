// CenterCropPad: axes cut or padded with zeros to given sizes, about their middles.
#include <numeric>

#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

std::vector<size_t> axes_of(const InferContext& ctx) {
  if (ctx.has("axes")) return distinct_axes(ctx, ctx.ints("axes"), ctx.rank(0));
  std::vector<size_t> all(ctx.rank(0));
  std::iota(all.begin(), all.end(), size_t{0});
  return all;
}

void infer(InferContext& ctx) {
  const std::vector<size_t> axes = axes_of(ctx);
  const Dim count = list_size(ctx, 1);
  ctx.check(!count.is_const() || count == Dim(static_cast<int64_t>(axes.size())),
            "shape has {} sizes for {} axes; give one an axis", count.str(), axes.size());
  Dims y = ctx.dims(0);
  for (size_t i = 0; i < axes.size(); ++i) {
    y[axes[i]] = ctx.values(1) ? (*ctx.values(1))[i] : Dim::unknown();
    ctx.check(!y[axes[i]].is_const() || y[axes[i]].value() >= 0,
              "axis {} is to have {} elements; give 0 or more", axes[i], y[axes[i]].str());
  }
  ctx.output(0, std::move(y));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const size_t rank = x.rank();
  std::vector<int64_t> axes;
  if (ctx.has("axes"))
    for (const int64_t axis : ctx.ints("axes"))
      axes.push_back(normalize_axis(axis, rank, ctx.op.name));
  else
    for (size_t a = 0; a < rank; ++a) axes.push_back(static_cast<int64_t>(a));
  if (axes.empty()) return {Identity(x)};
  const Tensor named = Tensor::ints(axes), zero = Tensor::ints({0}), two = Tensor::ints({2});
  const Tensor wanted = ctx.input(1).to(DType::i64);
  const Tensor sizes = Gather(shape_tensor(x.dims(), x), named, {{"axis", 0}});
  // Half of what is too much comes off in front, rounded down; so does half of what is missing.
  const Tensor surplus = Max(Sub(sizes, wanted), zero), missing = Max(Sub(wanted, sizes), zero);
  const Tensor begin = Div(surplus, two), before = Div(missing, two);
  const Tensor cut = Slice(x, begin, Add(begin, Min(sizes, wanted)), named);
  const Tensor pads = Concat.all({before, Sub(missing, before)}, {{"axis", 0}})[0];
  return {Pad(cut, pads, Tensor(), named)};
}

// What was cut comes back as zeros, and what was added is cut, about the same middles.
TensorList grad(const GradContext& ctx) {
  Tensor shape = ctx.shape_of(0);
  if (ctx.has("axes")) {
    std::vector<int64_t> axes;
    for (const int64_t axis : ctx.ints("axes"))
      axes.push_back(normalize_axis(axis, ctx.dims(0).size(), ctx.op.name));
    shape = Gather(shape, Tensor::ints(axes), {{"axis", 0}});
  }
  TensorList out = ctx.none();
  out[0] = CenterCropPad(ctx.grad(), shape, ctx.attrs);
  return out;
}

void samples(Samples& s) {
  s.add({arg::any({5, 4}), arg::ints({2, 7})});
  s.add({arg::any({2, 6, 3}), arg::ints({3, 4})}, {{"axes", {1, -1}}});
  s.add({arg::any({3}), arg::fixed(Tensor::from<int32_t>({3}, {1}))});
  s.add({arg::any({0, 3}), arg::ints({2, 2})});
  s.add({arg::any({3}), arg::ints({0})});
  s.bad({arg::any({5, 4}), arg::ints({2})}, {}, "shape has 1 sizes for 2 axes");
  s.bad({arg::any({5, 4}), arg::ints({2, -1})}, {}, "axis 1 is to have -1 elements");
  s.bad({arg::any({5, 4}), arg::ints({2})}, {{"axes", {2}}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef CenterCropPad{
    .name = "CenterCropPad",
    .doc = "Cuts or pads axes to the sizes in shape, as much in front as behind.",
    .inputs = {{"input_data", "T"}, value("shape", "I")},
    .outputs = {{"output_data", "T"}},
    .types = {{"T", kAnyType}, {"I", kIndex}},
    .attrs = {attr("axes", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 18},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
