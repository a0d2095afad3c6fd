// STFT: the Fourier transforms of overlapping frames of a signal.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/signal/catalog.h"
#include "ops/signal/signal_rules.h"

namespace tenon::op {

namespace {

Dim frame_length(const InferContext& ctx) {
  if (ctx.has_input(3)) return signal::integer(ctx, 3);
  return ctx.has_input(2) ? ctx.dims(2)[0] : ctx.dims(0)[1];
}

void infer(InferContext& ctx) {
  const Dims& signal = ctx.dims(0);
  ctx.check(signal.size() == 2 || signal.size() == 3,
            "signal is {}; give it as [batch, length, 1], or with 2 parts where complex",
            ctx.str(0));
  const Dim parts = signal.size() == 2 ? Dim(1) : signal[2];
  ctx.check(!parts.is_const() || parts.value() == 1 || parts.value() == 2,
            "signal is {}; its last axis must have 1 element (real) or 2 (real and imaginary part)",
            ctx.str(0));
  const bool onesided = ctx.i("onesided") != 0;
  ctx.check(!onesided || !parts.is_const() || parts.value() == 1,
            "signal is {}, which is complex; use onesided=0", ctx.str(0));
  signal::check_number(ctx, 1);
  signal::check_number(ctx, 3);
  ctx.check(!ctx.has_input(2) || ctx.rank(2) == 1, "window is {}; give a vector", ctx.str(2));
  const Dim length = frame_length(ctx), step = signal::integer(ctx, 1);
  ctx.check(!step.is_const() || step.value() >= 1, "frame_step is {}; use 1 or more", step.str());
  ctx.check(!length.is_const() || length.value() >= 1, "frames have length {}; use 1 or more",
            length.str());
  ctx.check(!length.is_const() || length.value() <= signal::kMaxLength,
            "frames have length {}; use {} at most", length.str(), signal::kMaxLength);
  if (ctx.has_input(2)) {
    const Dim& window = ctx.dims(2)[0];
    ctx.check(!window.is_const() || !length.is_const() || window == length,
              "window is {}, but frame_length is {}; give a window of that length", ctx.str(2),
              length.str());
  }
  const Dim room = signal[1] - length;
  ctx.check(!room.is_const() || room.value() >= 0,
            "signal is {}, but a frame has {} samples; use a frame_length of {} at most",
            ctx.str(0), length.str(), signal[1].str());
  const Dim bins = onesided ? length.floor_div(2) + Dim(1) : length;
  ctx.output(0, {signal[0], room.floor_div(step) + Dim(1), bins, 2});
}

Tensor integer_scalar(int64_t value) { return Tensor::from<int64_t>({value}, {}); }

// The size of an axis as a number.
Tensor size_of(const Tensor& x, int64_t axis) {
  const Dim size = x.dims()[static_cast<size_t>(axis)];
  if (size.is_const()) return integer_scalar(size.value());
  return Gather(Shape(x), integer_scalar(axis));
}

Tensor up_to(const Tensor& limit) { return Range(integer_scalar(0), limit, integer_scalar(1)); }

TensorList expand(const ExpandContext& ctx) {
  Tensor signal = ctx.input(0);
  if (signal.rank() == 2) signal = Unsqueeze(signal, Tensor::ints({-1}));
  const Tensor step = signal::as_scalar(ctx.input(1)).to(DType::i64);
  const Tensor length = ctx.has_input(3)   ? signal::as_scalar(ctx.input(3)).to(DType::i64)
                        : ctx.has_input(2) ? size_of(ctx.input(2), 0)
                                           : size_of(signal, 1);
  const Tensor frames = (size_of(signal, 1) - length) / step + 1;
  const Tensor places = Unsqueeze(up_to(frames) * step, Tensor::ints({1})) + up_to(length);
  Tensor framed = Gather(signal, places, {{"axis", 1}});  // [batch, frames, length, parts]
  if (ctx.has_input(2)) framed = framed * Unsqueeze(ctx.input(2), Tensor::ints({1}));
  return {DFT(framed, Tensor(), integer_scalar(2), {{"onesided", ctx.i("onesided")}})};
}

void samples(Samples& s) {
  const Arg window = arg::range({4}, 0.2, 1);
  s.add({arg::any({2, 10, 1}), arg::int_scalar(3), window});
  s.add({arg::any({2, 9, 1}), arg::int_scalar(2), window, arg::int_scalar(4)}, {{"onesided", 0}});
  s.add({arg::any({1, 8, 2}), arg::int_scalar(4), arg::none(), arg::int_scalar(3)},
        {{"onesided", 0}});
  s.add({arg::any({2, 7}), arg::fixed(Tensor::from<int32_t>({1}, {})), arg::none(),
         arg::fixed(Tensor::from<int32_t>({5}, {}))});
  s.add({arg::any({1, 6, 1}), arg::int_scalar(1)});
  s.add({arg::any({0, 6, 1}), arg::int_scalar(1), window});
  s.bad({arg::any({6}), arg::int_scalar(1), window}, {}, "give it as [batch, length, 1]");
  s.bad({arg::any({1, 6, 2}), arg::int_scalar(1), window}, {}, "use onesided=0");
  s.bad({arg::any({1, 6, 1}), arg::int_scalar(0), window}, {}, "frame_step is 0; use 1 or more");
  s.bad({arg::any({1, 3, 1}), arg::int_scalar(1), window}, {}, "use a frame_length of 3 at most");
  s.bad({arg::any({1, 6, 1}), arg::int_scalar(1), window, arg::int_scalar(5)}, {},
        "give a window of that length");
}

}  // namespace

constinit const OpDef STFT{
    .name = "STFT",
    .doc =
        "The discrete Fourier transforms of frames that start every frame_step samples, each "
        "multiplied by the window.",
    .inputs = {{"signal", "T1"},
               value("frame_step", "T2"),
               optional("window", "T1"),
               optional_value("frame_length", "T2")},
    .outputs = {{"output", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kIndex}},
    .attrs = {attr_i("onesided", 1)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 17},
    .samples = samples,
};

}  // namespace tenon::op
