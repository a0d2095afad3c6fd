// Building the graph with QuantizeLinear and DequantizeLinear in it.
#include "graph/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "graph/pass.h"
#include "graph/passes/catalog.h"
#include "graph/quantization.h"
#include "graph/quantize/equalize.h"
#include "graph/quantize/layers.h"
#include "graph/quantize/observe.h"
#include "graph/quantize/weights.h"
#include "ops/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"

namespace tenon::graph {

namespace {

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Whether a list of layers has the node, by its name or a value's.
bool names_node(const std::vector<std::string>& names, const Graph& graph, const Node& node) {
  if (names.empty()) return false;
  if (holds(names, node.name)) return true;
  return std::ranges::any_of(node.outputs, [&](ValueId id) {
    return id != kNoValue && holds(names, graph.value(id).name);
  });
}

// What must be done before weights are rounded; passes that fuse come later, around integers.
Graph cleaned(Graph graph) {
  for (size_t v = 0; v < graph.values().size(); ++v)
    graph.value(static_cast<ValueId>(v)).parameter = false;
  PassOptions options;
  for (const Pass* pass : passes::all())
    for (std::string_view name : {"drop_identity", "fold_constants", "simplify", "merge_common",
                                  "pad_into_conv", "fuse_conv_batch_norm"})
      if (pass->name == name) options.only.emplace_back(name);
  run_passes(graph, options);
  return graph;
}

void check_operators(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const OpDef* op : op::all()) known.emplace_back(op->name);
  for (const std::string& name : names)
    TENON_CHECK(holds(known, name), usage, "quantize: no operator is named {}{}; see tenon ops",
                name, text::did_you_mean(name, known));
}

// The scale and zero point of activations of a range.
struct Steps {
  float scale = 1;
  int64_t zero = 0;
  DType type = DType::u8;
};
Steps steps_of(Range range, bool symmetric) {
  Steps steps;
  if (symmetric) {
    steps.type = DType::i8;
    const double most = std::max(-range.low, range.high);
    if (most > 0) steps.scale = static_cast<float>(most / 127);
    return steps;
  }
  if (range.high > range.low) steps.scale = static_cast<float>((range.high - range.low) / 255);
  steps.zero = std::clamp<int64_t>(
      static_cast<int64_t>(std::nearbyint(-range.low / static_cast<double>(steps.scale))), 0, 255);
  return steps;
}

// The range of everything in a constant.
Range range_of(const Tensor& constant) {
  Histogram histogram;
  const Tensor x = constant.contiguous();
  histogram.add({x.data<float>(), static_cast<size_t>(x.numel())});
  return histogram.extremes();
}

class Builder {
 public:
  Builder(const Graph& from, const LayerPlan& plan, const Observations& seen,
          const QuantizeOptions& options)
      : from_(from),
        plan_(plan),
        seen_(seen),
        options_(options),
        plain_(from.values().size(), kNoValue),
        quantized_(from.values().size(), kNoValue) {}

  Graph run() {
    to_.name = from_.name;
    for (ValueId id : from_.inputs) {
      plain_[at(id)] = to_.add_input(from_.value(id).name, from_.value(id).type);
      define(id);
    }
    for (const Node& node : from_.nodes()) add(node);
    for (ValueId id : from_.outputs) {
      const ValueId made = plain(id);
      to_.outputs.push_back(made);
      if (to_.value(made).name != from_.value(id).name && !is_input(made))
        to_.rename(made, from_.value(id).name);
    }
    to_.remove_unused();
    return std::move(to_);
  }

 private:
  static size_t at(ValueId id) { return static_cast<size_t>(id); }
  bool is_input(ValueId id) const { return std::ranges::find(to_.inputs, id) != to_.inputs.end(); }

  ValueId constant(const Tensor& contents, const std::string& name) {
    return to_.add_constant(name, contents);
  }
  ValueId node(const OpDef& op, std::vector<ValueId> inputs, const Attrs& attrs = {}) {
    const std::string name = name_.empty() ? name_ : fmt::format("{}_{}", name_, op.name);
    return to_.node(to_.add_node(op, attrs, std::move(inputs), 1, name, origin_)).outputs[0];
  }

