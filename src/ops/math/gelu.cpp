// Gelu: the Gaussian error linear unit (Hendrycks and Gimpel 2016), exact or by tanh.
#include <numbers>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

constexpr double kCubic = 0.044715;
constexpr double kScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;  // sqrt(2 / pi)

// tanh(sqrt(2/pi) * (x + 0.044715 x^3))
Tensor tanh_part(const Tensor& x) { return Tanh((x + x * x * x * kCubic) * kScale); }

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (ctx.s("approximate") == "tanh") {
    const Tensor t = tanh_part(x);
    const Tensor slope = (x * x * (3 * kCubic) + 1) * kScale;
    return {ctx.grad() * (t + 1 + x * (1 - t * t) * slope) * 0.5};
  }
  const Tensor cumulative = (Erf(x / std::numbers::sqrt2) + 1) * 0.5;
  const Tensor density = Exp(x * x * -0.5) * (0.5 * kScale);
  return {ctx.grad() * (cumulative + x * density)};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const bool by_tanh = ctx.s("approximate") == "tanh";
  return {x * ((by_tanh ? tanh_part(x) : Erf(x / std::numbers::sqrt2)) + 1) * 0.5};
}

void samples(Samples& s) {
  elementwise::unary_samples(s, -3, 3);
  s.add({arg::range({2, 3}, -3, 3)}, {{"approximate", "tanh"}});
  s.bad({arg::any({2})}, {{"approximate", "sigmoid"}},
        "approximate is 'sigmoid'; use one of none, tanh");
}

}  // namespace

constinit const OpDef Gelu{
    .name = "Gelu",
    .doc = "x * P(N <= x) for a standard normal N; approximate = \"tanh\" is a cheaper formula.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("approximate", "none", "none|tanh")},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 20},
    .samples = samples,
};

}  // namespace tenon::op
