// SliceGrad: what Slice read, put back among zeros.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/slicing.h"

namespace tenon::op {

namespace {

// That the gradient has the shape of the slice is checked where everything is known.
void check_slice(const InferContext& ctx, const tenon::Shape& data) {
  const auto starts = ctx.ints_of(2), ends = ctx.ints_of(3), axes = ctx.ints_of(4),
             steps = ctx.ints_of(5);
  if (!starts || !ends || (ctx.has_input(4) && !axes) || (ctx.has_input(5) && !steps)) return;
  tenon::Shape slice = data;
  for (size_t i = 0; i < starts->size(); ++i) {
    const size_t axis = ctx.axis(axes ? (*axes)[i] : static_cast<int64_t>(i), data.rank());
    slice[axis] = slice_range(data[axis], (*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1).count;
  }
  const auto given = to_shape(ctx.dims(0));
  ctx.check(!given || *given == slice,
            "dY is {}, but the slice of {} has shape {}; give dY that shape", ctx.str(0),
            data.str(), slice.str());
}

void infer(InferContext& ctx) {
  if (!ctx.values(1)) return ctx.output(0, unknown_dims(ctx.rank(0)));
  const Dims dims = *ctx.values(1);
  ctx.check(dims.size() == ctx.rank(0), "dY is {}, but shape {} has {} axes; give it as many",
            ctx.str(0), str(dims), dims.size());
  if (const auto shape = to_shape(dims)) check_slice(ctx, *shape);
  ctx.output(0, dims);
}

TensorList grad(const GradContext& ctx) {
  TensorList inputs{ctx.grad()};
  for (size_t i = 2; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
  TensorList out = ctx.none();
  out[0] = Slice.all(inputs)[0];
  return out;
}

void samples(Samples& s) {
  s.add({arg::any({2, 4}), arg::ints({4, 5}), arg::ints({1, 0}), arg::ints({3, 4})});
  s.add({arg::any({4, 3}), arg::ints({4, 5}), arg::ints({0}), arg::ints({5}), arg::ints({-1}),
         arg::ints({2})});
  s.add({arg::any({3}), arg::ints({5}), arg::ints({-1}), arg::ints({-6}), arg::none(),
         arg::ints({-2})});
  s.add({arg::any({0, 2}), arg::ints({3, 2}), arg::ints({5}), arg::ints({9})});
  s.bad({arg::any({2}), arg::ints({4, 5}), arg::ints({1}), arg::ints({3})}, {}, "has 2 axes");
  s.bad({arg::any({3}), arg::ints({4}), arg::ints({1}), arg::ints({3})}, {},
        "but the slice of [4] has shape [2]");
}

}  // namespace

constinit const OpDef SliceGrad{
    .name = "SliceGrad",
    .doc =
        "A tensor of shape `shape` that holds dY where Slice with these places reads, and zeros "
        "elsewhere.",
    .inputs = {{"dY", "T"},
               value("shape", "S"),
               value("starts", "I"),
               value("ends", "I"),
               optional_value("axes", "I"),
               optional_value("steps", "I")},
    .outputs = {{"dX", "T"}},
    .types = {{"T", kFloats}, {"S", kInt64}, {"I", kIndex}},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(2) | saves::input(3) | saves::input(4) | saves::input(5)},
    .onnx = no_onnx("ONNX has no gradient of Slice"),
    .samples = samples,
};

}  // namespace tenon::op
