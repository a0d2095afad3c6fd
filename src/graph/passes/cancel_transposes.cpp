// Transposes meet their inverses: each is moved behind the operators that read it where that lowers
// the number of transposes, or leads to one that undoes it.
#include <algorithm>
#include <set>

#include "graph/facts.h"
#include "graph/passes/catalog.h"
#include "graph/passes/reordered_call.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Order;
using graph::ReorderedCall;
using graph::Rewriter;
using graph::ValueId;

// Values looked at before a Transpose is taken to lead nowhere.
constexpr int kMaxSearch = 256;

std::optional<Order> transposed_by(const Rewriter& r, ValueId id) {
  const Node* node = id == kNoValue ? nullptr : r.made_by(id, op::Transpose);
  if (!node || !r.type(id).ranked) return std::nullopt;
  return graph::order_of(*node, r.type(id).dims.size());
}

// The sizes of a value with those that broadcasting puts before them; nothing when it has more axes
// than `rank`.
std::optional<Dims> full_dims(const Rewriter& r, ValueId id, size_t rank) {
  const TensorType& type = r.type(id);
  if (!type.ranked || type.dims.size() > rank) return std::nullopt;
  Dims dims(rank - type.dims.size(), Dim(1));
  dims.insert(dims.end(), type.dims.begin(), type.dims.end());
  return dims;
}

bool is_one_element(const Dims& dims) {
  return std::ranges::all_of(dims, [](const Dim& size) { return size == Dim(1); });
}

// Whether a value is to be had in the order before Transpose(, order) without moving elements.
bool is_free(const Rewriter& r, ValueId id, const Order& order) {
  const auto dims = full_dims(r, id, order.size());
  if (!dims) return false;
  if (is_one_element(*dims) || r.constant(id)) return true;
  const Order back = graph::inverse(order);
  return graph::keeps_elements_in_place(*dims, back) &&
         graph::reshape_target(r.type(id).dims, graph::reordered(*dims, back));
}

// A constant as it is in the order before; without the leading axes that broadcasting adds again.
Tensor constant_before(const Tensor& tensor, const Order& order) {
  Shape full(order.size() - tensor.rank(), 1);
  for (const int64_t size : tensor.shape()) full.push_back(size);
  Tensor moved = tensor.reshape(full).permute(Shape(graph::inverse(order))).contiguous();
  Shape shape = moved.shape();
  while (shape.rank() > tensor.rank() && shape[0] == 1) shape.erase(0);
  return moved.reshape(shape);
}

class Mover {
 public:
  explicit Mover(Rewriter& r) : r_(r) {}

  void visit(NodeId n) {
    if (r_.node(n).op == &op::Transpose)
      join(n);
    else
      push(n);
  }

  // What is left and moves only axes of size 1 is a Reshape.
  void make_reshape(NodeId n) {
    const Node& node = r_.node(n);
    if (node.op != &op::Transpose) return;
    const ValueId x = node.inputs[0], y = node.outputs[0];
    if (!r_.type(x).ranked) return;
    if (r_.users(y).empty() && !r_.is_output(y)) return;
    const Dims& dims = r_.type(x).dims;
    const Order order = graph::order_of(node, dims.size());
    if (!graph::keeps_elements_in_place(dims, order)) return;
    r_.at(n);
    if (const auto reshaped = graph::reshaped(r_, x, graph::reordered(dims, order)))
      r_.replace(y, *reshaped);
  }

 private:
  ValueId transposed(ValueId x, const Order& order) {
    if (graph::is_identity(order)) return x;
    return r_.add(op::Transpose, {x}, {{"perm", AttrValue(order)}});
  }

  // A Transpose that does nothing, or follows another.
  void join(NodeId n) {
    const ValueId x = r_.node(n).inputs[0], y = r_.node(n).outputs[0];
    const auto order = transposed_by(r_, y);
    if (!order) return;
    if (graph::is_identity(*order)) return r_.replace(y, x);
    const auto before = transposed_by(r_, x);
    if (!before) return;
    const Order both = graph::compose(*before, *order);
    if (!graph::is_identity(both) && !r_.used_once(x)) return;
    const ValueId source = r_.node(r_.producer(x)).inputs[0];
    r_.at(n);
    r_.replace(y, transposed(source, both));
  }

  bool is_read(ValueId id) const {
    return id != kNoValue && (!r_.users(id).empty() || r_.is_output(id));
  }

