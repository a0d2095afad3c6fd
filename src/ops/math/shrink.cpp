// Shrink: nothing near zero, and the rest moved towards it.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

// Integers are compared and moved as doubles, which hold what the attributes may be.
TensorList expand(const ExpandContext& ctx) {
  const DType type = ctx.input(0).dtype();
  const Tensor x = is_float(type) ? ctx.input(0) : ctx.input(0).to(DType::f64);
  const double bias = ctx.f("bias"), lambd = ctx.f("lambd");
  const Tensor inner = Where(Greater(x, constant_like(x, lambd)), x - bias, constant_like(x, 0));
  return {Where(Less(x, constant_like(x, -lambd)), x + bias, inner).to(type)};
}

void samples(Samples& s) {
  s.add({arg::range({2, 3}, 0.6, 2)});
  s.add({arg::range({2, 3}, -2, -0.6)}, {{"bias", 0.25}});
  s.add({arg::range({2, 3}, -1.4, 1.4)}, {{"lambd", 1.5}, {"bias", 1.5}});
  s.add({arg::range({4, 4}, -4, 4)}, {{"lambd", 1.5}, {"bias", 1.0}}).grad = false;
  s.add({arg::range({}, 1, 2)}, {{"bias", -0.5}});
  s.add({arg::any({0, 3})});
  s.bad({arg::typed({2}, DType::boolean)}, {}, "input input is bool[2]");
}

}  // namespace

constinit const OpDef Shrink{
    .name = "Shrink",
    .doc = "x + bias where x < -lambd, x - bias where x > lambd, 0 between.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kNumeric}},
    .attrs = {attr_f("bias", 0), attr_f("lambd", 0.5)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
