// Models to measure: folders with model.onnx and recorded inputs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tensor/tensor.h"

namespace bench {

struct ModelCase {
  std::string name, path;
  int64_t batch = 1;
  bool stretched = false;  // the inputs are not those recorded, but their first item repeated
  std::vector<std::string> input_names;
  tenon::TensorList inputs;
};

// The folders below `folder` that hold a model, as paths, by name. None where there is no such
// folder.
std::vector<std::string> find_models(const std::string& folder);

// The model with inputs for `batch` items: those that meta.json names ("cases": [{"inputs":
// [{"name", "file"}]}]), random ones where there is none. Nothing where the model's first axis is
// fixed at another size.
std::optional<ModelCase> make_case(const std::string& folder, int64_t batch);

// To a folder and back, so that another process has the inputs without reading the model.
void write_case(const ModelCase& made, const std::string& folder);
ModelCase read_case(const std::string& folder);

}  // namespace bench
