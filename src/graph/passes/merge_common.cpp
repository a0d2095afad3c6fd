// Nodes that compute the same from the same, and small constants that are equal, become one.
#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "graph/passes/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// Constants are compared byte by byte up to this size.
constexpr size_t kMaxBytes = size_t{1} << 16;
// Of each end.
constexpr size_t kHashedBytes = 64;

bool may_merge(const Rewriter& r, ValueId id) {
  const Tensor* tensor = r.constant(id);
  return tensor && !r.users(id).empty() && !r.is_output(id) && !is_container(tensor->dtype()) &&
         tensor->dtype() != DType::string && tensor->is_contiguous() &&
         tensor->bytes() <= kMaxBytes;
}

// Equal constants have equal keys; most others differ in type, shape, or at one of their ends.
uint64_t key_of(const Tensor& tensor) {
  uint64_t key = static_cast<uint64_t>(tensor.dtype());
  for (const int64_t size : tensor.shape()) key = hash_combine(key, static_cast<uint64_t>(size));
  const std::span bytes(static_cast<const std::byte*>(tensor.raw()), tensor.bytes());
  if (bytes.empty()) return key;
  const size_t part = std::min(bytes.size(), kHashedBytes);
  return hash64(bytes.last(part), hash64(bytes.first(part), key));
}

bool same_constant(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

void merge_constants(Rewriter& r) {
  std::unordered_multimap<uint64_t, ValueId> seen;
  const size_t count = r.graph().values().size();
  for (size_t v = 0; v < count; ++v) {
    const auto id = static_cast<ValueId>(v);
    if (!may_merge(r, id)) continue;
    const Tensor& tensor = *r.constant(id);
    const uint64_t key = key_of(tensor);
    const auto [first, last] = seen.equal_range(key);
    const auto same = std::find_if(first, last, [&](const auto& entry) {
      return same_constant(*r.constant(entry.second), tensor);
    });
    if (same == last)
      seen.emplace(key, id);
    else
      r.replace(id, same->second);
  }
}

bool may_merge(const Node& node) {
  // Identity gives outputs of the graph their own names.
  return !node.op->random && !node.op->structural && node.op != &op::Identity;
}

bool computes_the_same(const Node& a, const Node& b) {
  return a.op == b.op && a.inputs == b.inputs && a.outputs.size() == b.outputs.size() &&
         a.attrs == b.attrs;
}

void run(Rewriter& r) {
  merge_constants(r);
  std::unordered_multimap<uint64_t, NodeId> seen;
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n) || !may_merge(r.node(n))) continue;
    const Node node = r.node(n);
    uint64_t key = hash_combine(reinterpret_cast<uintptr_t>(node.op), node.attrs.hash());
    for (const ValueId id : node.inputs) key = hash_combine(key, static_cast<uint64_t>(id));
    const auto [first, last] = seen.equal_range(key);
    const auto same = std::find_if(first, last, [&](const auto& entry) {
      return r.alive(entry.second) && computes_the_same(r.node(entry.second), node);
    });
    if (same == last) {
      seen.emplace(key, n);
      continue;
    }
    const std::vector<ValueId> by = r.node(same->second).outputs;
    r.at(n);
    for (size_t i = 0; i < by.size(); ++i) {
      const bool read = node.outputs[i] != kNoValue &&
                        (!r.users(node.outputs[i]).empty() || r.is_output(node.outputs[i]));
      if (read && by[i] != kNoValue) r.replace(node.outputs[i], by[i]);
    }
  }
}

}  // namespace

constinit const Pass merge_common{
    "merge_common", "What is computed twice from the same inputs is computed once.", run};

}  // namespace tenon::passes
