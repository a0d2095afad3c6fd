// Reading data sets, running models, comparing.
#include "formats/onnx/backend_tests.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "formats/onnx/import.h"
#include "formats/onnx/values.h"
#include "graph/interpreter.h"
#include "tensor/narrow.h"

namespace tenon::formats {

namespace {

bool agree(double got, double expected, const Tolerance& tolerance) {
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got);
  if (std::isinf(expected) || std::isinf(got)) return got == expected;
  return std::abs(got - expected) <= tolerance.absolute + tolerance.relative * std::abs(expected);
}

std::string shown(double value) { return fmt::format("{:.9g}", value); }
std::string shown(int64_t value) { return std::to_string(value); }
std::string shown(const std::string& value) { return "\"" + value + "\""; }

template <class T, class Agree>
std::optional<std::string> compare(const Tensor& got, const Tensor& expected, const Agree& same) {
  const std::vector<T> a = got.to_vector<T>(), b = expected.to_vector<T>();
  size_t first = 0, count = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (same(a[i], b[i])) continue;
    if (!count++) first = i;
  }
  if (!count) return std::nullopt;
  return fmt::format("{} of {} elements differ, the first at {}: {} instead of {}", count, a.size(),
                     first, shown(a[first]), shown(b[first]));
}

std::optional<std::string> compare_complex(const Tensor& got, const Tensor& expected,
                                           const Tolerance& tolerance) {
  const Tensor a = got.contiguous(), b = expected.contiguous();
  for (int64_t i = 0; i < 2 * a.numel(); ++i) {
    const auto part = [&](const Tensor& t) {
      return t.dtype() == DType::c64 ? static_cast<double>(static_cast<const float*>(t.raw())[i])
                                     : static_cast<const double*>(t.raw())[i];
    };
    if (!agree(part(a), part(b), tolerance))
      return fmt::format("element {} differs: {} instead of {}", i / 2, shown(part(a)),
                         shown(part(b)));
  }
  return std::nullopt;
}

// The data sets of ONNX 1.12 hold bfloat16 as the uint16 of its bits.
Tensor bits_as_bf16(Tensor bits) {
  void* data = bits.raw();
  const Shape shape = bits.shape();
  return Tensor::borrow(data, shape, DType::bf16, [held = std::move(bits)] {});
}

// Files of values that a graph names: inputs or outputs.
TensorList read_all(const std::string& folder, std::string_view stem, const graph::Graph& graph,
                    const std::vector<graph::ValueId>& ids) {
  TensorList list;
  for (graph::ValueId id : ids) {
    const std::string path = fmt::format("{}/{}_{}.pb", folder, stem, list.size());
    if (!exists(path)) break;
    const DType type = graph.value(id).type.dtype;
    Tensor value = read_value(read_file(path), type, path);
    if (type == DType::bf16 && value.defined() && value.dtype() == DType::u16)
      value = bits_as_bf16(std::move(value));
    list.push_back(std::move(value));
  }
  TENON_CHECK(!exists(fmt::format("{}/{}_{}.pb", folder, stem, list.size())), data,
              "{}: it has more than {} {}s, but the model has {}", folder, list.size(), stem,
              ids.size());
  return list;
}

bool has_random_nodes(const graph::Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const graph::Node& node) { return node.op->random; });
}

// Whether an output of a graph with random nodes depends on what they draw: it changes from run to
// run, or a node has a seed, which repeats its numbers. The numbers recorded in a test are those of
// whoever recorded it.
bool is_drawn(const graph::Graph& graph, const Tensor& one, const Tensor& other) {
  return difference(one, other, {0, 0}) ||
         std::ranges::any_of(graph.nodes(), [](const graph::Node& node) {
           return node.op->random && node.attrs.has("seed") && node.op->name != "Dropout";
         });
}

std::optional<std::string> difference_of_types(const Tensor& got, const Tensor& expected) {
  if (got.dtype() == expected.dtype() && got.shape() == expected.shape()) return std::nullopt;
  return fmt::format("{}{} instead of {}{}", name(got.dtype()), got.shape().str(),
                     name(expected.dtype()), expected.shape().str());
}

