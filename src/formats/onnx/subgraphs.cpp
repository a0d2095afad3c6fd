#include "formats/onnx/subgraphs.h"

#include <algorithm>

#include "ops/catalog.h"
#include "ops/control/body.h"

namespace tenon::formats {

namespace {

// Without sizes and contents; `dropped` axes less.
TensorType of_any_size(const TensorType& type, size_t dropped = 0) {
  TensorType general = common_type(type, type);
  if (!general.ranked || is_container(type.dtype)) return general;
  general.dims.assign(general.dims.size() - std::min(general.dims.size(), dropped), Dim::unknown());
  return general;
}

}  // namespace

std::vector<TensorType> formal_types(std::string_view op_type, const Attrs& attrs,
                                     std::span<const TensorType> inputs) {
  std::vector<TensorType> types;
  if (op_type == "Loop") {
    types = {control::scalar_of(DType::i64), control::scalar_of(DType::boolean)};
    for (size_t i = 2; i < inputs.size(); ++i) types.push_back(of_any_size(inputs[i]));
  } else if (op_type == "Scan") {
    const AttrValue* given = attrs.find("num_scan_inputs");
    const auto* count = given ? std::get_if<int64_t>(given) : nullptr;
    const size_t scans = count && *count > 0 ? static_cast<size_t>(*count) : 0;
    for (size_t i = 0; i < inputs.size(); ++i)
      types.push_back(of_any_size(inputs[i], i + scans >= inputs.size() ? 1 : 0));
  } else if (op_type == "SequenceMap") {
    for (const TensorType& input : inputs)
      types.push_back(input.dtype == DType::sequence && input.element ? of_any_size(*input.element)
                                                                      : of_any_size(input));
  }
  return types;
}

bool ranks_change(std::string_view op_type, const graph::Graph& body, size_t carried) {
  if (op_type != "Loop") return false;
  for (size_t i = 0; i < carried && i + 1 < body.outputs.size() && i + 2 < body.inputs.size();
       ++i) {
    const TensorType& before = body.value(body.inputs[i + 2]).type;
    const TensorType& after = body.value(body.outputs[i + 1]).type;
    if (before.ranked && (!after.ranked || before.dims.size() != after.dims.size())) return true;
  }
  return false;
}

std::vector<CapturedValue> share_captures(std::vector<ImportedSubgraph>& subgraphs) {
  std::vector<CapturedValue> all;
  for (const ImportedSubgraph& subgraph : subgraphs)
    for (const CapturedValue& capture : subgraph.captures)
      if (std::ranges::find(all, capture.name, &CapturedValue::name) == all.end())
        all.push_back(capture);
  for (ImportedSubgraph& subgraph : subgraphs) {
    graph::Graph& graph = *subgraph.graph;
    const size_t formal = graph.inputs.size() - subgraph.captures.size();
    const std::vector<graph::ValueId> own(graph.inputs.begin() + static_cast<ptrdiff_t>(formal),
                                          graph.inputs.end());
    graph.inputs.resize(formal);
    for (const CapturedValue& capture : all) {
      const auto at = std::ranges::find(subgraph.captures, capture.name, &CapturedValue::name);
      if (at != subgraph.captures.end()) {
        graph.inputs.push_back(own[static_cast<size_t>(at - subgraph.captures.begin())]);
      } else {
        TensorType type;
        type.dtype = capture.tensor.dtype();
        type.ranked = false;
        if (is_container(type.dtype))
          type = TensorType{.dtype = type.dtype, .dims = {Dim::unknown()}};
        graph.add_input(capture.name, std::move(type));
      }
    }
  }
  return all;
}

TensorList scan_of_opset_8(const OnnxNode& node, graph::Recorder& recorder) {
  TENON_CHECK(
      !node.has_input(0), unsupported,
      "Scan '{}': it gives sequence_lens, which opset 9 has not; pad the sequences and convert "
      "the model to opset 9",
      node.name);
  const AttrValue* given = node.attrs.find("num_scan_inputs");
  const auto* scans = given ? std::get_if<int64_t>(given) : nullptr;
  const AttrValue* shared = node.attrs.find("captures");
  const int64_t captures = shared ? std::get<int64_t>(*shared) : 0;
  const auto count = static_cast<int64_t>(node.inputs.size()) - 1 - captures;
  TENON_CHECK(scans && *scans >= 1 && *scans <= count, data,
              "Scan '{}': num_scan_inputs does not fit {} inputs; the file is damaged", node.name,
              count);

  const AttrValue* held = node.attrs.find("body");
  TENON_CHECK(held, data, "Scan '{}': it has no body; the file is damaged", node.name);
  std::vector<Attr> inner{{"num_scan_inputs", *scans}, {"captures", captures}, {"body", *held}};
  if (const AttrValue* directions = node.attrs.find("directions"))
    inner.emplace_back("scan_input_directions", *directions);
  const auto per_item = graph::Recorder::create("batch item");
  TensorList items;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    TensorType type = recorder.type_of(node.inputs[i]);
    type.constant = Tensor();
    type.values.reset();
    if (i <= static_cast<size_t>(count) && type.ranked && !type.dims.empty())
      type.dims.erase(type.dims.begin());
    items.push_back(per_item->input("x" + std::to_string(i), std::move(type)));
  }
  const auto body = std::make_shared<graph::Graph>(
      per_item->finish(op::Scan.all(items, Attrs(std::move(inner)), node.output_count), {}));

  std::vector<const Tensor*> inputs;
  for (size_t i = 1; i < node.inputs.size(); ++i) inputs.push_back(&node.inputs[i]);
  return recorder.record(op::Scan, inputs,
                         {{"body", std::shared_ptr<const Subgraph>(body)},
                          {"num_scan_inputs", count},
                          {"captures", captures}},
                         node.output_count);
}

}  // namespace tenon::formats