  // What readers in floats read.
  ValueId plain(ValueId id) {
    if (id == kNoValue) return kNoValue;
    if (plain_[at(id)] == kNoValue) {
      const Value& value = from_.value(id);
      TENON_BUG_IF(!value.is_constant(), "value {} is read before it is made", value.name);
      plain_[at(id)] = constant(value.type.constant, value.name);
    }
    return plain_[at(id)];
  }

  ValueId pair(ValueId real, const Steps& steps, const std::string& name) {
    const ValueId scale =
        constant(Tensor::scalar(static_cast<double>(steps.scale)), name + "_scale");
    const ValueId zero =
        constant(Tensor::scalar(static_cast<double>(steps.zero), steps.type), name + "_zero_point");
    const ValueId bytes = node(op::QuantizeLinear, {real, scale, zero});
    to_.rename(bytes, name + "_quantized");
    const ValueId again = node(op::DequantizeLinear, {bytes, scale, zero});
    to_.rename(again, name + "_dequantized");
    return again;
  }

  Steps steps(ValueId id) const {
    const Histogram& histogram = seen_.histograms[at(plan_.range_of[at(id)])];
    return steps_of(histogram.range(options_.calibrator, options_.percentile, 256),
                    options_.symmetric_activations);
  }

  // A value has been made: quantised and dequantised where the plan says so.
  void define(ValueId id) {
    if (!plan_.is_quantized(id)) return;
    quantized_[at(id)] = pair(plain_[at(id)], steps(id), from_.value(id).name);
    if (plan_.for_all[at(id)]) plain_[at(id)] = quantized_[at(id)];
  }

  // What an integer operator reads.
  ValueId read(ValueId id) {
    if (id == kNoValue) return kNoValue;
    if (quantized_[at(id)] != kNoValue) return quantized_[at(id)];
    const Value& value = from_.value(id);
    if (!value.is_constant() || value.type.dtype != DType::f32) return plain(id);
    quantized_[at(id)] =
        pair(plain(id), steps_of(range_of(value.type.constant), options_.symmetric_activations),
             value.name);
    return quantized_[at(id)];
  }

  void add(const Node& given) {
    name_ = given.name;
    origin_ = given.origin;
    const LayerPart part = plan_.part(static_cast<NodeId>(&given - from_.nodes().data()));
    std::vector<ValueId> inputs;
    if (part == LayerPart::weighted) {
      inputs = weighted_inputs(given);
    } else {
      const bool bounded = given.op->name == "Clip";
      for (size_t i = 0; i < given.inputs.size(); ++i)
        inputs.push_back(part == LayerPart::compute && !(bounded && i > 0)
                             ? read(given.inputs[i])
                             : plain(given.inputs[i]));
    }
    const NodeId made = to_.add_node(*given.op, given.attrs, std::move(inputs),
                                     given.outputs.size(), name_, origin_);
    for (size_t i = 0; i < given.outputs.size(); ++i) {
      const ValueId id = given.outputs[i];
      if (id == kNoValue) continue;
      const ValueId output = to_.node(made).outputs[i];
      plain_[at(id)] = output;
      to_.rename(output, from_.value(id).name);
      define(id);
    }
  }

  // Activations, i8 weights and i32 biases, all dequantised.
  std::vector<ValueId> weighted_inputs(const Node& given) {
    const ValueId x = read(given.inputs[0]);
    const float x_scale = scale_of(x);
    const Tensor& w = from_.value(given.inputs[1]).type.constant;
    const bool has_bias = given.inputs.size() > 2 && given.inputs[2] != kNoValue;
    const Tensor bias = has_bias ? from_.value(given.inputs[2]).type.constant : Tensor();
    WeightOptions how{weight_axis(given), options_.reduced_range ? 63 : 127, options_.per_channel};
    const IntegerWeights integers = quantize_weights(w, bias, x_scale, how);
    const std::string name = from_.value(given.inputs[1]).name;
    const ValueId scale = constant(integers.scale, name + "_scale");
    const Attrs axis{{"axis", how.axis}};
    const ValueId zero =
        constant(Tensor::zeros(integers.scale.shape(), DType::i8), name + "_zero_point");
    std::vector<ValueId> inputs{
        x, node(op::DequantizeLinear, {constant(integers.bytes, name + "_quantized"), scale, zero},
                axis)};
    Tensor corrected = bias;
    if (options_.correct_bias && given.op->name != "MatMul")
      corrected = correct(given, w, bias, integers, how.axis);
    if (!corrected.defined()) return inputs;
    const IntegerBias sums = quantize_bias(corrected, integers.scale, x_scale);
    const std::string of = has_bias ? from_.value(given.inputs[2]).name : name + "_bias";
    inputs.push_back(
        node(op::DequantizeLinear,
             {constant(sums.sums, of + "_quantized"), constant(sums.scale, of + "_scale")},
             {{"axis", 0}}));
    return inputs;
  }

