// Recording calls, their expansions and their surroundings.
#include "specimens.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "graph/capture.h"
#include "graph/interpreter.h"
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon::test {

namespace {

constexpr int kExpansions = 3;

TensorList call(const Case& c, const TensorList& args) {
  return c.op->all(args, c.sample->attrs, c.sample->outputs);
}

bool is_drawn(const Case& c, size_t i) { return c.inputs[i].defined() && c.random[i]; }

// -- Surroundings ---------------------------------------------------------------------------------

constexpr double kStep = 1.0 / 16;  // of quantised neighbours: exact in binary

size_t rank_of(const Tensor& x) { return x.dims().size(); }
bool is_f32(const Tensor& x) { return x.defined() && x.dtype() == DType::f32; }

// The call with something done to its f32 inputs and outputs.
struct Surrounding {
  std::string_view name;
  Tensor (*before)(const Tensor&) = nullptr;  // of f32 inputs that were drawn; null: as they are
  Tensor (*after)(const Tensor&) = nullptr;   // of f32 outputs
  bool first_only = false;                    // of the inputs
  double step = 1e-5;  // by how much more than in proportion its results may differ
};

// The surrounding is left out where this fails.
int64_t size_of(const Tensor& x, size_t axis) {
  TENON_CHECK(axis < rank_of(x) && x.dims()[axis].is_const(), usage, "no such axis");
  return x.dims()[axis].value();
}

// One constant a channel, none of them 0.
Tensor per_channel(const Tensor& x, double from) {
  const int64_t count = size_of(x, rank_of(x) < 2 ? 0 : 1);
  Tensor values = Tensor::empty({count}, DType::f32);
  for (int64_t i = 0; i < count; ++i)
    values.data<float>()[i] = static_cast<float>(from + 0.25 * static_cast<double>(i % 5));
  return values;
}

Tensor along_channels(const Tensor& x, const Tensor& values) {
  Shape shape(rank_of(x) < 2 ? 1 : rank_of(x) - 1, 1);
  shape[0] = values.numel();
  return values.reshape(shape);
}

Tensor reversed(const Tensor& x) {
  Shape order(rank_of(x), 0);
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(order.size() - 1 - i);
  return op::Transpose(x, {{"perm", order}});
}

// Something that stands between two transposes, which cancel only past it.
Tensor between_transposes(const Tensor& x) { return reversed(op::Relu(reversed(x))); }

Tensor padded(const Tensor& x) {
  const size_t rank = rank_of(x);
  size_of(x, 2);
  Tensor pads = Tensor::zeros({static_cast<int64_t>(2 * rank)}, DType::i64);
  for (size_t axis = 2; axis < rank; ++axis)
    pads.data<int64_t>()[axis] = pads.data<int64_t>()[rank + axis] = 1;
  return op::Pad(x, pads);
}

Tensor normalised(const Tensor& x) {
  return op::BatchNormalization.all({x, per_channel(x, 0.5), per_channel(x, -0.5),
                                     per_channel(x, -0.25), per_channel(x, 0.75)})[0];
}

Tensor quantised(const Tensor& x) {
  const Tensor step = Tensor::scalar(kStep, DType::f32), zero = Tensor::scalar(128, DType::u8);
  return op::DequantizeLinear(op::QuantizeLinear(x, step, zero), step, zero);
}

Tensor sliced(const Tensor& x) {
  const auto one = [](int64_t value) { return Tensor::ints({value}); };
  const Tensor front = op::Slice.all({x, one(0), one(1'000'000), one(-1)})[0];
  return op::Slice.all(
      {front, one(0), one(std::numeric_limits<int64_t>::max()), one(0), one(1)})[0];
}

Tensor reshaped(const Tensor& x) {
  const Tensor flat = op::Reshape(x, Tensor::ints({-1}));
  const Tensor column = op::Unsqueeze(flat, Tensor::ints({1}));
  return op::Reshape(op::Identity(column), op::Shape(x));
}

// As exporters write a GroupNormalization.
Tensor normalised_in_groups(const Tensor& x) {
  const int64_t channels = size_of(x, 1), groups = channels % 2 == 0 ? 2 : 1;
  const Tensor apart = op::Reshape(x, Tensor::ints({0, groups, -1}));
  const Tensor same =
      op::InstanceNormalization(apart, Tensor::ones({groups}), Tensor::zeros({groups}));
  return op::Reshape(same, op::Shape(x)) * along_channels(x, per_channel(x, 0.5)) +
         along_channels(x, per_channel(x, -0.5));
}

constexpr Surrounding kSurroundings[] = {
    {"then Relu", nullptr, [](const Tensor& y) { return op::Relu(y); }},
    {"then Sigmoid and Mul", nullptr, [](const Tensor& y) { return y * op::Sigmoid(y); }},
    {"then Clip", nullptr,
     [](const Tensor& y) {
       return op::Clip(y, Tensor::scalar(0, DType::f32), Tensor::scalar(6, DType::f32));
     }},
    {"then scaled, shifted and Tanh", nullptr,
     [](const Tensor& y) {
       return op::Tanh(y * along_channels(y, per_channel(y, 0.5)) +
                       along_channels(y, per_channel(y, -0.5)));
     }},
    {"then BatchNormalization and Relu", nullptr,
     [](const Tensor& y) { return op::Relu(normalised(y)); }},
    {"then normalised in groups", nullptr, normalised_in_groups},
    {"after BatchNormalization", normalised, nullptr, true},
    {"after Pad", padded, nullptr, true},
    {"then a bias along the last axis and Gelu", nullptr,
     [](const Tensor& y) {
       Tensor bias = Tensor::empty({size_of(y, rank_of(y) - 1)}, DType::f32);
       for (int64_t i = 0; i < bias.numel(); ++i)
         bias.data<float>()[i] = 0.5F - 0.25F * static_cast<float>(i % 4);
       return op::Gelu(y + bias);
     }},
    {"then its own halves", nullptr,
     [](const Tensor& y) { return op::Relu(y * 0.5 + op::Abs(y * 0.5)); }},
    {"between transposes", between_transposes, between_transposes},
    {"between reversals", reversed, reversed},
    {"between slices", sliced, sliced},
    {"between reshapes", reshaped, reshaped},
    {"between Identity and Neg", [](const Tensor& x) { return op::Identity(op::Neg(op::Neg(x))); },
     [](const Tensor& y) { return op::Neg(op::Identity(y)) * 1 + 0; }},
    {"of quantised values", quantised, nullptr},
    {"quantised", quantised, quantised, false, 1.01 * kStep},
    {"quantised, with Relu", quantised, [](const Tensor& y) { return quantised(op::Relu(y)); },
     false, 1.01 * kStep},
};

// -- Recording
// --------------------------------------------------------------------------------------

using Body = std::function<TensorList(const TensorList&)>;

enum class Inputs {
  all,          // that are drawn become inputs of the graph
  first,        // and the rest are constants
  first_traced  // constants of the graph, so that what is done to them is recorded
};

Specimen record(const Case& c, const std::string& what, Inputs which, const Body& body) {
  Specimen specimen;
  specimen.name = c.str() + what;
  const auto recorder = graph::Recorder::create("specimen");
  TensorList args = c.inputs;
  for (size_t i = 0; i < args.size(); ++i) {
    if (!is_drawn(c, i)) continue;
    if (which != Inputs::all && !specimen.inputs.empty()) {
      if (which == Inputs::first_traced && is_f32(args[i]))
        args[i] = recorder->tensor_of(recorder->value_of(args[i]));
      continue;
    }
    specimen.inputs.push_back(args[i]);
    args[i] = recorder->input("x" + std::to_string(i), args[i].dtype(), to_dims(args[i].shape()));
  }
  if (!specimen.inputs.empty()) specimen.graph = recorder->finish(body(args), {});
  return specimen;
}

// With every node whose operator can be written out here written out; unchanged: nothing.
std::optional<graph::Graph> expanded(const graph::Graph& graph) {
  const auto recorder = graph::Recorder::create(graph.name);
  TensorList values(graph.values().size());
  const auto at = [&](graph::ValueId id) -> Tensor& { return values[static_cast<size_t>(id)]; };
  for (size_t v = 0; v < values.size(); ++v)
    if (graph.values()[v].is_constant()) values[v] = graph.values()[v].type.constant;
  for (graph::ValueId id : graph.inputs)
    at(id) = recorder->input(graph.value(id).name, graph.value(id).type);
  bool changed = false;
  for (const graph::Node& node : graph.nodes()) {
    TensorList args, results;
    std::vector<const Tensor*> pointers;
    for (graph::ValueId id : node.inputs) args.push_back(id < 0 ? Tensor() : at(id));
    for (const Tensor& arg : args) pointers.push_back(&arg);
    if (node.op->expand.fn && !node.op->structural) {
      try {
        results =
            node.op->expand.fn(ExpandContext(*node.op, node.attrs, args, node.outputs.size()));
        changed = true;
      } catch (const Error& error) {
        // What the expansion reads, or calls in place, is not known before the graph runs.
        if (error.kind() == ErrorKind::bug) throw;
        results.clear();
      }
    }
    if (results.empty())
      results = recorder->record(*node.op, pointers, node.attrs, node.outputs.size());
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] >= 0) at(node.outputs[i]) = results[i];
  }
  if (!changed) return std::nullopt;
  TensorList outputs;
  for (graph::ValueId id : graph.outputs) outputs.push_back(at(id));
  return recorder->finish(outputs, {});
}

