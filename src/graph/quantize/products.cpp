#include "graph/quantize/products.h"

#include <algorithm>

#include "graph/quantize/layers.h"
#include "ops/math/catalog.h"

namespace tenon::graph {

std::optional<ConstantProduct> constant_product(const Rewriter& r, const Node& node,
                                                const std::vector<std::string>& without) {
  const auto is_excluded = [&](const std::string& name) {
    return !name.empty() && std::ranges::find(without, name) != without.end();
  };
  const bool gemm = node.op == &op::Gemm;
  if ((!gemm && node.op != &op::MatMul) || is_excluded(node.name) ||
      is_excluded(r.graph().value(node.outputs[0]).name))
    return std::nullopt;
  const Tensor* weights = r.constant(node.inputs[1]);
  const TensorType& x = r.type(node.inputs[0]);
  if (!weights || weights->dtype() != DType::f32 || weights->rank() != 2 || weights->numel() == 0 ||
      r.constant(node.inputs[0]) || x.dtype != DType::f32 || !x.ranked || x.dims.empty())
    return std::nullopt;
  ConstantProduct product{node.inputs[0], kNoValue, *weights, layer_name(r.graph(), node)};
  if (gemm) {
    const Call call{*node.op, node.attrs};
    if (call.i("transA") != 0 || call.f("alpha") != 1) return std::nullopt;
    if (node.inputs.size() > 2) product.bias = node.inputs[2];
    if (product.bias != kNoValue && call.f("beta") != 1) return std::nullopt;
    if (call.i("transB") != 0) product.weights = weights->transpose(0, 1);
  }
  product.weights = product.weights.contiguous();
  return product;
}

}  // namespace tenon::graph
