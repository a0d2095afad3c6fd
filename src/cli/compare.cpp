// tenon compare: do two models, or two ways of running one, compute the same?
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/cancellation.h"
#include "base/table.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/model_inputs.h"
#include "cli/model_session.h"
#include "cli/share.h"
#include "cli/tensor_difference.h"
#include "cli/verb.h"
#include "graph/interpreter.h"
#include "runtime/dispatch.h"
#include "train/run.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon compare model.onnx                          # the engine against the interpreter\n"
    "  tenon compare model.onnx optimized.onnx --random 7 --dim batch=8\n"
    "  tenon compare model.onnx model.int8.onnx --per-layer --rtol 0.05 --json\n"
    "  tenon compare a.onnx b.onnx --data recipe.yaml --split test\n";

struct Options {
  std::string a, b;
  bool interpret = false, per_layer = false, keep_halves = false;
  std::vector<std::string> inputs, sizes;
  std::optional<uint64_t> random;
  Bounds bounds;
  SessionFlags session;
  std::string data, split = "test", max_drop;
  int64_t batch = 256;
};

struct Named {
  std::string name, origin;
  Tensor value;
};

// One side: the graph that runs, and how.
class Side {
 public:
  Side(const std::string& path, bool interpret, const Options& options)
      : graph_(load_graph(path, options.keep_halves)), interpret_(interpret) {
    if (!interpret_) session_.emplace(graph_, session_options(options.session));
  }

  const graph::Graph& graph() const { return graph_; }

  TensorList run(const TensorList& inputs) const {
    if (!interpret_) return session_->run(inputs);
    const NoGrad no_grad;
    return graph::Interpreter(graph_).run(inputs);
  }

  // The value of every node that runs, in order.
  std::vector<Named> layers(const TensorList& inputs) const {
    return interpret_ ? interpreted_layers(inputs) : planned_layers(inputs);
  }

 private:
  std::vector<Named> interpreted_layers(const TensorList& inputs) const {
    const NoGrad no_grad;
    std::vector<Named> list;
    graph::Interpreter interpreter(graph_);
    interpreter.on_node = [&](graph::NodeId id, const TensorList& outputs, double) {
      const graph::Node& node = graph_.node(id);
      for (size_t i = 0; i < outputs.size(); ++i)
        if (node.outputs[i] != graph::kNoValue)
          list.push_back({graph_.value(node.outputs[i]).name, origin_of(node), outputs[i]});
    };
    interpreter.run(inputs);
    return list;
  }

  // The optimised graph once more, with every value an output.
  std::vector<Named> planned_layers(const TensorList& inputs) const {
    graph::Graph open = session_->graph();
    std::vector<Named> list;
    std::vector<graph::ValueId> all;
    for (const graph::Node& node : open.nodes())
      for (const graph::ValueId id : node.outputs)
        if (id != graph::kNoValue) {
          all.push_back(id);
          list.push_back({open.value(id).name, origin_of(node), {}});
        }
    if (all.empty()) return list;
    open.outputs = all;
    const engine::Session session(std::move(open), {.optimize = false});
    TensorList values = session.run(inputs);
    for (size_t i = 0; i < list.size(); ++i) list[i].value = std::move(values[i]);
    return list;
  }

  static std::string origin_of(const graph::Node& node) {
    return node.origin.empty() ? std::string(node.op->name)
                               : fmt::format("{}, {}", node.op->name, node.origin);
  }

  graph::Graph graph_;
  bool interpret_;
  std::optional<engine::Session> session_;
};

struct Row {
  std::string name, origin;
  Difference difference;
};

std::vector<std::string> names_of(const graph::Graph& graph,
                                  const std::vector<graph::ValueId>& ids) {
  std::vector<std::string> names;
  for (const graph::ValueId id : ids) names.push_back(graph.value(id).name);
  return names;
}

// The inputs of A in the order of B, by name where names agree.
TensorList inputs_for(const graph::Graph& from, const TensorList& inputs, const graph::Graph& to) {
  const std::vector<std::string> given = names_of(from, from.inputs),
                                 wanted = names_of(to, to.inputs);
  TENON_CHECK(given.size() == wanted.size(), usage,
              "compare: {} takes {}, {} {}; compare models of the same inputs", from.name,
              text::plural(given.size(), "input"), to.name, wanted.size());
  TensorList list;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto at = std::ranges::find(given, wanted[i]);
    list.push_back(inputs[at == given.end() ? i : static_cast<size_t>(at - given.begin())]);
  }
  return list;
}

