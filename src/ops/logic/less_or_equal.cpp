// LessOrEqual: true where A is not above B.
#include <cmath>
#include <cstdint>

#include "ops/logic/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  elementwise::broadcast(ctx, [](const Dim& a, const Dim& b) {
    return a.is_const() && b.is_const() ? Dim(a.value() <= b.value()) : Dim::unknown();
  });
}

void samples(Samples& s) {
  elementwise::binary_samples(s, -2, 2);
  s.add({arg::fixed(Tensor::from<int32_t>({1, 2, 3}, {3})),
         arg::fixed(Tensor::from<int32_t>({2}, {1}))});
  s.add({arg::fixed(Tensor::from<float>({NAN, 1, INFINITY}, {3})),
         arg::fixed(Tensor::from<float>({NAN, NAN, INFINITY}, {3}))});
  s.add({arg::fixed(Tensor::from<uint64_t>({UINT64_MAX, 1}, {2})),
         arg::fixed(Tensor::from<uint64_t>({1, UINT64_MAX}, {2}))});
  s.add({arg::fixed(Tensor::from<int64_t>({INT64_MAX, INT64_MIN}, {2})),
         arg::fixed(Tensor::from<int64_t>({INT64_MAX - 1, INT64_MAX}, {2}))});
  s.bad({arg::typed({2}, DType::boolean), arg::typed({2}, DType::boolean)}, {},
        "LessOrEqual: input A is bool[2]; it takes");
}

}  // namespace

constinit const OpDef LessOrEqual{
    .name = "LessOrEqual",
    .doc = "True where A is below B or equal to it; false for NaN.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T1"}},
    .types = {{"T", kNumeric}, {"T1", kBool}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = not_differentiable("its result is a truth value"),
    .onnx = {.since = 12},
    .samples = samples,
};

}  // namespace tenon::op
