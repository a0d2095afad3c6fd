// Runs the graph on symbolic tensors with recording on, then walks back: both end up in a new
// graph.
#include "graph/differentiate.h"

#include "autograd/autograd.h"
#include "graph/capture.h"
#include "graph/interpreter.h"

namespace tenon::graph {

Graph differentiate(const Graph& graph, size_t loss) {
  TENON_CHECK(loss < graph.outputs.size(), usage,
              "differentiate: output {} asked for; the graph has {}", loss, graph.outputs.size());
  const auto recorder = Recorder::create(graph.name + ".grad");
  TensorList inputs, parameters;
  std::vector<std::string> names;
  for (ValueId id : graph.outputs) names.push_back(graph.value(id).name);
  for (ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    inputs.push_back(recorder->input(value.name, value.type.dtype, value.type.dims));
  }
  Interpreter interpreter(graph);
  for (size_t v = 0; v < graph.values().size(); ++v) {
    const Value& value = graph.values()[v];
    if (!value.parameter) continue;
    Tensor parameter = recorder->input(value.name, value.type.dtype, value.type.dims);
    parameter.requires_grad_();
    interpreter.set_constant(static_cast<ValueId>(v), parameter);
    parameters.push_back(parameter);
    names.push_back("grad(" + value.name + ")");
  }
  TENON_CHECK(!parameters.empty(), usage,
              "differentiate: graph {} has no parameters; mark some as such", graph.name);
  const GradMode recording(true);
  TensorList outputs = interpreter.run(inputs);
  for (Tensor& gradient : autograd::grad({outputs[loss]}, parameters))
    outputs.push_back(std::move(gradient));
  return recorder->finish(outputs, names);
}

}  // namespace tenon::graph
