// A model in another precision: which layers, which not and why.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/calibration.h"
#include "cli/quantize_options.h"
#include "graph/graph.h"
#include "graph/quantize/sensitivity.h"

namespace tenon::cli {

struct FloatLayer {
  std::string layer, op, why;  // "conv1", "Conv", "--without-layer"
};

struct QuantizedModel {
  graph::Graph original;            // cleaned up, in floats
  graph::Graph quantized;           // with operators that other runtimes know
  std::vector<std::string> layers;  // that compute in the new precision
  std::vector<FloatLayer> in_floats;
  std::vector<graph::LayerError> errors = {};     // --sensitivity: most harmful first
  std::optional<double> before = {}, after = {};  // accuracies, with --max-accuracy-drop
};

// Flags of a form other than none and automatic. Fails (unsupported) where there is nothing to quantise, (usage)
// on unknown layers.
QuantizedModel quantize_model(const graph::Graph& graph, const QuantizeFlags& flags,
                              const Calibration& calibration);

}  // namespace tenon::cli
