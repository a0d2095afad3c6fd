// QLinearMul: the product of two quantised tensors, quantised again.
#include "ops/grad.h"
#include "ops/microsoft/binary_rules.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

// The output's zero point is added before rounding.
TensorList expand(const ExpandContext& ctx) {
  using microsoft::scalar_of, microsoft::zero_point_of;
  const auto zero = [&](size_t i) {
    return zero_point_of(ctx.has_input(i) ? ctx.input(i) : Tensor());
  };
  const Tensor scale = scalar_of(ctx.input(1)) * scalar_of(ctx.input(4)) / scalar_of(ctx.input(6));
  const Tensor product =
      (ctx.input(0).to(DType::f32) - zero(2)) * (ctx.input(3).to(DType::f32) - zero(5));
  return {microsoft::rounded(product * scale + zero(7), {}, ctx.input(0).dtype())};
}

}  // namespace

constinit const OpDef QLinearMul{
    .name = "QLinearMul",
    .doc = "The product of quantised A and B, broadcast, quantised by C_scale and C_zero_point.",
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
