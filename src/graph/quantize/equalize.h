// Evening out the scales of convolutions that follow each other: what a channel loses in the first
// one it gains in the second. Exact but for rounding, since Relu keeps positive factors.
#pragma once

#include "graph/graph.h"

namespace tenon::graph {

// Conv, at most a Relu, Conv, where nobody else reads what lies between. Nagel et al., Data-Free
// Quantization through Weight Equalization and Bias Correction, 2019, section 4.1. Returns how many
// pairs there were.
int equalize_layers(Graph& graph);

}  // namespace tenon::graph