  // Whether all inputs are to be had in the order before.
  template <class Fits>
  bool fits(const Node& node, const ReorderedCall& call, const Order& order,
            Fits&& fits_too) const {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (!call.data[i] || id == kNoValue) continue;
      if (transposed_by(r_, id) != order && !is_free(r_, id, order) && !fits_too(id)) return false;
    }
    return true;
  }

  void push(NodeId n) {
    std::vector<Order> tried;
    for (size_t i = 0; i < r_.node(n).inputs.size(); ++i) {
      const auto order = transposed_by(r_, r_.node(n).inputs[i]);
      if (!order || std::ranges::find(tried, *order) != tried.end()) continue;
      tried.push_back(*order);
      const auto call = graph::reordered_call(r_, r_.node(n), *order);
      if (!call || !call->data[i]) continue;
      if (!fits(r_.node(n), *call, *order, [](ValueId) { return false; })) continue;
      if (!pays(r_.node(n), *call, *order)) continue;
      return rewrite(n, *call, *order);
    }
  }

  bool pays(const Node& node, const ReorderedCall& call, const Order& order) {
    std::set<ValueId> gone;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!call.data[i] || transposed_by(r_, node.inputs[i]) != order) continue;
      const auto users = r_.users(node.inputs[i]);
      const bool only_here =
          std::ranges::all_of(users, [&](NodeId user) { return &r_.node(user) == &node; });
      if (only_here && !r_.is_output(node.inputs[i])) gone.insert(node.inputs[i]);
    }
    size_t added = 0;
    for (const ValueId id : node.outputs) {
      if (!is_read(id)) continue;
      if (!r_.type(id).ranked || r_.type(id).dims.size() != call.output.size()) return false;
      const Dims before = graph::reordered(r_.type(id).dims, graph::inverse(call.output));
      if (!graph::keeps_elements_in_place(before, call.output)) ++added;
    }
    if (gone.size() > added || graph::is_identity(call.output)) return true;
    budget_ = kMaxSearch;
    seen_.clear();
    return std::ranges::any_of(
        node.outputs, [&](ValueId id) { return is_read(id) && leads_to_inverse(id, call.output); });
  }

  // Whether a Transpose(, order) that makes `id`, moved on, would vanish.
  bool leads_to_inverse(ValueId id, const Order& order) {
    if (--budget_ < 0 || !seen_.emplace(id, order).second) return false;
    for (const NodeId user : r_.users(id)) {
      const Node& node = r_.node(user);
      if (node.op == &op::Transpose) {
        if (graph::is_identity(graph::compose(order, graph::order_of(node, order.size()))))
          return true;
        continue;
      }
      const auto call = graph::reordered_call(r_, node, order);
      if (!call) continue;
      const auto fits_too = [&](ValueId other) {
        return other == id || will_be_transposed(other, order);
      };
      if (!fits(node, *call, order, fits_too)) continue;
      if (graph::is_identity(call->output)) return true;
      for (const ValueId output : node.outputs)
        if (is_read(output) && leads_to_inverse(output, call->output)) return true;
    }
    return false;
  }

  // Whether the Transposes that a value is computed from will be moved to it.
  bool will_be_transposed(ValueId id, const Order& order) {
    if (--budget_ < 0) return false;
    const NodeId maker = r_.producer(id);
    if (maker < 0) return false;
    if (transposed_by(r_, id) == order) return true;
    const Node& node = r_.node(maker);
    const auto call = graph::reordered_call(r_, node, order);
    if (!call || call->output != order) return false;
    bool any = false;
    const bool all = fits(node, *call, order, [&](ValueId other) {
      any = will_be_transposed(other, order);
      return any;
    });
    return all && (any || std::ranges::any_of(node.inputs, [&](ValueId input) {
                     return transposed_by(r_, input) == order;
                   }));
  }

  ValueId before(ValueId id, const Order& order) {
    if (transposed_by(r_, id) == order) return r_.node(r_.producer(id)).inputs[0];
    const Dims dims = *full_dims(r_, id, order.size());
    if (is_one_element(dims)) return id;
    if (r_.constant(id)) return r_.constant(constant_before(*r_.constant(id), order));
    return *graph::reshaped(r_, id, graph::reordered(dims, graph::inverse(order)));
  }

  void rewrite(NodeId n, const ReorderedCall& call, const Order& order) {
    const Node node = r_.node(n);
    r_.at(n);
    std::vector<ValueId> inputs = node.inputs;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (call.data[i] && inputs[i] != kNoValue) inputs[i] = before(inputs[i], order);
    for (const auto& [i, contents] : call.lists) {
      if (i >= inputs.size()) inputs.resize(i + 1, kNoValue);
      inputs[i] = r_.constant(contents);
    }
    const std::vector<ValueId> outputs =
        r_.add_all(*node.op, std::move(inputs), call.attrs, node.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i)
      if (is_read(node.outputs[i]))
        r_.replace(node.outputs[i], transposed(outputs[i], call.output));
  }

  Rewriter& r_;
  int budget_ = 0;  // values that may still be looked at
  std::set<std::pair<ValueId, Order>> seen_;
};

void run(Rewriter& r) {
  Mover mover(r);
  for (const NodeId n : r.nodes())
    if (r.alive(n)) mover.visit(n);
  for (const NodeId n : r.nodes())
    if (r.alive(n)) mover.make_reshape(n);
}

}  // namespace

constinit const Pass cancel_transposes{"cancel_transposes",
                                       "Transposes are moved to where they undo each other.", run};

}  // namespace tenon::passes
