// ReverseSequence: the beginnings of sequences turned around.
#include "ops/grad.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const int64_t time = ctx.i("time_axis"), batch = ctx.i("batch_axis");
  ctx.check((time == 0 && batch == 1) || (time == 1 && batch == 0),
            "time_axis is {} and batch_axis is {}; one must be 0 and the other 1", time, batch);
  ctx.check(ctx.rank(0) >= 2, "input is {}; it needs a time and a batch axis", ctx.str(0));
  const Dim& sequences = ctx.dims(0)[static_cast<size_t>(batch)];
  ctx.check(ctx.rank(1) == 1 && !differ(ctx.dims(1)[0], sequences),
            "sequence_lens is {}, but axis {} of input {} counts {} sequences; give a length each",
            ctx.str(1), batch, ctx.str(0), sequences.str());
  ctx.output(0, ctx.dims(0));
}

// Turning around twice changes nothing.
TensorList grad(const GradContext& ctx) {
  return {ReverseSequence(ctx.grad(), ctx.input(1), ctx.attrs), {}};
}

void samples(Samples& s) {
  s.add({arg::any({4, 3}), arg::ints({4, 2, 1})});
  s.add({arg::any({3, 4, 2}), arg::ints({0, 3, 4})}, {{"time_axis", 1}, {"batch_axis", 0}});
  s.add({arg::any({3, 2, 2, 2}), arg::ints({2, 3})});
  s.add({arg::any({0, 2}), arg::ints({0, 0})});
  s.add({arg::any({3, 0}), arg::ints({})});
  s.bad({arg::any({4, 3}), arg::ints({4, 2, 1})}, {{"batch_axis", 0}},
        "ReverseSequence: time_axis is 0 and batch_axis is 0");
  s.bad({arg::any({4}), arg::ints({4})}, {}, "it needs a time and a batch axis");
  s.bad({arg::any({4, 3}), arg::ints({4, 2})}, {}, "counts 3 sequences");
  s.bad({arg::any({4, 3}), arg::ints({4, 5, 1})}, {}, "sequence_lens[1] is 5; input has 4 steps");
}

}  // namespace

constinit const OpDef ReverseSequence{
    .name = "ReverseSequence",
    .doc = "The first sequence_lens[b] steps of sequence b in reverse, the rest as they are.",
    .inputs = {{"input", "T"}, {"sequence_lens", "I"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .attrs = {attr_i("batch_axis", 1), attr_i("time_axis", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 10},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
