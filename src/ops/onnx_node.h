// A node as an ONNX file spells it, between the file and the canonical operator.
#pragma once

#include <string>

#include "ops/op.h"

namespace tenon {

// Import: `inputs` are the graph's tensors (constants are concrete, the rest symbolic), `attrs`
// are those of the file, and an upgrade returns the outputs, made with canonical operators.
// Export: a canonical node that `lower` rewrites in place for `opset`.
struct OnnxNode {
  std::string name;
  std::string domain;
  std::string op_type;
  int opset = 0;
  TensorList inputs;  // undefined where the file has an empty name
  Attrs attrs;
  size_t output_count = 1;

  // The elements of input `i`, which must be a constant; fails (unsupported) naming the node if
  // not.
  std::vector<int64_t> constant_ints(size_t i) const;
  bool has_input(size_t i) const { return i < inputs.size() && inputs[i].defined(); }
};

namespace upgrade {
// The older form is the canonical one with fewer types: the node is taken as it is.
TensorList as_is(const OnnxNode& node);
// `broadcast` and `axis` of opsets 1 to 6 become NumPy broadcasting.
TensorList legacy_broadcast(const OnnxNode& node);
// An attribute that became an input: ints at `attr` move to input `at`.
TensorList attr_to_input(const OnnxNode& node, std::string_view attr, size_t at);
}  // namespace upgrade

namespace lower {
// Reverse of attr_to_input for a constant input; refuses (unsupported) a computed one.
void input_to_attr(OnnxNode& node, size_t at, std::string_view attr);
}  // namespace lower

}  // namespace tenon
