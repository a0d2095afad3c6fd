// EyeLike: ones on a diagonal of a matrix, zeros elsewhere.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

constexpr TypeSet kEyeTypes = kNumeric | kBool;

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) == 2, "input is {}; give a matrix", ctx.str(0));
  DType type = ctx.dtype(0);
  if (ctx.has("dtype")) {
    const int64_t number = ctx.i("dtype");
    ctx.check(number >= 0 && number < kDTypeCount && kEyeTypes.has(static_cast<DType>(number)),
              "dtype={} is no type for numbers; use one of TensorProto.DataType for {}", number,
              kEyeTypes.str());
    type = static_cast<DType>(number);
  }
  ctx.output(0, ctx.dims(0), type);
}

void samples(Samples& s) {
  s.add({arg::any({3, 4})});
  s.add({arg::any({3, 3})}, {{"k", 1}, {"dtype", static_cast<int64_t>(DType::f64)}});
  s.add({arg::any({4, 3})}, {{"k", -2}, {"dtype", static_cast<int64_t>(DType::i32)}});
  s.add({arg::any({2, 2})}, {{"k", 7}});
  s.add({arg::any({0, 2})});
  s.bad({arg::any({3})}, {}, "give a matrix");
  s.bad({arg::any({2, 2})}, {{"dtype", static_cast<int64_t>(DType::string)}},
        "dtype=8 is no type for numbers");
}

}  // namespace

constinit const OpDef EyeLike{
    .name = "EyeLike",
    .doc = "A matrix of the input's shape with ones on its k-th diagonal.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "U"}},
    .types = {{"T", kEyeTypes}, {"U", kEyeTypes}},
    .attrs = {attr("dtype", AttrType::i), attr_i("k", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("only the shape of its input matters"),
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
