// Relu, Clip, and Max and Min with a number all keep x between two bounds: chains of them become
// one.
#include <cmath>
#include <limits>

#include "graph/facts.h"
#include "graph/passes/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::passes {

namespace {

using graph::input_of;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::uniform;
using graph::ValueId;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Types whose numbers a double holds.
constexpr TypeSet kTypes = kFloats | (kInts - types(DType::i64, DType::u64));

// min(max(x, low), high)
struct Bounds {
  ValueId x = kNoValue;
  double low = -kInfinity, high = kInfinity;

  double clamp(double v) const { return std::fmin(std::fmax(v, low), high); }
};

// The bound given by an input of Clip; nothing where it is computed.
std::optional<double> bound(const Rewriter& r, const Node& clip, size_t i, double none) {
  const ValueId id = input_of(clip, i);
  return id == kNoValue ? none : uniform(r, id);
}

std::optional<Bounds> bounds_of(const Rewriter& r, ValueId y) {
  const NodeId maker = r.producer(y);
  if (maker < 0 || !kTypes.has(r.type(y).dtype)) return std::nullopt;
  const Node& node = r.node(maker);
  if (node.op == &op::Relu) return Bounds{.x = node.inputs[0], .low = 0};
  if (node.op == &op::Clip) {
    const auto low = bound(r, node, 1, -kInfinity), high = bound(r, node, 2, kInfinity);
    if (!low || !high || *low > *high) return std::nullopt;
    return Bounds{node.inputs[0], *low, *high};
  }
  const bool is_max = node.op == &op::Max;
  if ((!is_max && node.op != &op::Min) || node.inputs.size() != 2) return std::nullopt;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const std::optional<double> number = uniform(r, node.inputs[i]);
    const ValueId x = node.inputs[1 - i];
    if (!number || !graph::same_shape(r, x, y)) continue;
    return is_max ? Bounds{.x = x, .low = *number} : Bounds{.x = x, .high = *number};
  }
  return std::nullopt;
}

// The lowest and the greatest number of an integer type are no bounds.
double unbounded(DType type, double number) {
  if (!is_int(type)) return number;
  const int bits = static_cast<int>(8 * size_of(type)) - (is_signed_int(type) ? 1 : 0);
  if (number >= std::ldexp(1.0, bits) - 1) return kInfinity;
  if (number <= (is_signed_int(type) ? -std::ldexp(1.0, bits) : 0)) return -kInfinity;
  return number;
}

ValueId bounded(Rewriter& r, const Bounds& bounds) {
  const DType type = r.type(bounds.x).dtype;
  const double low = unbounded(type, bounds.low), high = unbounded(type, bounds.high);
  if (low == -kInfinity && high == kInfinity) return bounds.x;
  if (low == 0 && high == kInfinity && (kFloats | kSignedInts).has(type))
    return r.add(op::Relu, {bounds.x});
  const auto scalar = [&](double number) {
    return std::isinf(number) ? kNoValue : r.constant(Tensor::scalar(number, type));
  };
  std::vector<ValueId> inputs{bounds.x, scalar(low)};
  if (!std::isinf(high)) inputs.push_back(scalar(high));
  return r.add(op::Clip, std::move(inputs));
}

// Not such that every result is infinite.
bool is_plain(const Bounds& bounds) { return bounds.low < kInfinity && bounds.high > -kInfinity; }

void run(Rewriter& r) {
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const Node& node = r.node(n);
    const ValueId y = node.outputs[0];
    const OpDef* op = node.op;
    auto outer = bounds_of(r, y);
    if (!outer || !is_plain(*outer)) continue;
    bool joined = false;
    while (r.used_once(outer->x)) {
      const auto inner = bounds_of(r, outer->x);
      if (!inner || !is_plain(*inner)) break;
      outer = Bounds{inner->x, outer->clamp(inner->low), outer->clamp(inner->high)};
      joined = true;
    }
    const DType type = r.type(y).dtype;
    const double low = unbounded(type, outer->low), high = unbounded(type, outer->high);
    const bool none = low == -kInfinity && high == kInfinity;
    const bool is_relu =
        low == 0 && high == kInfinity && op != &op::Relu && (kFloats | kSignedInts).has(type);
    if (!joined && !none && !is_relu) continue;
    r.at(n);
    r.replace(y, bounded(r, *outer));
  }
}

}  // namespace

constinit const Pass join_bounds{
    "join_bounds", "Chains of Relu, Clip, Max and Min with numbers become one Relu or Clip.", run};

}  // namespace tenon::passes
