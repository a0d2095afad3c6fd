// Quantised weights that no operator of integers took become floats again.
#include "graph/passes/catalog.h"
#include "graph/quantization.h"
#include "ops/quant/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using namespace graph;  // NOLINT(google-build-using-namespace)

void run(Rewriter& r) {
  const NoGrad no_grad;
  for (NodeId n : r.nodes()) {
    const Node node = r.node(n);
    if (!r.alive(n) || node.op != &op::DequantizeLinear) continue;
    TensorList inputs;
    bool constant = true;
    for (ValueId input : node.inputs) {
      const Tensor* contents = r.constant(input);
      constant = constant && (contents || input == kNoValue);
      inputs.push_back(contents ? *contents : Tensor());
    }
    if (!constant) continue;
    const ValueId y = node.outputs[0];
    r.replace(y, r.constant(op::DequantizeLinear.all(inputs, node.attrs)[0].contiguous(),
                            r.graph().value(y).name));
  }
}

}  // namespace

constinit const Pass dequantize_constants{
    "dequantize_constants",
    "Quantised weights that no operator of integers took become floats again.", run,
    /*portable=*/false};

}  // namespace tenon::passes
