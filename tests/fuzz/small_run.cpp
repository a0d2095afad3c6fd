// Bounds, inputs and the run.
#include "small_run.h"

#include <algorithm>
#include <new>

#include "base/error.h"
#include "base/random.h"
#include "graph/interpreter.h"
#include "runtime/dispatch.h"

namespace tenon::fuzz {

namespace {

constexpr double kMaxBytes = 32e6;  // of all values together
constexpr double kMaxFlops = 50e6;
constexpr int64_t kMaxTrips = 64;
constexpr int64_t kSymbolSize = 2;

// Unknown sizes count as those of symbols.
double elements_of(const TensorType& type) {
  double count = 1;
  for (const Dim& dim : type.dims) {
    Dim::Bindings sizes;
    for (const std::string& symbol : dim.symbols()) sizes.emplace(symbol, kSymbolSize);
    const auto size = dim.is_unknown() ? std::nullopt : dim.eval(sizes);
    count *= static_cast<double>(std::max<int64_t>(size.value_or(kSymbolSize), 0));
  }
  return count;
}

bool is_short_loop(const graph::Graph& graph, const graph::Node& node) {
  if (node.op->name != "Loop") return true;
  if (node.inputs.empty() || node.inputs[0] == graph::kNoValue) return false;
  const Tensor& trips = graph.value(node.inputs[0]).type.constant;
  return trips.defined() && trips.numel() == 1 && trips.item<int64_t>() <= kMaxTrips;
}

bool is_small(const graph::Graph& graph, double& bytes) {
  for (const graph::Value& value : graph.values())
    bytes += elements_of(value.type) * static_cast<double>(size_of(value.type.dtype));
  if (!(bytes <= kMaxBytes)) return false;
  for (const graph::Node& node : graph.nodes()) {
    if (!is_short_loop(graph, node)) return false;
    for (const Attr& attr : node.attrs.list()) {
      const auto* inner = std::get_if<std::shared_ptr<const Subgraph>>(&attr.value);
      const auto* body = inner ? dynamic_cast<const graph::Graph*>(inner->get()) : nullptr;
      if (body && !is_small(*body, bytes)) return false;
    }
  }
  return true;
}

Tensor draw(const TensorType& type, Generator& random) {
  if (is_container(type.dtype)) {
    TensorList elements;
    if (type.element && type.element->ranked) elements.push_back(draw(*type.element, random));
    return Tensor::sequence(elements);
  }
  Shape shape;
  for (const Dim& dim : type.dims) {
    Dim::Bindings sizes;
    for (const std::string& symbol : dim.symbols()) sizes.emplace(symbol, kSymbolSize);
    shape.push_back(std::max<int64_t>(dim.is_unknown() ? 1 : dim.eval(sizes).value_or(1), 0));
  }
  if (type.dtype == DType::string)
    return Tensor::strings(std::vector<std::string>(static_cast<size_t>(shape.numel()), "text"),
                           shape);
  Tensor drawn = Tensor::empty(shape, DType::f64);
  for (int64_t i = 0; i < drawn.numel(); ++i)
    drawn.data<double>()[i] =
        is_float(type.dtype) ? 4 * random.uniform() - 2 : static_cast<double>(random.below(8)) - 2;
  Tensor out = Tensor::empty(shape, type.dtype);
  out.copy_from(drawn);
  return out;
}

}  // namespace

std::optional<TensorList> small_inputs(const graph::Graph& graph, uint64_t seed) {
  double bytes = 0;
  if (!is_small(graph, bytes)) return std::nullopt;
  Dim::Bindings sizes;
  for (graph::ValueId id : graph.inputs) {
    if (!graph.value(id).type.ranked) return std::nullopt;
    for (const Dim& dim : graph.value(id).type.dims)
      for (const std::string& symbol : dim.symbols()) sizes.emplace(symbol, kSymbolSize);
  }
  double flops = 0;
  try {
    for (const auto& [op, count] : graph.flops(sizes)) flops += count;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    return std::nullopt;  // some shape cannot be with symbols of this size
  }
  if (!(flops <= kMaxFlops)) return std::nullopt;
  Generator random(seed);
  TensorList inputs;
  for (graph::ValueId id : graph.inputs) inputs.push_back(draw(graph.value(id).type, random));
  return inputs;
}

void run_small(const graph::Graph& graph, const TensorList& inputs) {
  const NoGrad no_grad;
  try {
    graph.verify();
    graph::Interpreter(graph).run(inputs);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::bug) throw;
  } catch (const std::bad_alloc&) {
    // Sizes that only a run finds out may be honest and too large for this machine.
  }
}

}  // namespace tenon::fuzz
