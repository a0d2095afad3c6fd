// QLinearAdd: the sum of two quantised tensors, quantised again.
#include "ops/grad.h"
#include "ops/microsoft/binary_rules.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

// The zero points make one number, which is added before rounding.
TensorList expand(const ExpandContext& ctx) {
  using microsoft::scalar_of, microsoft::zero_point_of;
  const auto zero = [&](size_t i) {
    return zero_point_of(ctx.has_input(i) ? ctx.input(i) : Tensor());
  };
  const Tensor c_scale = scalar_of(ctx.input(6));
  const Tensor a_ratio = scalar_of(ctx.input(1)) / c_scale;
  const Tensor b_ratio = scalar_of(ctx.input(4)) / c_scale;
  const Tensor fixed = zero(7) - (a_ratio * zero(2) + b_ratio * zero(5));
  const Tensor sum =
      (ctx.input(0).to(DType::f32) * a_ratio + fixed) + ctx.input(3).to(DType::f32) * b_ratio;
  return {microsoft::rounded(sum, {}, ctx.input(0).dtype())};
}

}  // namespace

constinit const OpDef QLinearAdd{
    .name = "QLinearAdd",
    .doc = "The sum of quantised A and B, broadcast, quantised by C_scale and C_zero_point.",
    .inputs = {{"A", "T"},
               {"A_scale", "F"},
               optional("A_zero_point", "T"),
               {"B", "T"},
               {"B_scale", "F"},
               optional("B_zero_point", "T"),
               {"C_scale", "F"},
               optional("C_zero_point", "T")},
    .outputs = {{"C", "T"}},
    .types = {{"T", integer_rules::kBytes}, {"F", kFloat32}},
    .infer = microsoft::infer_binary,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = microsoft::binary_samples,
};

}  // namespace tenon::op
