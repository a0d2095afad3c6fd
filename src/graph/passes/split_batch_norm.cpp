// BatchNormalization that no convolution takes over: two operations that fuse with their
// neighbours.
#include "graph/passes/catalog.h"
#include "graph/passes/channel_constants.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::passes {

namespace {

using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

void split(Rewriter& r, NodeId n) {
  const ValueId x = r.node(n).inputs[0], y = r.node(n).outputs[0];
  const TensorType& type = r.type(x);
  const Tensor* scale = r.constant(r.node(n).inputs[1]);
  // Of 16 bits, the product would be rounded before the sum.
  if (!scale || !type.ranked || (type.dtype != DType::f32 && type.dtype != DType::f64)) return;
  const DType dtype = type.dtype;
  const size_t rank = type.dims.size();
  const int64_t channels = scale->numel();
  const auto affine = channel_affine(r, n, x, rank, channels);
  if (!affine) return;
  Shape shape{channels};
  for (size_t axis = 2; axis < rank; ++axis) shape.push_back(1);
  const auto factor = rounded(affine->scale, shape, dtype);
  const auto addend = rounded(affine->shift, shape, dtype);
  if (!factor || !addend) return;
  r.at(n);
  const ValueId by = r.constant(*factor), plus = r.constant(*addend);
  const ValueId scaled = r.add(op::Mul, {x, by});
  r.replace(y, r.add(op::Add, {scaled, plus}));
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes())
    if (r.alive(n) && r.node(n).op == &op::BatchNormalization) split(r, n);
}

}  // namespace

// Not portable, though both operators are ONNX's: a runtime that does not fuse them would be
// slower.
constinit const Pass split_batch_norm{
    "split_batch_norm",
    "BatchNormalization with constants becomes a multiplication and an addition.", run, false};

}  // namespace tenon::passes
