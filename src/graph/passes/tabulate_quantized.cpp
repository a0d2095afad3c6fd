// What is computed element by element between DequantizeLinear and QuantizeLinear, from one tensor
// of bytes and constants, is a table of 256 entries: each byte is sent through the operators here.
#include <algorithm>
#include <vector>

#include "graph/passes/catalog.h"
#include "graph/quantization.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/quant/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using namespace graph;  // NOLINT(google-build-using-namespace)

constexpr size_t kMostNodes = 32;

bool is_elementwise(const OpDef* op) {
  const OpDef* const list[] = {&op::Abs,
                               &op::Add,
                               &op::Ceil,
                               &op::Celu,
                               &op::Clip,
                               &op::Div,
                               &op::Elu,
                               &op::Erf,
                               &op::Exp,
                               &op::FastGelu,
                               &op::Floor,
                               &op::Gelu,
                               &op::HardSigmoid,
                               &op::HardSwish,
                               &op::Identity,
                               &op::LeakyRelu,
                               &op::Log,
                               &op::Max,
                               &op::MicrosoftGelu,
                               &op::Min,
                               &op::Mish,
                               &op::Mul,
                               &op::Neg,
                               &op::Pow,
                               &op::QuickGelu,
                               &op::Reciprocal,
                               &op::Relu,
                               &op::Round,
                               &op::Selu,
                               &op::Sigmoid,
                               &op::Softplus,
                               &op::Softsign,
                               &op::Sqrt,
                               &op::Sub,
                               &op::Swish,
                               &op::Tanh,
                               &op::ThresholdedRelu};
  return std::ranges::find(list, op) != std::end(list);
}

// The nodes between one DequantizeLinear and the value.
struct Region {
  ValueId real = kNoValue;    // what the DequantizeLinear makes
  std::vector<NodeId> nodes;  // in an order in which they can be run
};

bool has(const Region& region, NodeId id) {
  return std::ranges::find(region.nodes, id) != region.nodes.end();
}

// Adds what makes `value`; false where that is none of the operators, or has a second source.
bool grow(const Rewriter& r, ValueId value, Region& region) {
  if (const Tensor* constant = r.constant(value))
    return constant->numel() == 1 && constant->dtype() == DType::f32;
  if (const auto x = dequantized(r, value)) {
    if (region.real != kNoValue && region.real != value) return false;
    const bool bytes = x->how.type == DType::i8 || x->how.type == DType::u8;
    region.real = value;
    return x->how.per_tensor() && bytes;
  }
  const NodeId maker = r.producer(value);
  if (maker < 0 || !is_elementwise(r.node(maker).op) || r.node(maker).outputs[0] != value)
    return false;
  if (has(region, maker)) return true;
  const std::vector<ValueId> inputs = r.node(maker).inputs;
  if (region.nodes.size() >= kMostNodes) return false;
  for (ValueId input : inputs)
    if (input != kNoValue && !grow(r, input, region)) return false;
  if (!has(region, maker)) region.nodes.push_back(maker);
  return region.nodes.size() <= kMostNodes;
}

// Every byte, sent through the region and the QuantizeLinear.
Tensor table_of(const Rewriter& r, const Region& region, const Node& quantize) {
  const NoGrad no_grad;
  const Node& dequantize = *r.made_by(region.real, op::DequantizeLinear);
  Tensor bytes = Tensor::empty({256}, r.type(dequantize.inputs[0]).dtype);
  for (int i = 0; i < 256; ++i) static_cast<uint8_t*>(bytes.raw())[i] = static_cast<uint8_t>(i);
  std::vector<std::pair<ValueId, Tensor>> values{{dequantize.inputs[0], bytes}};
  const auto value_of = [&](ValueId id) {
    if (id == kNoValue) return Tensor();
    for (const auto& [known, tensor] : values)
      if (known == id) return tensor;
    const Tensor& constant = *r.constant(id);
    return constant.numel() == 1 ? constant.reshape({}) : constant;
  };
  const auto compute = [&](const Node& node) {
    TensorList inputs;
    for (ValueId input : node.inputs) inputs.push_back(value_of(input));
    values.emplace_back(node.outputs[0], node.op->all(inputs, node.attrs)[0]);
  };
  compute(dequantize);
  for (NodeId id : region.nodes) compute(r.node(id));
  compute(quantize);
  return values.back().second.contiguous();
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const Node quantize = r.node(n);
    if (quantize.op != &op::QuantizeLinear) continue;
    const auto how = quantization_of(r, quantize);
    Region region;
    if (!how || !how->per_tensor() || !grow(r, quantize.inputs[0], region)) continue;
    if (region.real == kNoValue) continue;
    // What others read too must be computed anyway; constants may not have more axes than the
    // bytes.
    const ValueId bytes = r.made_by(region.real, op::DequantizeLinear)->inputs[0];
    const auto inside = [&](NodeId id) { return id == n || has(region, id); };
    const bool own = std::ranges::all_of(region.nodes, [&](NodeId id) {
      const ValueId output = r.node(id).outputs[0];
      return !r.is_output(output) && std::ranges::all_of(r.users(output), inside);
    });
    const TensorType &x = r.type(bytes), &y = r.type(quantize.outputs[0]);
    if (!own || !x.ranked || !y.ranked || x.dims.size() != y.dims.size()) continue;
    r.at(region.nodes.empty() ? n : region.nodes.back());
    const ValueId table = r.constant(table_of(r, region, quantize));
    r.replace(quantize.outputs[0], r.add(op::TableLookup, {bytes, table}));
  }
}

}  // namespace

constinit const Pass tabulate_quantized{
    "tabulate_quantized",
    "Elementwise operators between DequantizeLinear and QuantizeLinear become a table.", run,
    /*portable=*/false};

}  // namespace tenon::passes
