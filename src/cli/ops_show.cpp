// Printing a definition, the shapes of its samples and one of them with its numbers.
#include "cli/ops_show.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "cli/op_facts.h"
#include "cli/ops_coverage.h"
#include "ops/catalog.h"
#include "ops/infer.h"
#include "ops/sample_inputs.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon::cli {

namespace {

constexpr size_t kMaxShapes = 8;
constexpr int64_t kSmallExample = 32;  // elements of all inputs and outputs

struct RunSample {
  SampleCase sample;
  TensorList outputs;

  int64_t elements() const {
    int64_t count = 0;
    for (const TensorList* list : {&sample.inputs, &outputs})
      for (const Tensor& tensor : *list)
        if (tensor.defined()) count += tensor.numel();
    return count;
  }
  bool has_empty() const {
    const auto empty = [](const Tensor& tensor) { return tensor.defined() && tensor.numel() == 0; };
    return std::ranges::any_of(sample.inputs, empty) || std::ranges::any_of(outputs, empty);
  }
};

// One run of each sample, in the type that it is most often used with.
std::vector<RunSample> run_samples(const OpDef& op) {
  const NoGrad no_grad;
  std::vector<RunSample> runs;
  std::optional<size_t> last;
  const auto all = cases_of(op);
  const auto rank = [](const SampleCase& sample) {
    return sample.type == DType::f32 ? 0 : sample.type == DType::i64 ? 1 : 2;
  };
  for (size_t i = 0; i < all.size(); ++i) {
    if (last == all[i].index) continue;
    last = all[i].index;
    size_t best = i;
    for (size_t k = i; k < all.size() && all[k].index == all[i].index; ++k)
      if (rank(all[k]) < rank(all[best])) best = k;
    try {
      manual_seed(0);
      runs.push_back({all[best], op.all(all[best].inputs, all[best].sample->attrs,
                                        all[best].sample->outputs)});
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::bug) throw;
    }
  }
  return runs;
}

const RunSample* choose_example(const std::vector<RunSample>& runs) {
  const RunSample* smallest = nullptr;
  for (const RunSample& run : runs) {
    if (run.has_empty()) continue;
    if (run.elements() <= kSmallExample) return &run;
    if (!smallest || run.elements() < smallest->elements()) smallest = &run;
  }
  return smallest;
}

// "X", or "inputs[2]" of a variadic port.
template <class Ports>
std::string port_name(const Ports& ports, size_t i) {
  if (!ports.size()) return fmt::format("{}", i);
  const Port& port = ports[std::min(i, ports.size() - 1)];
  if (port.arity != Arity::variadic) return std::string(port.name);
  return fmt::format("{}[{}]", port.name, i + 1 - ports.size());
}

std::string type_text(const Tensor& tensor) { return TensorType::of(tensor, false).str(); }

// "X f32[2, 3], W f32[3, 4]"
template <class Ports>
std::string list_text(const Ports& ports, const TensorList& tensors) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].defined())
      texts.push_back(fmt::format("{} {}", port_name(ports, i), type_text(tensors[i])));
  return texts.empty() ? "nothing" : text::join(texts, ", ");
}

template <class Ports>
void print_values(const Ports& ports, const TensorList& tensors) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].defined()) continue;
    const std::string lines = text::replace_all(tensors[i].contiguous().str(), "\n", "\n    ");
    std::printf("  %s = %s\n", port_name(ports, i).c_str(), lines.c_str());
  }
}

std::string call_text(const RunSample& run) {
  const OpDef& op = *run.sample.op;
  std::vector<std::string> words;
  for (size_t i = 0; i < run.sample.inputs.size(); ++i)
    words.push_back(run.sample.inputs[i].defined() ? port_name(op.inputs, i) : "none");
  while (!words.empty() && words.back() == "none") words.pop_back();
  const std::string attrs = run.sample.sample->attrs.str();
  if (!attrs.empty()) words.push_back(attrs);
  return fmt::format("{}({})", op.name, text::join(words, ", "));
}

void print_port(std::string_view what, const OpDef& op, const Port& port) {
  constexpr std::string_view arities[] = {"", ", optional", ", any number"};
  std::printf("  %-9s %-18s %s%s%s\n", std::string(what).c_str(), std::string(port.name).c_str(),
              op.find_type(port.type_var)->set.str().c_str(),
              std::string(arities[static_cast<size_t>(port.arity)]).c_str(),
              port.value ? ", decides the shape" : "");
}

std::string or_none(const std::vector<std::string>& names, const char* none) {
  return names.empty() ? none : text::join(names, ", ");
}

Json tensor_json(std::string name, const Tensor& tensor) {
  Json json = {{"name", std::move(name)},
               {"dtype", tenon::name(tensor.dtype())},
               {"shape", tensor.shape().vector()}};
  if (tensor.numel() > kSmallExample) return json;
  if (tensor.dtype() == DType::string) json["values"] = tensor.to_vector<std::string>();
  if (is_float(tensor.dtype())) json["values"] = tensor.to_vector<double>();
  if (is_int(tensor.dtype()) || tensor.dtype() == DType::boolean)
    json["values"] = tensor.to_vector<int64_t>();
  return json;
}

