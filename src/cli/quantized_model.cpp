#include "cli/quantized_model.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "cli/share.h"
#include "graph/pass.h"
#include "graph/precision/half_role.h"
#include "graph/quantize/layers.h"
#include "graph/quantize/products.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::cli {

namespace {

using graph::Graph;
using graph::Node;

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Layers whose work a reader would expect to be in the new precision.
bool is_layer(const Node& node) {
  constexpr std::string_view kHeavy[] = {
      "Conv",      "ConvTranspose",      "Gemm",      "MatMul", "LSTM", "GRU", "RNN", "Einsum",
      "Attention", "MultiHeadAttention", "DeformConv"};
  return std::ranges::find(kHeavy, node.op->name) != std::end(kHeavy);
}

bool is_quantized(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& node) {
    const std::string_view name = node.op->name;
    return name.starts_with("QLinear") || name == "QuantizeLinear" || name == "DequantizeLinear" ||
           name == "DynamicQuantizeLinear" || name.starts_with("MatMulInteger") ||
           name == "ConvInteger" || name == "MatMulNBits" || name == "QGemm";
  });
}

// What has to be done before weights are looked at; passes that fuse come later, around what was
// made.
Graph cleaned(Graph graph, QuantizeForm form) {
  std::vector<std::string> passes{"drop_identity",       "fold_constants", "simplify",
                                  "merge_common",        "join_reshapes",  "pad_into_conv",
                                  "fuse_conv_batch_norm"};
  // Casts must not come between the operators that a normalisation or an activation is written in.
  if (form == QuantizeForm::halves)
    for (const char* pass : {"drop_no_ops", "fuse_layer_norm", "fuse_rms_norm", "fuse_group_norm",
                             "fuse_gelu", "fuse_swish", "fuse_softmax"})
      passes.emplace_back(pass);
  graph::run_passes(graph, {.only = std::move(passes)});
  return graph;
}

void check_layers(const Graph& graph, const std::vector<std::string>& wanted) {
  std::vector<std::string> layers;
  std::set<std::string_view> known;
  for (const Node& node : graph.nodes()) {
    known.insert(node.name);
    for (const graph::ValueId id : node.outputs)
      if (id != graph::kNoValue) known.insert(graph.value(id).name);
    if (is_layer(node)) layers.push_back(graph::layer_name(graph, node));
  }
  for (const std::string& name : wanted)
    TENON_CHECK(!name.empty() && known.contains(name), usage,
                "--without-layer {}: no layer has that name{}", name,
                text::suggestion(name, layers));
}

// Why a layer that is no candidate stays in floats.
std::string obstacle_of(const Graph& graph, const Node& node, const QuantizeFlags& flags) {
  const QuantizeForm form = flags.form();
  if (holds(flags.without_operators, node.op->name)) return "--without-operator";
  if (!flags.operators.empty() && !holds(flags.operators, node.op->name)) return "--operators";
  if (form == QuantizeForm::halves) {
    if (node.op == &op::LSTM) return "the state of its cells goes in or out";
    if (graph::half_role(graph, node) == graph::HalfRole::island) return "has no form of 16 bits";
    return fmt::format("computes in {}", name(graph.value(node.inputs[0]).type.dtype));
  }
  const bool conv = node.op == &op::Conv, gemm = node.op == &op::Gemm;
  if (!conv && !gemm && node.op != &op::MatMul) return "has no form of integers";
  if (conv && form != QuantizeForm::samples)
    return form == QuantizeForm::dynamic ? "only products are quantised as they come"
                                         : "only weights of products are quantised by themselves";
  const graph::Value &x = graph.value(node.inputs[0]), &w = graph.value(node.inputs[1]);
  if (x.type.dtype != DType::f32) return fmt::format("computes in {}", name(x.type.dtype));
  if (!w.is_constant()) return conv ? "its weights are computed" : "both of its sides are computed";
  if (x.is_constant()) return "its left side is constant";
  if (!conv && w.type.constant.rank() != 2)
    return fmt::format("its weights are of rank {}, not 2", w.type.constant.rank());
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != graph::kNoValue;
  if (has_bias && !graph.value(node.inputs[2]).is_constant()) return "its bias is computed";
  return gemm ? "its alpha, beta, transA or bias is not plain" : "its weights are empty";
}

// Whether a node is named by itself or by a value it makes.
bool is_named(const Graph& graph, const Node& node, const std::vector<std::string>& names) {
  if (!node.name.empty() && holds(names, node.name)) return true;
  return std::ranges::any_of(node.outputs, [&](graph::ValueId id) {
    return id != graph::kNoValue && holds(names, graph.value(id).name);
  });
}

