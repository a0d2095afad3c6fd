// Reading, or drawing, what a model is fed.
#include "cli/model_inputs.h"

#include <set>

#include "base/text.h"
#include "runtime/random.h"
#include "tensor/npy.h"

namespace tenon::cli {

namespace {

// Bytes are mostly pixels; larger integers, indices of tables that may have two rows (BERT's
// token_type_ids).
double end_of_random(DType integer) { return size_of(integer) == 1 ? 128 : 2; }

std::string list_inputs(const graph::Graph& graph) {
  std::vector<std::string> lines;
  for (graph::ValueId id : graph.inputs)
    lines.push_back(graph.value(id).name + ": " + graph.value(id).type.str());
  return text::join(lines, ", ");
}

}  // namespace

TensorList read_inputs(const graph::Graph& graph, const std::vector<std::string>& given) {
  TensorList inputs(graph.inputs.size());
  std::vector<std::string> names;
  for (graph::ValueId id : graph.inputs) names.push_back(graph.value(id).name);
  for (const std::string& pair : given) {
    // A name may hold '=' itself: the longest known name that fits wins.
    size_t at = names.size(), cut = 0;
    for (size_t i = 0; i < names.size(); ++i)
      if (pair.starts_with(names[i] + "=") && names[i].size() >= cut)
        at = i, cut = names[i].size() + 1;
    const bool bare = pair.find('=') == std::string::npos;
    if (bare && names.size() == 1) at = 0, cut = 0;
    if (at == names.size()) {
      const std::string name = pair.substr(0, pair.find('='));
      const std::string near = text::did_you_mean(name, names);
      fail(ErrorKind::usage, "--input {}: the model has no input '{}'; {}its inputs are {}", pair,
           name, near.empty() ? "" : fmt::format("did you mean '{}'? ", near), list_inputs(graph));
    }
    TENON_CHECK(!inputs[at].defined(), usage, "--input {}: input '{}' is given twice; give it once",
                pair, names[at]);
    inputs[at] = npy::read_file(pair.substr(cut));
  }
  std::vector<std::string> missing;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].defined()) missing.push_back(names[i]);
  TENON_CHECK(missing.empty(), usage,
              "no value for input {}; give --input NAME=FILE.npy for each of {}",
              text::join(missing, ", "), list_inputs(graph));
  return inputs;
}

void check_sizes(const graph::Graph& graph, const Dim::Bindings& sizes) {
  if (sizes.empty()) return;
  std::set<std::string> known;
  for (const graph::Value& value : graph.values())
    for (const Dim& dim : value.type.dims)
      for (const std::string& symbol : dim.symbols()) known.insert(symbol);
  for (const auto& [name, size] : sizes) {
    if (known.contains(name)) continue;
    const std::string near = text::did_you_mean(name, known);
    fail(ErrorKind::usage, "--dim {}={}: the model has no axis named '{}'; {}", name, size, name,
         known.empty()   ? "all its axes are fixed or without a name, leave --dim out"
         : !near.empty() ? fmt::format("did you mean '{}'?", near)
                         : fmt::format("its named axes are {}", text::join(known, ", ")));
  }
}

TensorList random_inputs(const graph::Graph& graph, const Dim::Bindings& sizes, uint64_t seed,
                         int64_t unnamed_batch) {
  check_sizes(graph, sizes);
  manual_seed(seed);
  TensorList inputs;
  for (graph::ValueId id : graph.inputs) {
    const graph::Value& value = graph.value(id);
    TENON_CHECK(value.type.ranked, usage,
                "input {} has no shape to draw random values for; give --input", value.name);
    Shape shape;
    for (const Dim& dim : value.type.dims) {
      Dim::Bindings bound = sizes;
      for (const std::string& symbol : dim.symbols()) bound.emplace(symbol, 1);
      shape.push_back(dim.eval(bound).value_or(shape.empty() ? unnamed_batch : 1));
    }
    Tensor input = Tensor::empty(shape, value.type.dtype);
    TENON_CHECK(value.type.dtype != DType::string, usage, "input {} holds strings; give --input",
                value.name);
    input.copy_from(is_float(value.type.dtype) ? randn(shape)
                                               : rand(shape, 0, end_of_random(value.type.dtype)));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

TensorList random_batch(const graph::Graph& graph, Dim::Bindings sizes, int64_t batch,
                        uint64_t seed) {
  TENON_CHECK(!graph.inputs.empty() && graph.value(graph.inputs[0]).type.ranked &&
                  !graph.value(graph.inputs[0]).type.dims.empty(),
              usage, "--batch {}: the model's first input has no first axis; leave --batch out",
              batch);
  const graph::Value& first = graph.value(graph.inputs[0]);
  const Dim& axis = first.type.dims[0];
  TENON_CHECK(
      !axis.is_const() || axis.value() == batch, usage,
      "--batch {}: input {} is {}, fixed at {}; leave --batch out, or export the model with a "
      "dynamic first axis",
      batch, first.name, first.type.str(), axis.value());
  const std::vector<std::string> symbols = axis.symbols();
  if (symbols.size() == 1 && axis == Dim::symbol(symbols[0])) {
    const auto [at, is_new] = sizes.emplace(symbols[0], batch);
    TENON_CHECK(is_new || at->second == batch, usage,
                "--batch {}: --dim says {}={}, which is the same axis; give one of them", batch,
                symbols[0], at->second);
  }
  TensorList inputs = random_inputs(graph, sizes, seed, batch);
  TENON_CHECK(batch_of(inputs) == batch, usage,
              "--batch {}: the first axis of input {} is {}; give its sizes with --dim", batch,
              first.name, axis.str());
  return inputs;
}

int64_t batch_of(const TensorList& inputs) {
  return inputs.empty() || is_container(inputs[0].dtype()) || inputs[0].rank() == 0
             ? 1
             : inputs[0].size(0);
}

TensorList given_inputs(const graph::Graph& graph, const std::vector<std::string>& files,
                        std::optional<uint64_t> seed, const std::vector<std::string>& sizes) {
  TENON_CHECK(!seed || files.empty(), usage, "--random and --input exclude each other; give one");
  TENON_CHECK(sizes.empty() || files.empty(), usage,
              "--dim is for random inputs, and --input gives sizes of its own; give one of them");
  return files.empty() ? random_inputs(graph, parse_sizes(sizes), seed.value_or(1))
                       : read_inputs(graph, files);
}

Dim::Bindings parse_sizes(const std::vector<std::string>& pairs) {
  Dim::Bindings sizes;
  for (const std::string& pair : pairs) {
    const size_t cut = pair.find('=');
    TENON_CHECK(cut != std::string::npos && cut > 0, usage,
                "--dim {}: write NAME=SIZE, as in --dim batch=8", pair);
    const auto size = text::parse_number<int64_t>(pair.substr(cut + 1));
    TENON_CHECK(
        size && *size > 0, usage,
        "--dim {}: the size is no positive whole number; write NAME=SIZE, as in --dim batch=8",
        pair);
    sizes[pair.substr(0, cut)] = *size;
  }
  return sizes;
}

}  // namespace tenon::cli