template <class Ports>
Json tensors_json(const Ports& ports, const TensorList& tensors) {
  Json list = Json::array();
  for (size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].defined()) list.push_back(tensor_json(port_name(ports, i), tensors[i]));
  return list;
}

}  // namespace

void print_op(const OpDef& op) {
  std::printf("%s (%s, opsets %s)\n  %s\n", std::string(op.name).c_str(), domain_of(op).c_str(),
              versions_of(op).c_str(), std::string(op.doc).c_str());
  for (const OpDef* other : op::all())
    if (other != &op && other->name == op.name)
      std::printf("  See also %s.%s.\n", domain_of(*other).c_str(), op.name.data());
  std::printf("\n");
  for (const Port& port : op.inputs) print_port("input", op, port);
  for (const AttrSpec& spec : op.attrs)
    std::printf("  attribute %-18s %s, %s%s\n", std::string(spec.name).c_str(),
                std::string(text_of(spec.type)).c_str(), default_of(spec).c_str(),
                spec.choices.empty()
                    ? ""
                    : (", one of " + text::join(text::split(spec.choices, '|'), ", ")).c_str());
  for (const Port& port : op.outputs) print_port("output", op, port);

  const Coverage coverage = coverage_of(op);
  std::printf("\n  gradient  %s\n  expansion %s\n", gradient_of(op).c_str(),
              op.expand.fn ? "yes" : "none: a primitive");
  std::printf("  cpu       %s\n  reference %s\n",
              or_none(kernel_names(op, Backend::cpu), coverage.cpu().c_str()).c_str(),
              or_none(kernel_names(op, Backend::reference), coverage.reference().c_str()).c_str());
  std::printf("  fast in   %s\n", coverage.fast.bits ? coverage.fast.str().c_str() : "no type");
  if (coverage.partly.bits)
    std::printf("  partly    %s: some calls run on the reference backend\n",
                coverage.partly.str().c_str());
  if (coverage.slow.bits)
    std::printf("  slow in   %s: the reference backend runs them\n", coverage.slow.str().c_str());

  const std::vector<RunSample> runs = run_samples(op);
  std::printf("\nShapes\n");
  for (size_t i = 0; i < std::min(runs.size(), kMaxShapes); ++i) {
    const std::string attrs = runs[i].sample.sample->attrs.str();
    std::printf("  %s%s -> %s\n", list_text(op.inputs, runs[i].sample.inputs).c_str(),
                attrs.empty() ? "" : (", " + attrs).c_str(),
                list_text(op.outputs, runs[i].outputs).c_str());
  }
  if (const RunSample* example = choose_example(runs)) {
    std::printf("\nExample\n");
    print_values(op.inputs, example->sample.inputs);
    std::printf("  %s\n", call_text(*example).c_str());
    print_values(op.outputs, example->outputs);
  }
}

Json op_json(const OpDef& op) {
  const auto ports = [&](const auto& list) {
    Json json = Json::array();
    for (const Port& port : list)
      json.push_back({{"name", port.name},
                      {"types", op.find_type(port.type_var)->set.str()},
                      {"arity", text_of(port.arity)}});
    return json;
  };
  Json attrs = Json::array();
  for (const AttrSpec& spec : op.attrs)
    attrs.push_back(
        {{"name", spec.name}, {"type", text_of(spec.type)}, {"default", default_of(spec)}});
  return {{"name", op.name},
          {"domain", domain_of(op)},
          {"doc", op.doc},
          {"onnx_versions", versions_of(op)},
          {"inputs", ports(op.inputs)},
          {"outputs", ports(op.outputs)},
          {"attributes", attrs},
          {"gradient", gradient_of(op)},
          {"expansion", op.expand.fn != nullptr},
          {"cpu_kernels", kernel_names(op, Backend::cpu)},
          {"reference_kernels", kernel_names(op, Backend::reference)}};
}

Json op_json_with_calls(const OpDef& op) {
  Json json = op_json(op);
  const std::vector<RunSample> runs = run_samples(op);
  Json shapes = Json::array();
  for (const RunSample& run : runs)
    shapes.push_back({{"inputs", list_text(op.inputs, run.sample.inputs)},
                      {"attributes", run.sample.sample->attrs.str()},
                      {"outputs", list_text(op.outputs, run.outputs)}});
  json["shapes"] = std::move(shapes);
  if (const RunSample* example = choose_example(runs))
    json["example"] = {{"call", call_text(*example)},
                       {"inputs", tensors_json(op.inputs, example->sample.inputs)},
                       {"outputs", tensors_json(op.outputs, example->outputs)}};
  return json;
}

}  // namespace tenon::cli
