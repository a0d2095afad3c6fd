// Decision trees laid out for walking: the children of a node are neighbours, and a leaf leads to
// itself, so that several walks take the same steps side by side.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/ml/trees.h"

namespace tenon::cpu {

// T is float or double, what the trees compare and add up in.
template <class T>
class PackedTrees {
 public:
  // Walks taken side by side: enough to hide the latency of a load from the second-level cache.
  static constexpr int kLanes = 16;

  explicit PackedTrees(const trees::Forest& forest);

  int64_t tree_count() const { return static_cast<int64_t>(roots_.size()); }
  size_t bytes() const { return nodes_.size() * sizeof(Node); }

  // Where kLanes rows end up in one tree; `rows` are their first features.
  void walk_rows(int64_t tree, const T* const* rows, int32_t* leaves) const;
  // Where one row ends up in kLanes trees from `tree` on, or in as many as there are.
  void walk_trees(int64_t tree, const T* row, int32_t* leaves) const;

  struct Votes {
    const int64_t* targets;
    const T* weights;
    int32_t count;
  };
  Votes votes(int32_t leaf) const {
    const Leaf& at = leaves_[static_cast<size_t>(nodes_[static_cast<size_t>(leaf)].feature)];
    return {targets_.data() + at.first, weights_.data() + at.first, at.count};
  }

 private:
  // The next node is child if the test holds, else child + 1; of a leaf, both are the leaf.
  struct Node {
    T value;
    int32_t child;
    int32_t feature;  // of a leaf: its place in leaves_
    uint8_t step;     // 0: a leaf
    trees::Mode mode;
    bool missing_yes;
    int32_t set = 0;  // of a member node
  };
  struct Leaf {
    int32_t first, count;
  };
  struct Root {
    int32_t node, depth;
  };
  // All inner nodes make one comparison: then a walk does not ask which.
  enum class Kind : uint8_t { leq, leq_missing, lt, lt_missing, any };

  template <Kind kind>
  bool holds(const Node& node, T x) const;
  template <Kind kind>
  void walk(const int32_t* roots, int depth, const T* const* rows, int32_t* leaves) const;
  void walk(const int32_t* roots, int depth, const T* const* rows, int32_t* leaves) const;
  int32_t pack(const trees::Forest& forest, int32_t root);

  std::vector<Node> nodes_;
  std::vector<Leaf> leaves_;
  std::vector<Root> roots_;
  std::vector<int64_t> targets_;
  std::vector<T> weights_;
  std::vector<std::vector<T>> sets_;  // sorted
  Kind kind_ = Kind::any;
};

extern template class PackedTrees<float>;
extern template class PackedTrees<double>;

}  // namespace tenon::cpu
