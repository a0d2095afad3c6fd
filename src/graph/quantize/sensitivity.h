// How much each layer suffers from 8 bits, and which are better left in floats.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/quantize/quantize.h"

namespace tenon::graph {

struct LayerError {
  std::string layer;
  // Of the graph's first output, when this layer alone is quantised, over all samples.
  double signal_to_noise = 0;  // in dB: 10 log10(sum of squares / sum of squared differences)
  double largest = 0;          // the largest difference over the largest element
};
// Most harmful first.
std::vector<LayerError> layer_errors(const Quantizer& quantizer, const Dataset& samples);

// How good a graph is: accuracy, say; larger is better.
using Metric = std::function<double(const Graph&)>;

struct LimitedResult {
  Graph graph;
  double before = 0, after = 0;        // the metric in floats, and of the graph
  std::vector<std::string> in_floats;  // layers that were left so, most harmful first
};
// Leaves as few of the most harmful layers in floats as it takes to lose at most `limit` of the
// metric. Where even none quantised loses more (which is the metric's noise), all are in floats.
LimitedResult quantize_within(const Quantizer& quantizer, const Dataset& samples,
                              const Metric& metric, double limit);

}  // namespace tenon::graph
