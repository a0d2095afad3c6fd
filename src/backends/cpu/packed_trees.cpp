// Packing breadth first, and walking.
#include "backends/cpu/packed_trees.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tenon::cpu {

template <class T>
PackedTrees<T>::PackedTrees(const trees::Forest& forest) {
  for (const trees::Vote& vote : forest.votes) {
    targets_.push_back(vote.target);
    weights_.push_back(static_cast<T>(vote.weight));
  }
  nodes_.reserve(forest.nodes.size());
  for (const int32_t root : forest.roots) {
    const auto first = static_cast<int32_t>(nodes_.size());
    roots_.push_back({first, pack(forest, root)});
  }
  bool leq = true, lt = true, missing = false;
  for (const Node& node : nodes_) {
    if (node.step == 0) continue;
    leq = leq && node.mode == trees::Mode::leq;
    lt = lt && node.mode == trees::Mode::lt;
    missing = missing || node.missing_yes;
  }
  if (leq) kind_ = missing ? Kind::leq_missing : Kind::leq;
  if (lt && !leq) kind_ = missing ? Kind::lt_missing : Kind::lt;
}

// Appends a tree and returns its depth.
template <class T>
int32_t PackedTrees<T>::pack(const trees::Forest& forest, int32_t root) {
  struct Place {
    int32_t from, to, depth;
  };
  std::vector<Place> open{{root, static_cast<int32_t>(nodes_.size()), 0}};
  nodes_.emplace_back();
  int32_t deepest = 0;
  for (size_t next = 0; next < open.size(); ++next) {
    const Place place = open[next];
    const trees::Node& from = forest.nodes[static_cast<size_t>(place.from)];
    deepest = std::max(deepest, place.depth);
    Node node{};
    node.mode = from.mode;
    if (from.mode == trees::Mode::leaf) {
      node.child = place.to;
      node.feature = static_cast<int32_t>(leaves_.size());
      leaves_.push_back({from.first, from.last - from.first});
    } else {
      node.value = static_cast<T>(from.value);
      node.feature = static_cast<int32_t>(from.feature);
      node.missing_yes = from.missing_yes;
      node.step = 1;
      node.child = static_cast<int32_t>(nodes_.size());
      nodes_.resize(nodes_.size() + 2);
      open.push_back({from.yes, node.child, place.depth + 1});
      open.push_back({from.no, node.child + 1, place.depth + 1});
      if (from.mode == trees::Mode::member) {
        node.set = static_cast<int32_t>(sets_.size());
        std::vector<T>& set = sets_.emplace_back();
        for (int32_t i = from.first; i < from.last; ++i)
          set.push_back(static_cast<T>(forest.members[static_cast<size_t>(i)]));
        std::ranges::sort(set);
      }
    }
    nodes_[static_cast<size_t>(place.to)] = node;
  }
  return deepest;
}

template <class T>
template <typename PackedTrees<T>::Kind kind>
bool PackedTrees<T>::holds(const Node& node, T x) const {
  if constexpr (kind == Kind::leq) return x <= node.value;
  if constexpr (kind == Kind::lt) return x < node.value;
  if constexpr (kind == Kind::leq_missing) return x <= node.value || (node.missing_yes && x != x);
  if constexpr (kind == Kind::lt_missing) return x < node.value || (node.missing_yes && x != x);
  if (node.missing_yes && x != x) return true;
  switch (node.mode) {
    case trees::Mode::leq: return x <= node.value;
    case trees::Mode::lt: return x < node.value;
    case trees::Mode::gte: return x >= node.value;
    case trees::Mode::gt: return x > node.value;
    case trees::Mode::eq: return x == node.value;
    case trees::Mode::neq: return x != node.value;
    case trees::Mode::member:
      return x == x && std::ranges::binary_search(sets_[static_cast<size_t>(node.set)], x);
    case trees::Mode::leaf: break;
  }
  return true;
}

template <class T>
template <typename PackedTrees<T>::Kind kind>
void PackedTrees<T>::walk(const int32_t* roots, int depth, const T* const* rows,
                          int32_t* leaves) const {
  std::array<int32_t, kLanes> at;
  std::copy_n(roots, kLanes, at.begin());
  const Node* nodes = nodes_.data();
  for (int level = 0; level < depth; ++level) {
    unsigned moving = 0;
    for (int lane = 0; lane < kLanes; ++lane) {
      const Node& node = nodes[at[static_cast<size_t>(lane)]];
      // A leaf reads feature 0, which every row has, and does not move.
      const T x = rows[lane][node.step ? node.feature : 0];
      const int32_t no = holds<kind>(node, x) ? 0 : 1;
      at[static_cast<size_t>(lane)] = node.child + (no & node.step);
      moving |= node.step;
    }
    if (!moving) break;
  }
  std::copy_n(at.begin(), kLanes, leaves);
}

template <class T>
void PackedTrees<T>::walk(const int32_t* roots, int depth, const T* const* rows,
                          int32_t* leaves) const {
  switch (kind_) {
    case Kind::leq: return walk<Kind::leq>(roots, depth, rows, leaves);
    case Kind::leq_missing: return walk<Kind::leq_missing>(roots, depth, rows, leaves);
    case Kind::lt: return walk<Kind::lt>(roots, depth, rows, leaves);
    case Kind::lt_missing: return walk<Kind::lt_missing>(roots, depth, rows, leaves);
    case Kind::any: return walk<Kind::any>(roots, depth, rows, leaves);
  }
}

template <class T>
void PackedTrees<T>::walk_rows(int64_t tree, const T* const* rows, int32_t* leaves) const {
  const Root& root = roots_[static_cast<size_t>(tree)];
  std::array<int32_t, kLanes> roots;
  roots.fill(root.node);
  walk(roots.data(), root.depth, rows, leaves);
}

template <class T>
void PackedTrees<T>::walk_trees(int64_t tree, const T* row, int32_t* leaves) const {
  std::array<int32_t, kLanes> roots, ends;
  std::array<const T*, kLanes> rows;
  rows.fill(row);
  const auto count = static_cast<int>(std::min<int64_t>(kLanes, tree_count() - tree));
  int depth = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    const Root& root = roots_[static_cast<size_t>(tree + std::min(lane, count - 1))];
    roots[static_cast<size_t>(lane)] = root.node;
    depth = std::max(depth, root.depth);
  }
  walk(roots.data(), depth, rows.data(), ends.data());
  std::copy_n(ends.begin(), count, leaves);
}

template class PackedTrees<float>;
template class PackedTrees<double>;

}  // namespace tenon::cpu