// Outputs by name; where a name is missing, by position.
std::vector<Row> compare_outputs(const graph::Graph& a, const TensorList& expected,
                                 const graph::Graph& b, const TensorList& got,
                                 const Bounds& bounds) {
  TENON_CHECK(expected.size() == got.size(), usage,
              "compare: {} has {}, {} {}; compare models of the same outputs", a.name,
              text::plural(expected.size(), "output"), b.name, got.size());
  const std::vector<std::string> names = names_of(b, b.outputs);
  std::vector<Row> rows;
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string& name = a.value(a.outputs[i]).name;
    const auto at = std::ranges::find(names, name);
    const size_t j = at == names.end() ? i : static_cast<size_t>(at - names.begin());
    rows.push_back({name, "", difference_of(got[j], expected[i], bounds)});
  }
  return rows;
}

// Values that both sides have, by name, type and shape, in A's order.
std::vector<Row> compare_layers(const std::vector<Named>& a, const std::vector<Named>& b,
                                const Bounds& bounds) {
  std::map<std::string_view, const Tensor*> found;
  for (const Named& layer : b) found[layer.name] = &layer.value;
  std::vector<Row> rows;
  for (const Named& layer : a) {
    const auto at = found.find(layer.name);
    if (at == found.end() || !layer.value.defined() || !at->second->defined()) continue;
    const Tensor& other = *at->second;
    if (other.dtype() != layer.value.dtype() || other.shape() != layer.value.shape()) continue;
    rows.push_back({layer.name, layer.origin, difference_of(other, layer.value, bounds)});
  }
  return rows;
}

Json to_json(const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) {
    Json entry = {{"name", row.name},
                  {"max_abs", row.difference.max_abs},
                  {"relative", row.difference.relative},
                  {"within", row.difference.within}};
    if (!row.origin.empty()) entry["origin"] = row.origin;
    if (row.difference.at >= 0) entry["at"] = row.difference.at;
    if (!row.difference.why.empty()) entry["why"] = row.difference.why;
    list.push_back(std::move(entry));
  }
  return list;
}

std::string table_of(const std::vector<Row>& rows, std::string_view what) {
  Table table({std::string(what), "max abs", "relative", "", "from"});
  for (const size_t column : {1, 2}) table.align(column, terminal::Align::right);
  for (const Row& row : rows) {
    const Difference& d = row.difference;
    table.row({row.name, d.why.empty() ? fmt::format("{:.3g}", d.max_abs) : "-",
               d.why.empty() ? fmt::format("{:.3g}", d.relative) : "-",
               d.within ? "agrees" : "DIFFERS", d.why.empty() ? row.origin : d.why});
  }
  return table.str();
}

const Row* first_divergence(const std::vector<Row>& rows) {
  const auto at = std::ranges::find_if(rows, [](const Row& row) { return !row.difference.within; });
  return at == rows.end() ? nullptr : &*at;
}

int compare_runs(const Options& options, const Globals& globals) {
  const bool one_file = options.b.empty();
  const Side a(options.a, false, options);
  const Side b(one_file ? options.a : options.b, one_file || options.interpret, options);
  const TensorList inputs = given_inputs(a.graph(), options.inputs, options.random, options.sizes);
  const TensorList others = inputs_for(a.graph(), inputs, b.graph());
  const std::vector<Row> outputs =
      compare_outputs(a.graph(), a.run(inputs), b.graph(), b.run(others), options.bounds);
  std::vector<Row> layers;
  if (options.per_layer)
    layers = compare_layers(a.layers(inputs), b.layers(others), options.bounds);
  const Row* first = first_divergence(layers);
  const bool agree = first_divergence(outputs) == nullptr;
  const std::string b_name = fmt::format("{}{}", one_file ? options.a : options.b,
                                         one_file || options.interpret ? ", interpreted" : "");
  if (globals.json) {
    Json json = {{"a", options.a}, {"b", b_name}, {"agree", agree}, {"outputs", to_json(outputs)}};
    if (options.per_layer) {
      json["layers"] = to_json(layers);
      json["first_divergence"] = first ? Json(first->name) : Json();
    }
    print_json(json);
    return agree ? 0 : 1;
  }
  std::printf("%s against %s\n\n%s", options.a.c_str(), b_name.c_str(),
              table_of(outputs, "output").c_str());
  if (options.per_layer) {
    std::printf("\n%s\n%s\n", table_of(layers, "layer").c_str(),
                first ? fmt::format("first to diverge: {} ({})", first->name, first->origin).c_str()
                      : "no layer diverges");
  }
  return agree ? 0 : 1;
}

