// Equal: true where A and B are equal.
#include <cmath>
#include <cstdint>

#include "ops/logic/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

// 1, 0, or not known; a size is never equal to a negative number.
Dim equal(const Dim& a, const Dim& b) {
  if (a == b) return 1;
  if (a.is_const() && b.is_const()) return 0;
  const auto apart = [](const Dim& size, const Dim& number) {
    return number.is_const() && number.value() < 0 && size.is_nonnegative();
  };
  return apart(a, b) || apart(b, a) ? Dim(0) : Dim::unknown();
}

void infer_shape(InferContext& ctx) { elementwise::broadcast(ctx, equal); }

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
  s.add({arg::typed({2, 3}, DType::boolean, 0, 1), arg::typed({3}, DType::boolean, 0, 1)});
  s.add(
      {arg::fixed(Tensor::strings({"a", "b", ""}, {3})), arg::fixed(Tensor::strings({"a"}, {1}))});
}

}  // namespace

constinit const OpDef Equal{
    .name = "Equal",
    .doc = "True where A and B are equal; NaN equals nothing.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T1"}},
    .types = {{"T", kNumeric | kBool | kString}, {"T1", kBool}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = not_differentiable("its result is a truth value"),
    .onnx = {.since = 7, .older = {{1, upgrade::legacy_broadcast}}},
    .samples = samples,
};

}  // namespace tenon::op
