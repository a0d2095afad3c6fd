// CausalConvWithState: a depthwise convolution along time that sees the past only, and hands the
// last elements on to the next call.
#include <limits>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) == 3, "input is {}; it takes [batch, channels, length]", ctx.str(0));
  const Dims& x = ctx.dims(0);
  ctx.check(ctx.rank(1) == 3 && !differ(ctx.dims(1)[0], x[1]) && !differ(ctx.dims(1)[1], Dim(1)),
            "weight is {}; with input {} it must have shape [{}, 1, kernel]", ctx.str(1),
            ctx.str(0), x[1].str());
  const Dim& kernel = ctx.dims(1)[2];
  ctx.check(!kernel.is_const() || kernel.value() > 0, "weight is {}; its kernel is empty",
            ctx.str(1));
  const Dim behind = kernel - Dim(1);
  if (ctx.has_input(2))
    ctx.check(ctx.rank(2) == 1 && !differ(ctx.dims(2)[0], x[1]),
              "bias is {}; it must have shape [{}]", ctx.str(2), x[1].str());
  if (ctx.has_input(3)) {
    const Dims& past = ctx.dims(3);
    ctx.check(past.size() == 3 && !differ(past[0], x[0]) && !differ(past[1], x[1]) &&
                  !differ(past[2], behind),
              "past_state is {}; with input {} and weight {} it must have shape [{}, {}, {}]",
              ctx.str(3), ctx.str(0), ctx.str(1), x[0].str(), x[1].str(), behind.str());
  }
  ctx.output(0, x);
  ctx.output(1, {x[0], x[1], behind});
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor &x = ctx.input(0), &w = ctx.input(1);
  const Dim kernel = w.dims()[2];
  Dim channels = w.dims()[0];
  if (!channels.is_const()) channels = x.dims()[1];
  TENON_CHECK(kernel.is_const() && channels.is_const(), unsupported,
              "CausalConvWithState: weight has shape {}; its channels and kernel must be fixed",
              str(w.dims()));
  const int64_t behind = kernel.value() - 1;
  const DType stored = x.dtype(), type = compute_type(stored);
  const bool has_past = ctx.has_input(3);
  Tensor padded = x;
  if (behind > 0) {
    const Dims dims = x.dims();
    const Tensor past =
        has_past ? ctx.input(3) : full({dims[0], dims[1], Dim(behind)}, 0, stored, x);
    padded = Concat.all({past, x}, {{"axis", 2}})[0];
  }
  const Attrs attrs{{"group", channels.value()}, {"kernel_shape", {kernel.value()}}};
  Tensor y = ctx.has_input(2) ? Conv(padded.to(type), w.to(type), ctx.input(2).to(type), attrs)
                              : Conv(padded.to(type), w.to(type), attrs);
  if (ctx.s("activation") != "none") y = y * Sigmoid(y);
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  const Tensor present = Slice(padded, Tensor::ints({behind > 0 ? -behind : kEnd}),
                               Tensor::ints({kEnd}), Tensor::ints({2}));
  return {y.to(stored), present};
}

void samples(Samples& s) {
  const Arg none = arg::none();
  s.add({arg::any({2, 3, 5}), arg::any({3, 1, 4})}).outputs = 2;
  s.add({arg::any({1, 2, 1}), arg::any({2, 1, 3}), arg::any({2}), arg::any({1, 2, 2})},
        {{"activation", "silu"}})
      .outputs = 2;
  s.add({arg::any({1, 2, 3}), arg::any({2, 1, 2}), none, arg::any({1, 2, 1})},
        {{"activation", "swish"}});
  s.add({arg::any({1, 2, 3}), arg::any({2, 1, 1}), arg::any({2})}).outputs = 2;
  s.add({arg::any({0, 2, 3}), arg::any({2, 1, 2})}).outputs = 2;
  s.bad({arg::any({2, 3}), arg::any({3, 1, 4})}, {},
        "CausalConvWithState: input is f32[2, 3]; it takes [batch, channels, length]");
  s.bad({arg::any({2, 3, 5}), arg::any({2, 1, 4})}, {}, "it must have shape [3, 1, kernel]");
  s.bad({arg::any({2, 3, 5}), arg::any({3, 1, 4}), arg::any({4})}, {}, "it must have shape [3]");
  s.bad({arg::any({2, 3, 5}), arg::any({3, 1, 4}), none, arg::any({2, 3, 4})}, {},
        "it must have shape [2, 3, 3]");
  s.bad({arg::any({2, 3, 5}), arg::any({3, 1, 4})}, {{"activation", "relu"}},
        "use one of none, silu");
}

}  // namespace

constinit const OpDef CausalConvWithState{
    .name = "CausalConvWithState",
    .doc = "Depthwise convolution of the present and the past; the last elements are handed on.",
    .inputs = {{"input", "T"}, {"weight", "T"}, optional("bias", "T"), optional("past_state", "T")},
    .outputs = {{"output", "T"}, optional("present_state", "T")},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("activation", "none", "none|silu|swish")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 27},
    .samples = samples,
};

}  // namespace tenon::op