void finish(std::vector<Specimen>& list, Specimen specimen) {
  if (specimen.inputs.empty()) return;
  with_context([&] { return "in the specimen " + specimen.name; },
               [&] {
                 specimen.graph.verify();
                 manual_seed(7);
                 specimen.expected = graph::Interpreter(specimen.graph).run(specimen.inputs);
               });
  list.push_back(std::move(specimen));
}

void add_expansions(std::vector<Specimen>& list, const Specimen& whole) {
  graph::Graph graph = whole.graph;
  for (int depth = 1; depth <= kExpansions; ++depth) {
    std::optional<graph::Graph> deeper = expanded(graph);
    if (!deeper) break;
    graph = std::move(*deeper);
    finish(list,
           {fmt::format("{}, expanded {}x", whole.name, depth), graph, whole.inputs, {}, {0, 0}});
  }
}

// Left out where the neighbours do not fit the call.
void try_finish(std::vector<Specimen>& list, const Case& c, std::string_view around, double step,
                Inputs which, const Body& body) {
  try {
    Specimen specimen = record(c, fmt::format(", {}", around), which, body);
    specimen.tolerance = {1e-4, step};
    finish(list, std::move(specimen));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::bug) throw;
  }
}

void add_surroundings(std::vector<Specimen>& list, const Case& c) {
  for (const Surrounding& around : kSurroundings) {
    try_finish(list, c, around.name, around.step, Inputs::first_traced,
               [&](const TensorList& given) {
                 TensorList args = given;
                 bool done = false;
                 for (size_t i = 0; i < args.size(); ++i) {
                   if (!around.before || !is_drawn(c, i) || !is_f32(args[i]) ||
                       (done && around.first_only))
                     continue;
                   args[i] = around.before(args[i]);
                   done = true;
                 }
                 TensorList outputs = call(c, args);
                 for (Tensor& output : outputs)
                   if (around.after && is_f32(output)) output = around.after(output);
                 return outputs;
               });
  }
}

