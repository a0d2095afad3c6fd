// Quantisation to 8 bits, said in the graph: QuantizeLinear and DequantizeLinear stand around the
// operators that have an integer form, so that the result is an ordinary graph which exports to
// ONNX and which the passes move_qdq and fold_qdq make operators of integers of.
//
//   graph::Quantizer quantizer(std::move(graph), {batches.size(), [&](size_t i) { return
//   batches[i]; }}); graph::Graph quantized = quantizer.quantize();
//
// Weights are i8, symmetric, with a scale for each map or column; biases are i32 in steps of the
// sums; activations are u8 with a zero point, one scale for a tensor, whose range is found on
// samples.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/quantize/histogram.h"

namespace tenon::graph {

// Samples that the graph is run on: one tensor an input.
struct Dataset {
  size_t size = 0;
  std::function<TensorList(size_t)> get;
};

struct QuantizeOptions {
  Calibrator calibrator = Calibrator::min_max;
  double percentile = 99.99;
  // i8 around 0 for activations instead of u8 with a zero point.
  bool symmetric_activations = false;
  // Weights of 7 bits: what processors without VNNI multiply with u8 without overflow.
  bool reduced_range = false;
  bool per_channel = true;  // false: one scale for each weight tensor
  // Operator types ("Conv") to quantise; empty: all that can be.
  std::vector<std::string> operators = {};
  std::vector<std::string> without_operators = {};
  // Names of nodes, or of the values that they make.
  std::vector<std::string> layers = {};  // when not empty: no others
  std::vector<std::string> without_layers = {};
  // Scales of convolutions that follow each other are evened out first: Nagel et al., Data-Free
  // Quantization through Weight Equalization and Bias Correction, 2019, section 4.1.
  bool equalize = false;
  // Biases make up for the mean error of rounded weights (section 4.2 of the same).
  bool correct_bias = true;
};

class Quantizer {
 public:
  // Cleans the graph (constants folded, batch normalisation merged into weights), evens it out and
  // runs it on the samples. Fails (usage) without samples, or on unknown names of operators.
  Quantizer(Graph graph, const Dataset& samples, QuantizeOptions options = {});
  ~Quantizer();
  Quantizer(Quantizer&&) noexcept;
  Quantizer& operator=(Quantizer&&) noexcept;

  // The graph in floats, as it was cleaned.
  const Graph& original() const;
  // The layers with weights that quantize() makes integers of, in the order in which they run.
  std::vector<std::string> layers() const;
  // Leaves the layers `without` in floats; with `only`, all but those.
  Graph quantize(const std::vector<std::string>& without = {}) const;
  Graph quantize_only(const std::vector<std::string>& only) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Graph quantize(const Graph& graph, const Dataset& samples, const QuantizeOptions& options = {});

}  // namespace tenon::graph
