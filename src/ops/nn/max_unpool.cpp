// MaxUnpool: puts pooled values back where MaxPool's Indices say they were, with zeros around.
#include <algorithm>

#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

// The size that pooling with these attributes came from, to which Indices refer.
Dims pooled_from(const Call& call, const Dims& x) {
  const WindowAttrs attrs(call, x.size() - 2);
  const auto kernel = call.ints("kernel_shape");
  Dims from{x[0], x[1]};
  for (size_t i = 0; i < attrs.rank(); ++i)
    from.push_back((x[i + 2] - 1) * Dim(attrs.strides[i]) + kernel[i] - attrs.pads_begin[i] -
                   attrs.pads_end[i]);
  return from;
}

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() >= 3, "X is {}; it takes [N, C, spatial...] of rank 3 or more", ctx.str(0));
  bool same = ctx.rank(1) == x.size();
  for (size_t i = 0; same && i < x.size(); ++i) same = !differ(ctx.dims(1)[i], x[i]);
  ctx.check(same, "I is {} and X is {}; both must have the same shape", ctx.str(1), ctx.str(0));
  const auto kernel = ctx.ints("kernel_shape");
  ctx.check(kernel.size() == x.size() - 2 &&
                std::all_of(kernel.begin(), kernel.end(), [](int64_t k) { return k >= 1; }),
            "kernel_shape is {}; give each of the {} spatial axes of X a size of at least 1",
            str(Dims(kernel.begin(), kernel.end())), x.size() - 2);
  const Dims from = pooled_from(ctx, x);
  if (!ctx.has_input(2)) return ctx.output(0, from);
  ctx.check(ctx.rank(2) == 1 && !differ(ctx.dims(2)[0], static_cast<int64_t>(x.size())),
            "output_shape is {}; give {} integers, one for each axis of X", ctx.str(2), x.size());
  const auto wanted = ctx.ints_of(2);
  if (!wanted) return ctx.output(0, Dims(x.size(), Dim::unknown()));
  for (size_t i = 0; i < wanted->size(); ++i)
    ctx.check(!from[i].is_const() || (*wanted)[i] >= from[i].value(),
              "output_shape is {}, smaller than {} that was pooled; use that or more",
              str(Dims(wanted->begin(), wanted->end())), str(from));
  ctx.output(0, Dims(wanted->begin(), wanted->end()));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor &x = ctx.input(0), &indices = ctx.input(1);
  const Dims from = pooled_from(ctx, x.dims());
  const Tensor zeros = full({product(from)}, 0, x.dtype(), x);
  const Tensor y = reshape_to(ScatterElements(zeros, indices.view({-1}), x.view({-1})), from, x);
  if (!ctx.has_input(2)) return {y};
  // A larger shape adds zeros behind each axis.
  const Tensor sizes = ctx.input(2);
  const Tensor begins = Tensor::zeros({static_cast<int64_t>(from.size())}, DType::i64);
  return {Pad(y, Concat.all({begins, sizes - shape_tensor(from, x)}, {{"axis", 0}})[0])};
}

void samples(Samples& s) {
  const Arg places = arg::fixed(Tensor::from<int64_t>({5, 7, 13, 15}, {1, 1, 2, 2}));
  const Attrs attrs{{"kernel_shape", {2, 2}}, {"strides", {2, 2}}};
  s.add({arg::any({1, 1, 2, 2}), places}, attrs);
  s.add({arg::any({1, 1, 2, 2}), places, arg::ints({1, 1, 5, 6})}, attrs);
  s.add({arg::any({1, 1, 3}), arg::fixed(Tensor::from<int64_t>({0, 2, 4}, {1, 1, 3}))},
        {{"kernel_shape", {3}}, {"strides", {2}}, {"pads", {1, 1}}});
  s.bad({arg::any({1, 1, 2}), places}, attrs,
        "MaxUnpool: I is i64[1, 1, 2, 2] and X is f32[1, 1, 2]");
  s.bad({arg::any({1, 1, 2, 2}), places}, {{"kernel_shape", {2}}}, "kernel_shape is [2]");
  s.bad({arg::any({1, 1, 2, 2}), places, arg::ints({1, 1, 3, 4})}, attrs,
        "smaller than [1, 1, 4, 4] that was pooled");
  s.bad({arg::any({1, 1, 2, 2}), places, arg::ints({5, 5})}, attrs, "give 4 integers");
}

}  // namespace

constinit const OpDef MaxUnpool{
    .name = "MaxUnpool",
    .doc = "The values X of a MaxPool at their places I, zeros elsewhere.",
    .inputs = {{"X", "T1"}, {"I", "T2"}, optional_value("output_shape", "T2")},
    .outputs = {{"output", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kInt64}},
    .attrs = {required("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
