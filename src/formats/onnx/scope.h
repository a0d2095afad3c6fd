// The names of one ONNX graph or function body while it is imported.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/capture.h"

namespace tenon::formats {

class FunctionCall;

// A graph being recorded, and which of its values have the file's names already.
struct Recording {
  std::shared_ptr<graph::Recorder> recorder;
  std::unordered_set<graph::ValueId> named;
};

// A value of the graph around that a subgraph uses.
struct CapturedValue {
  std::string name;
  Tensor tensor;  // of the graph around
};

class Scope {
 public:
  // `where` ("model.onnx", "then_branch of node a of model.onnx") is used in messages.
  Scope(Recording& recording, std::string where)
      : recording_(&recording), where_(std::move(where)) {}

  // Inside a subgraph: what is not found here is looked up in the graph around, and becomes an
  // input.
  Scope* outer = nullptr;
  // Inside a function: the attributes of its call. Values of a function body keep made-up names.
  const FunctionCall* call = nullptr;
  bool keeps_names = true;
  std::vector<CapturedValue> captures;

  const std::string& where() const { return where_; }
  graph::Recorder& recorder() const { return *recording_->recorder; }
  Recording& recording() const { return *recording_; }

  bool has(const std::string& name) const { return values_.contains(name); }
  // False when the name is taken.
  bool add(const std::string& name, Tensor tensor) {
    return values_.emplace(name, std::move(tensor)).second;
  }
  // Null when nothing of that name is to be seen from here.
  const Tensor* look_up(const std::string& name);
  // Fails (data) naming the reader when there is nothing ("did you mean").
  const Tensor& find(const std::string& name, std::string_view reader);
  // Lets a value of the graph have the file's name, unless it has one from the file already.
  void name_value(const Tensor& tensor, const std::string& name);

 private:
  Recording* recording_;
  std::string where_;
  std::unordered_map<std::string, Tensor> values_;
};

}  // namespace tenon::formats
