// Running a graph on samples to learn the distributions of its values.
#pragma once

#include <unordered_map>
#include <vector>

#include "graph/quantize/layers.h"
#include "graph/quantize/quantize.h"

namespace tenon::graph {

struct Observations {
  std::vector<Histogram> histograms;  // by value; empty where nobody asked
  // Of what weighted nodes read: the mean of each channel (axis 1 of Conv, else the last axis).
  std::unordered_map<ValueId, std::vector<double>> means;
};

// Of the values that the plan quantises. Fails (usage) without samples.
Observations observe(const Graph& graph, const LayerPlan& plan, const Dataset& samples);

}  // namespace tenon::graph