void explain_floats(QuantizedModel& model, const QuantizeFlags& flags,
                    const std::vector<std::string>& put_back) {
  for (const Node& node : model.original.nodes()) {
    const std::string layer = graph::layer_name(model.original, node);
    if (!is_layer(node) || holds(model.layers, layer)) continue;
    const std::string why = holds(put_back, layer)
                                ? fmt::format("--max-accuracy-drop {}", flags.max_drop)
                            : is_named(model.original, node, flags.without_layers)
                                ? "--without-layer"
                                : obstacle_of(model.original, node, flags);
    model.in_floats.push_back({layer, std::string(node.op->name), why});
  }
}

// The first word of a refusal where no layer is left.
void check_any(const QuantizedModel& model, const QuantizeFlags& flags) {
  if (!model.layers.empty()) return;
  const std::string what = model.in_floats.empty()
                               ? "it has no convolutions or products"
                               : fmt::format("{} ({}): {}", model.in_floats[0].layer,
                                             model.in_floats[0].op, model.in_floats[0].why);
  fail(ErrorKind::unsupported,
       "--precision {}: no layer of the model can be {}; {}; leave the option out", flags.precision,
       flags.form() == QuantizeForm::halves ? "computed in " + flags.precision : "quantised", what);
}

std::vector<std::string> product_layers(const Graph& graph,
                                        const std::vector<std::string>& without) {
  Graph copy = graph;
  const graph::Rewriter r(copy, "quantize");
  std::vector<std::string> layers;
  for (const Node& node : copy.nodes())
    if (graph::constant_product(r, node, without)) layers.push_back(graph::layer_name(copy, node));
  return layers;
}

QuantizedModel by_samples(Graph graph, const QuantizeFlags& flags, const Calibration& calibration) {
  QuantizedModel model;
  // Without weights in constants there is nothing to find ranges for.
  const bool any = std::ranges::any_of(
      graph.nodes(), [&](const Node& node) { return graph::is_weighted(graph, node); });
  if (!any) {
    model.original = graph;
    explain_floats(model, flags, {});
    check_any(model, flags);
  }
  const graph::Quantizer quantizer(std::move(graph), calibration.samples, quantize_options(flags));
  model.original = quantizer.original();
  model.layers = quantizer.layers();
  std::vector<std::string> put_back;
  if (!flags.max_drop.empty()) {
    const graph::Metric accuracy = [&](const Graph& one) {
      const std::optional<double> value = calibration.evaluate(one).accuracy;
      TENON_CHECK(value, usage,
                  "--max-accuracy-drop {}: the recipe {} measures no accuracy; give one that "
                  "classifies",
                  flags.max_drop, flags.calibrate);
      return *value;
    };
    graph::LimitedResult result =
        graph::quantize_within(quantizer, calibration.samples, accuracy,
                               parse_share(flags.max_drop, "--max-accuracy-drop"));
    model.quantized = std::move(result.graph);
    model.before = result.before;
    model.after = result.after;
    put_back = std::move(result.in_floats);
    std::erase_if(model.layers, [&](const std::string& layer) { return holds(put_back, layer); });
  } else {
    model.quantized = quantizer.quantize();
  }
  explain_floats(model, flags, put_back);
  if (put_back.empty()) check_any(model, flags);
  if (flags.sensitivity || !flags.html.empty())
    model.errors = graph::layer_errors(quantizer, calibration.samples);
  return model;
}

}  // namespace

QuantizedModel quantize_model(const Graph& graph, const QuantizeFlags& flags,
                              const Calibration& calibration) {
  TENON_CHECK(!is_quantized(graph), usage,
              "--precision {}: the model is quantised already; give the one in floats",
              flags.precision);
  const QuantizeForm form = flags.form();
  Graph clean = cleaned(graph, form);
  check_layers(clean, flags.without_layers);
  if (form == QuantizeForm::samples) return by_samples(std::move(clean), flags, calibration);
  QuantizedModel model;
  if (form == QuantizeForm::halves) {
    graph::InHalves made = graph::to_halves(clean, halves_options(flags));
    model.layers = std::move(made.layers);
    model.quantized = std::move(made.graph);
  } else {
    model.layers = product_layers(clean, flags.without_layers);
    model.quantized = form == QuantizeForm::dynamic
                          ? graph::quantize_dynamic(clean, dynamic_options(flags))
                          : graph::quantize_weights_only(clean, weight_options(flags));
  }
  model.original = std::move(clean);
  explain_floats(model, flags, {});
  check_any(model, flags);
  return model;
}

}  // namespace tenon::cli
