#include "graph/quantize/dynamic.h"

#include <map>

#include "graph/quantize/products.h"
#include "graph/quantize/weights.h"
#include "ops/math/catalog.h"
#include "ops/quant/catalog.h"

namespace tenon::graph {

Graph quantize_dynamic(const Graph& graph, const DynamicOptions& options) {
  Graph made = graph;
  for (size_t v = 0; v < made.values().size(); ++v)
    made.value(static_cast<ValueId>(v)).parameter = false;
  Rewriter r(made, "quantize_dynamic");
  std::map<ValueId, std::vector<ValueId>> left;  // elements, scale, zero point
  for (NodeId n : r.nodes()) {
    const Node node = r.node(n);
    const auto product = constant_product(r, node, options.without_layers);
    if (!product) continue;
    r.at(n);
    std::vector<ValueId>& x = left[product->x];
    if (x.empty()) x = r.add_all(op::DynamicQuantizeLinear, {product->x}, {}, 3);
    const IntegerWeights w =
        quantize_weights(product->weights, {}, 1, {1, options.reduced_range ? 63 : 127, true});
    const ValueId bytes = r.constant(w.bytes, product->name + "_weights");
    const ValueId scale = r.constant(w.scale, product->name + "_scale");
    const ValueId zero = r.constant(Tensor::scalar(0, DType::i8));
    const ValueId sums = r.add(op::MatMulInteger, {x[0], bytes, x[2], zero});
    const ValueId real = r.add(op::Cast, {sums}, {{"to", static_cast<int64_t>(DType::f32)}});
    ValueId y = r.add(op::Mul, {real, r.add(op::Mul, {x[1], scale})});
    if (product->bias != kNoValue) y = r.add(op::Add, {y, product->bias});
    r.replace(node.outputs[0], y);
  }
  r.finish();
  return made;
}

}  // namespace tenon::graph
