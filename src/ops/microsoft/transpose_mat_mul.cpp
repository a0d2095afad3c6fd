// TransposeMatMul: what FusedMatMul was called first.
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/fused_mat_mul.h"
#include "ops/microsoft/microsoft_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) { ctx.output(0, microsoft::infer_product(ctx)); }
TensorList expand(const ExpandContext& ctx) { return {microsoft::product(ctx)}; }
void samples(Samples& s) { microsoft::product_samples(s, TransposeMatMul); }

}  // namespace

constinit const OpDef TransposeMatMul{
    .name = "TransposeMatMul",
    .doc = "alpha * A * B, where transA and transB swap the last two axes.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1), attr_i("transA", 0), attr_i("transB", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .flops = microsoft::product_flops,
    .samples = samples,
};

}  // namespace tenon::op
