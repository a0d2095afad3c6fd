// Where: one of two, element by element.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

Dim choose(const Dim& condition, const Dim& x, const Dim& y) {
  if (x == y) return x;
  if (!condition.is_const()) return Dim::unknown();
  return condition.value() != 0 ? x : y;
}

void infer_shape(InferContext& ctx) {
  infer_rules::broadcast_all(ctx);
  const auto count = elementwise::known_count(ctx);
  if (!count) return;
  std::vector<Dim> values;
  for (size_t i = 0; i < *count; ++i)
    values.push_back(choose(elementwise::at(*ctx.values(0), i), elementwise::at(*ctx.values(1), i),
                            elementwise::at(*ctx.values(2), i)));
  ctx.output_values(0, std::move(values));
}

TensorList grad(const GradContext& ctx) {
  const Tensor& g = ctx.grad();
  const Tensor zero = constant_like(g, 0);
  TensorList grads = ctx.none();
  if (ctx.needs(1)) grads[1] = sum_to(Where(ctx.input(0), g, zero), ctx.dims(1));
  if (ctx.needs(2)) grads[2] = sum_to(Where(ctx.input(0), zero, g), ctx.dims(2));
  return grads;
}

void samples(Samples& s) {
  const auto condition = [](const Shape& shape) { return arg::typed(shape, DType::boolean, 0, 1); };
  s.add({condition({2, 3}), arg::any({2, 3}), arg::any({2, 3})});
  s.add({condition({3}), arg::any({2, 1}), arg::any({})});
  s.add({condition({2, 1}), arg::any({}), arg::any({3})});
  s.add({condition({}), arg::any({2}), arg::any({2})});
  s.add({condition({0, 3}), arg::any({3}), arg::any({1})});
  s.add({arg::fixed(Tensor::from<bool>({true, false}, {2})),
         arg::fixed(Tensor::strings({"a", "b"}, {2})), arg::fixed(Tensor::strings({"c"}, {1}))});
  s.bad({condition({2, 3}), arg::any({2}), arg::any({})}, {},
        "Where: shapes [2, 3] and [2] and [] cannot be broadcast");
  s.bad({arg::typed({2}, DType::f32), arg::any({2}), arg::any({2})}, {},
        "Where: input condition is f32[2]; it takes bool");
  s.bad({condition({2}), arg::typed({2}, DType::f32), arg::typed({2}, DType::i32)}, {},
        "cast one so that both have one type");
}

}  // namespace

constinit const OpDef Where{
    .name = "Where",
    .doc = "X where condition is true, else Y; all three broadcast.",
    .inputs = {{"condition", "B"}, {"X", "T"}, {"Y", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"B", kBool}, {"T", kAnyType}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
