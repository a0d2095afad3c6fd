// Binarizer: 1 above a threshold, else 0.
#include <cmath>

#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  // A whole number is above a threshold when it is above the whole number below it.
  const double threshold = ctx.f("threshold");
  const double bar = is_float(x.dtype()) ? threshold : std::floor(threshold);
  return {Greater(x, constant_like(x, bar)).to(x.dtype())};
}

void samples(Samples& s) {
  s.add({arg::any({3, 4})});
  s.add({arg::any({2, 3, 2})}, {{"threshold", 0.5}});
  s.add({arg::any({5})}, {{"threshold", -0.5}});
  s.add({arg::any({})}, {{"threshold", 1.0}});
  s.add({arg::any({0})});
  s.add({arg::fixed(Tensor::from<float>({NAN, INFINITY, -INFINITY, 0}, {4}))});
  s.bad({arg::typed({2}, DType::boolean)}, {}, "Binarizer: input X is bool[2]");
}

}  // namespace

constinit const OpDef Binarizer{
    .name = "Binarizer",
    .doc = "1 where an element is above the threshold, else 0.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32)}},
    .attrs = {attr_f("threshold", 0)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = not_differentiable("it is constant on either side of the threshold"),
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
