#include "graph/precision/half_role.h"

#include <algorithm>

#include "ops/fused/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"

namespace tenon::graph {

namespace {

constexpr const OpDef* kProducts[] = {&op::Attention,
                                      &op::Conv,
                                      &op::ConvTranspose,
                                      &op::Einsum,
                                      &op::FusedConv,
                                      &op::FusedGemm,
                                      &op::FusedLinear,
                                      &op::FusedMatMul,
                                      &op::FusedMatMulActivation,
                                      &op::Gemm,
                                      &op::GemmFastGelu,
                                      &op::GroupQueryAttention,
                                      &op::GRU,
                                      &op::LSTM,
                                      &op::MatMul,
                                      &op::MicrosoftAttention,
                                      &op::MultiHeadAttention,
                                      &op::NhwcFusedConv,
                                      &op::RNN,
                                      &op::TransposeMatMul};

// Beside those that only move elements (QuantRole::passes).
constexpr const OpDef* kFollowers[] = {&op::Abs,
                                       &op::Add,
                                       &op::AveragePool,
                                       &op::BatchNormalization,
                                       &op::BiasAdd,
                                       &op::BiasGelu,
                                       &op::BiasSplitGelu,
                                       &op::Celu,
                                       &op::Clip,
                                       &op::Div,
                                       &op::Dropout,
                                       &op::Elu,
                                       &op::Erf,
                                       &op::FastGelu,
                                       &op::Gelu,
                                       &op::GlobalAveragePool,
                                       &op::GlobalMaxPool,
                                       &op::GroupNorm,
                                       &op::GroupNormalization,
                                       &op::HardSigmoid,
                                       &op::HardSwish,
                                       &op::InstanceNormalization,
                                       &op::LayerNormalization,
                                       &op::LeakyRelu,
                                       &op::Max,
                                       &op::MaxPool,
                                       &op::MicrosoftGelu,
                                       &op::MicrosoftRotaryEmbedding,
                                       &op::Min,
                                       &op::Mish,
                                       &op::Mul,
                                       &op::Neg,
                                       &op::PRelu,
                                       &op::QuickGelu,
                                       &op::ReduceMax,
                                       &op::ReduceMin,
                                       &op::Relu,
                                       &op::RMSNormalization,
                                       &op::RotaryEmbedding,
                                       &op::Selu,
                                       &op::Sigmoid,
                                       &op::SimplifiedLayerNormalization,
                                       &op::SkipLayerNormalization,
                                       &op::SkipSimplifiedLayerNormalization,
                                       &op::Softsign,
                                       &op::Sub,
                                       &op::Swish,
                                       &op::Tanh,
                                       &op::ThresholdedRelu,
                                       &op::Where};

template <size_t N>
bool is_one_of(const OpDef* op, const OpDef* const (&list)[N]) {
  return std::ranges::find(list, op) != std::end(list);
}

bool has(const std::vector<ValueId>& ports, size_t i) {
  return i < ports.size() && ports[i] != kNoValue;
}

// The state of an LSTM's cells is a sum over all steps: where it goes in or out, it would be
// rounded on the way.
bool shows_cells(const Graph& graph, const Node& lstm) {
  constexpr size_t kInitialC = 6, kYc = 2;
  if (has(lstm.inputs, kInitialC) && !graph.value(lstm.inputs[kInitialC]).is_constant())
    return true;
  return has(lstm.outputs, kYc);
}

// Whether a normalisation of 16 bits would keep its statistics in 16 bits too.
bool has_half_statistics(const Node& node) {
  const AttrSpec* spec = node.op->find_attr("stash_type");
  if (!spec) return false;
  return Call{*node.op, node.attrs}.i("stash_type") != static_cast<int64_t>(DType::f32);
}

bool trains(const Node& node) {
  return node.op == &op::BatchNormalization && Call{*node.op, node.attrs}.i("training_mode") != 0;
}

const Port& port_of(const Node& node, size_t input) {
  return node.op->inputs[std::min(input, node.op->inputs.size() - 1)];
}

}  // namespace

HalfRole half_role(const Graph& graph, const Node& node) {
  if (node.op->structural || node.op->random) return HalfRole::island;
  if (node.op == &op::LSTM && shows_cells(graph, node)) return HalfRole::island;
  if (is_one_of(node.op, kProducts)) return HalfRole::computes;
  if (has_half_statistics(node) || trains(node)) return HalfRole::island;
  const bool follows = node.op->quant == QuantRole::passes || is_one_of(node.op, kFollowers);
  return follows ? HalfRole::follows : HalfRole::island;
}

bool is_half_port(const Node& node, size_t input) {
  const std::string_view type = port_of(node, input).type_var;
  if (node.op == &op::Attention) return type == "T1" || type == "T2";
  return type == node.op->outputs[0].type_var;
}

bool is_mask_port(const Node& node, size_t input) {
  return port_of(node, input).name == "attention_bias";
}

}  // namespace tenon::graph