std::optional<std::string> run_data_set(const graph::Graph& graph, const std::string& folder,
                                        const Tolerance& tolerance, const RunGraph& run) {
  const TensorList inputs = read_all(folder, "input", graph, graph.inputs);
  const TensorList expected = read_all(folder, "output", graph, graph.outputs);
  TENON_CHECK(expected.size() == graph.outputs.size(), data,
              "{}: it has {} outputs, but the model has {}", folder, expected.size(),
              graph.outputs.size());
  const auto compute = [&] {
    return run ? run(graph, inputs) : graph::Interpreter(graph).run(inputs);
  };
  const TensorList outputs = compute();
  const bool random = has_random_nodes(graph);
  const TensorList again = random ? compute() : TensorList();
  for (size_t i = 0; i < outputs.size(); ++i)
    if (const auto why = random && is_drawn(graph, outputs[i], again[i])
                             ? difference_of_types(outputs[i], expected[i])
                             : difference(outputs[i], expected[i], tolerance))
      return fmt::format("output {}: {}", graph.value(graph.outputs[i]).name, *why);
  return std::nullopt;
}

// `seen` holds the folders entered, which links may lead to again.
void find_below(const std::string& folder, const std::string& name, std::vector<BackendTest>& tests,
                std::set<std::filesystem::path>& seen) {
  std::error_code error;
  const auto real = std::filesystem::canonical(folder, error);
  if (!error && !seen.insert(real).second) return;
  if (!error && exists(folder + "/model.onnx")) {
    tests.push_back({name.empty() ? real.filename().string() : name, folder});
    return;
  }
  for (const DirectoryEntry& entry : list_directory(folder))
    if (entry.kind == EntryKind::directory)
      find_below(fmt::format("{}/{}", folder, entry.name),
                 name.empty() ? entry.name : fmt::format("{}/{}", name, entry.name), tests, seen);
}

}  // namespace

std::optional<std::string> difference(const Tensor& got, const Tensor& expected,
                                      const Tolerance& tolerance) {
  if (!got.defined() || !expected.defined())
    return got.defined() == expected.defined() ? std::nullopt
                                               : std::optional<std::string>("one is absent");
  if (auto why = difference_of_types(got, expected)) return why;
  if (is_container(got.dtype())) {
    const auto a = got.elements(), b = expected.elements();
    for (size_t i = 0; i < a.size(); ++i)
      if (const auto why = difference(a[i], b[i], tolerance))
        return fmt::format("element {}: {}", i, *why);
    return std::nullopt;
  }
  if (got.dtype() == DType::string) return compare<std::string>(got, expected, std::equal_to<>());
  if (got.dtype() == DType::c64 || got.dtype() == DType::c128)
    return compare_complex(got, expected, tolerance);
  if (is_float(got.dtype()))
    return compare<double>(got, expected,
                           [&](double a, double b) { return agree(a, b, tolerance); });
  if (kNarrowFloats.has(got.dtype()))
    return compare<double>(got, expected, [](double a, double b) { return agree(a, b, {0, 0}); });
  return compare<int64_t>(got, expected, std::equal_to<>());
}

std::vector<BackendTest> find_backend_tests(const std::string& folder) {
  std::vector<BackendTest> tests;
  std::set<std::filesystem::path> seen;
  find_below(folder, "", tests, seen);
  return tests;
}

BackendResult run_backend_test(const BackendTest& test, const Tolerance& tolerance,
                               const RunGraph& run) {
  using Verdict = BackendResult::Verdict;
  try {
    const std::string path = test.folder + "/model.onnx";
    BackendResult result;
    result.obstacles = import_obstacles(path);
    if (!result.obstacles.empty()) {
      result.verdict = Verdict::not_applicable;
      return result;
    }
    const graph::Graph graph = import_onnx(path);
    size_t sets = 0;
    for (const DirectoryEntry& entry : list_directory(test.folder)) {
      if (entry.kind != EntryKind::directory || !entry.name.starts_with("test_data_set_")) continue;
      ++sets;
      if (auto why = run_data_set(graph, test.folder + "/" + entry.name, tolerance, run))
        return {Verdict::failed, fmt::format("{}: {}", entry.name, *why)};
    }
    if (!sets) return {Verdict::failed, "it has no data sets"};
    return result;
  } catch (const Error& error) {
    return {Verdict::failed, error.what(), error.kind() == ErrorKind::unsupported};
  } catch (const std::exception& error) {
    return {Verdict::failed, error.what()};
  }
}

}  // namespace tenon::formats
