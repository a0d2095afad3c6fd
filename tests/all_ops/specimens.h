// Small graphs of every operator for the tests of passes: calls, what they expand to, and calls
// between neighbours that passes look for.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "sample_inputs.h"

namespace tenon::test {

struct Specimen {
  std::string name;  // "Conv sample 2 [...], padded"
  graph::Graph graph;
  TensorList inputs;
  TensorList expected;  // what the interpreter computes
  // Neighbours round too, and integer arithmetic may be off by one step of its scale.
  Tolerance tolerance{0, 0};  // of floats; zeros: that of each output's type
};

// Of one operator: each of `cases`, with all that is drawn as inputs and with all but the first as
// constants; the same with operators written out, once to thrice; and the samples in f32 below
// `surrounded` between neighbours, where these fit. Fails where a call itself cannot be recorded.
std::vector<Specimen> specimens_of(const std::vector<Case>& cases, size_t surrounded);

// "" when `actual` is what the specimen expects.
std::string difference(const TensorList& actual, const Specimen& specimen);

}  // namespace tenon::test
