// ONNX's backend tests: folders NAME/model.onnx with test_data_set_N/input_I.pb and output_I.pb
// (https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md), and running them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tensor/tensor.h"

namespace tenon::formats {

struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

// Why two tensors are not the same: type, shape, or the first element that differs and how many do;
// nothing when they agree. Floats agree when |got - expected| <= absolute + relative * |expected|,
// NaN with NaN and infinities with themselves; everything else must be equal.
std::optional<std::string> difference(const Tensor& got, const Tensor& expected,
                                      const Tolerance& tolerance);

struct BackendTest {
  std::string
      name;  // its folder's path below the one that was searched: "test_abs", "node/test_abs"
  std::string folder;
};
// The tests at or below a folder, at any depth, by name. Fails (resource) where it cannot be read.
std::vector<BackendTest> find_backend_tests(const std::string& folder);

struct BackendResult {
  enum class Verdict { passed, failed, not_applicable };
  Verdict verdict = Verdict::passed;
  std::string reason = {};                  // of a failure
  bool refused = false;                     // the failure is a refusal: of kind unsupported
  std::vector<std::string> obstacles = {};  // import_obstacles(), why it is not applicable
};

// How a graph is run; the interpreter unless given.
using RunGraph = std::function<TensorList(const graph::Graph&, const TensorList&)>;

// Imports the model and runs every data set of the test. Never throws for what a test has or does.
// Outputs that depend on random numbers are compared in type and shape only.
BackendResult run_backend_test(const BackendTest& test, const Tolerance& tolerance = {},
                               const RunGraph& run = {});

}  // namespace tenon::formats
