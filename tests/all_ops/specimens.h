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
  // Results of integer arithmetic may be off by one step of the output's scale; 0: of none.
  double step = 0;
};

// Of one operator: each of `cases`, with all that is drawn as inputs and with all but the first as
// constants; the same expanded once, twice and thrice; and, for calls in f32, in each surrounding
// that fits. Fails where a call itself cannot be recorded.
std::vector<Specimen> specimens_of(const std::vector<Case>& cases);

// "" when `actual` is what the specimen expects.
std::string difference(const TensorList& actual, const Specimen& specimen);

}  // namespace tenon::test
