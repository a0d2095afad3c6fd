// ArgMax: the place of the largest element along an axis.
#include "ops/onnx_node.h"
#include "ops/reduce/arg_reduction.h"
#include "ops/reduce/catalog.h"

namespace tenon::op {

constinit const OpDef ArgMax{
    .name = "ArgMax",
    .doc =
        "Where along `axis` the largest element lies: the first or last of equal ones; NaN counts "
        "as it.",
    .inputs = {{"data", "T"}},
    .outputs = {{"reduced", "I"}},
    .types = {{"T", kNumeric}, {"I", kInt64}},
    .attrs = {attr_i("axis", 0), attr_i("keepdims", 1), attr_i("select_last_index", 0)},
    .infer = arg_reduction::infer,
    .expand = primitive,
    .grad = not_differentiable("places are not continuous"),
    .onnx = {.since = 12, .older = {{1, upgrade::as_is}}, .lower = arg_reduction::lowered},
    .samples = arg_reduction::samples,
};

}  // namespace tenon::op
