// CumSum: running sums along an axis.
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/cumulation.h"

namespace tenon::op {

namespace {

// Each element counts towards the sums behind it, so its gradient is a running sum from the other
// end.
TensorList grad(const GradContext& ctx) {
  return {CumSum(ctx.grad(), ctx.input(1), ctx.attrs.with({"reverse", ctx.i("reverse") == 0})), {}};
}

}  // namespace

constinit const OpDef CumSum{
    .name = "CumSum",
    .doc = "The sum of the elements up to each one along `axis`; without itself when exclusive.",
    .inputs = {{"x", "T"}, value("axis", "I")},
    .outputs = {{"y", "T"}},
    .types = {{"T", cumulation::kTypes}, {"I", kIndex}},
    .attrs = {attr_i("exclusive", 0), attr_i("reverse", 0)},
    .infer = cumulation::infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 11},
    .samples = cumulation::samples,
};

}  // namespace tenon::op