  // The scale of a dequantised value of the new graph.
  float scale_of(ValueId dequantized) const {
    const Node& maker = to_.node(to_.value(dequantized).producer);
    return to_.value(maker.inputs[1]).type.constant.item<float>();
  }

  Tensor correct(const Node& given, const Tensor& w, const Tensor& bias,
                 const IntegerWeights& integers, int64_t axis) const {
    const auto means = seen_.means.find(given.inputs[0]);
    if (means == seen_.means.end()) return bias;
    const int64_t groups = given.op == &op::Conv ? Call{*given.op, given.attrs}.i("group") : 1;
    return corrected_bias(w, bias, integers, {axis, groups, means->second});
  }

  const Graph& from_;
  const LayerPlan& plan_;
  const Observations& seen_;
  const QuantizeOptions& options_;
  Graph to_;
  std::vector<ValueId> plain_, quantized_;  // by value of `from_`
  std::string name_, origin_;               // of the node being added
};

}  // namespace

struct Quantizer::State {
  Graph graph;
  QuantizeOptions options;
  Observations seen;

  bool may(const Node& node) const {
    if (!options.operators.empty() && !holds(options.operators, node.op->name)) return false;
    if (holds(options.without_operators, node.op->name)) return false;
    if (names_node(options.without_layers, graph, node)) return false;
    if (options.layers.empty() || !is_weighted(graph, node)) return true;
    return names_node(options.layers, graph, node);
  }
  LayerPlan plan(const std::function<bool(const Node&)>& also) const {
    return plan_layers(graph, [&](const Node& node) { return may(node) && also(node); });
  }
  Graph build(const LayerPlan& layers) const { return Builder(graph, layers, seen, options).run(); }
};

Quantizer::Quantizer(Graph graph, const Dataset& samples, QuantizeOptions options)
    : state_(std::make_unique<State>()) {
  check_operators(options.operators);
  check_operators(options.without_operators);
  state_->options = std::move(options);
  state_->graph = cleaned(std::move(graph));
  if (state_->options.equalize) equalize_layers(state_->graph);
  // Everything that some choice of layers may quantise is observed once.
  state_->seen = observe(state_->graph, state_->plan([](const Node&) { return true; }), samples);
}
Quantizer::~Quantizer() = default;
Quantizer::Quantizer(Quantizer&&) noexcept = default;
Quantizer& Quantizer::operator=(Quantizer&&) noexcept = default;

const Graph& Quantizer::original() const { return state_->graph; }

std::vector<std::string> Quantizer::layers() const {
  std::vector<std::string> names;
  const LayerPlan plan = state_->plan([](const Node&) { return true; });
  for (size_t n = 0; n < plan.parts.size(); ++n)
    if (plan.parts[n] == LayerPart::weighted)
      names.push_back(layer_name(state_->graph, state_->graph.nodes()[n]));
  return names;
}

Graph Quantizer::quantize(const std::vector<std::string>& without) const {
  return state_->build(
      state_->plan([&](const Node& node) { return !names_node(without, state_->graph, node); }));
}

Graph Quantizer::quantize_only(const std::vector<std::string>& only) const {
  return state_->build(
      state_->plan([&](const Node& node) { return names_node(only, state_->graph, node); }));
}

Graph quantize(const Graph& graph, const Dataset& samples, const QuantizeOptions& options) {
  return Quantizer(graph, samples, options).quantize();
}

}  // namespace tenon::graph