// The same call twice, and with other constants in place of its own.
void add_siblings(std::vector<Specimen>& list, const Case& c) {
  if (c.op->random) return;
  try_finish(list, c, "thrice", 1e-5, Inputs::first, [&](const TensorList& args) {
    TensorList outputs = call(c, args);
    for (const Tensor& again : call(c, args)) outputs.push_back(again);
    TensorList others = args;
    for (size_t i = 0; i < args.size(); ++i)
      if (is_drawn(c, i) && !args[i].is_symbolic() && is_f32(args[i])) others[i] = args[i] * -0.5;
    for (const Tensor& other : call(c, others)) outputs.push_back(other);
    return outputs;
  });
}

}  // namespace

std::vector<Specimen> specimens_of(const std::vector<Case>& cases, size_t surrounded) {
  const NoGrad no_grad;
  std::vector<Specimen> list;
  for (const Case& c : cases) {
    const auto plain = [&](const TensorList& args) { return call(c, args); };
    const auto drawn = static_cast<size_t>(std::ranges::count(c.random, true));
    for (const bool all_inputs : {true, false}) {
      if (!all_inputs && drawn < 2) break;
      const Specimen whole = record(c, all_inputs ? "" : ", of its first input",
                                    all_inputs ? Inputs::all : Inputs::first, plain);
      if (whole.inputs.empty()) break;
      finish(list, whole);
      add_expansions(list, whole);
    }
    if (c.index >= surrounded || (c.type != DType::f32 && c.type != DType::undefined)) continue;
    if (c.op == &op::BitCast) continue;  // shows every rounding
    add_surroundings(list, c);
    add_siblings(list, c);
  }
  return list;
}

std::string difference(const TensorList& actual, const Specimen& specimen) {
  const TensorList& expected = specimen.expected;
  if (specimen.tolerance.absolute == 0 || actual.size() != expected.size())
    return difference(actual, expected);
  for (size_t i = 0; i < actual.size(); ++i) {
    const std::string text = difference(actual[i], expected[i], specimen.tolerance);
    if (!text.empty()) return fmt::format("output {}: {}", i, text);
  }
  return "";
}

}  // namespace tenon::test