int compare_accuracy(const Options& options, const Globals& globals) {
  TENON_CHECK(!options.b.empty(), usage,
              "compare: --data measures two models, and one is given; name the other too");
  const InterruptHandler handler;
  const auto evaluate = [&](const std::string& path) {
    return train::evaluate_file({.model = path,
                                 .recipe = options.data,
                                 .split = options.split,
                                 .batch = options.batch,
                                 .read_graph = load_any_graph,
                                 .run_graph = engine_predictor});
  };
  const train::Evaluation a = evaluate(options.a), b = evaluate(options.b);
  TENON_CHECK(a.accuracy && b.accuracy, usage,
              "compare: the recipe {} measures no accuracy; give one that classifies",
              options.data);
  const double drop = *a.accuracy - *b.accuracy;
  const double limit =
      options.max_drop.empty() ? 1 : parse_share(options.max_drop, "--max-accuracy-drop");
  const bool good = drop <= limit;
  if (globals.json) {
    print_json({{"a", options.a},
                {"b", options.b},
                {"items", a.items},
                {"accuracy_a", *a.accuracy},
                {"accuracy_b", *b.accuracy},
                {"drop", drop},
                {"agreement", train::agreement(a, b)},
                {"within", good}});
    return good ? 0 : 1;
  }
  Table table({"model", "accuracy", "items"});
  for (const size_t column : {1, 2}) table.align(column, terminal::Align::right);
  table.row({options.a, fmt::format("{:.2f} %", *a.accuracy * 100), std::to_string(a.items)});
  table.row({options.b, fmt::format("{:.2f} %", *b.accuracy * 100), std::to_string(b.items)});
  std::printf("%s\nthe same answer to %.2f %% of the items\n", table.str().c_str(),
              train::agreement(a, b) * 100);
  if (!good)
    std::fprintf(stderr, "tenon: accuracy drops by %.2f points, more than --max-accuracy-drop %s\n",
                 drop * 100, options.max_drop.c_str());
  return good ? 0 : 1;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("a", options->a, "An ONNX file, which is held to be right").required();
  arguments.option("b", options->b,
                   "Another one; without it, the engine is compared with the interpreter");
  arguments
      .option("--input", options->inputs, "NAME=FILE.npy, once an input; random ones otherwise")
      .one_at_a_time();
  arguments.option("--random", options->random, "The seed of random inputs (1)");
  arguments
      .option("--dim", options->sizes, "NAME=SIZE of a symbolic axis of random inputs (else 1)")
      .one_at_a_time();
  arguments
      .option("--rtol", options->bounds.relative,
              "Largest difference, as a share of the output's largest magnitude (1e-3)")
      .not_negative();
  arguments.option("--atol", options->bounds.absolute, "Added to that (1e-6)").not_negative();
  arguments.flag("--per-layer", options->per_layer,
                 "Also the values in between that have the same name, and the first that diverges");
  arguments.flag("--interpret", options->interpret, "Run b node by node instead of by the engine");
  add_session_flags(arguments, options->session);
  arguments.flag("--keep-halves", options->keep_halves,
                 "Round to f16 after every operator as the file says, not only at the end");
  arguments.option("--data", options->data, "A recipe: compare the accuracy on its data instead");
  arguments.option("--split", options->split, "train, validation or test, of --data");
  arguments.option("--batch", options->batch, "Items at once, of --data").above_zero();
  arguments.option("--max-accuracy-drop", options->max_drop,
                   "Exit with 1 when b is less accurate than a by more, as in 0.5%");
  return [options, &globals] {
    TENON_CHECK(options->max_drop.empty() || !options->data.empty(), usage,
                "compare: --max-accuracy-drop is of accuracies, which --data measures; give that "
                "too, or --atol and --rtol");
    return options->data.empty() ? compare_runs(*options, globals)
                                 : compare_accuracy(*options, globals);
  };
}

}  // namespace

constinit const Verb compare{"compare", Stage::ship,
                             "Compare two models, or the engine with the interpreter.", kExamples,
                             define};

}  // namespace tenon::cli
