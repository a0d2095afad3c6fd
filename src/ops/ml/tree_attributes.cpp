// Lists of nodes become trees.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "ops/ml/trees.h"

namespace tenon::trees {

namespace {

constexpr size_t kMaxNodes = INT32_MAX / 2;

struct Numbers {
  std::vector<double> values;
  bool doubles = false;
};

// A list of floats, or the same as a tensor, which may be of f64.
Numbers numbers_of(const Call& call, std::string_view list, const std::string& tensor_name) {
  const Tensor tensor = call.tensor(tensor_name);
  TENON_CHECK(!tensor.defined() || call.floats(list).empty(), usage,
              "{}: both {} and {} are given; give one", call.op.name, list, tensor_name);
  if (!tensor.defined()) return {{call.floats(list).begin(), call.floats(list).end()}, false};
  TENON_CHECK(is_float(tensor.dtype()), usage, "{}: {} is a tensor of {}; use f32 or f64",
              call.op.name, tensor_name, name(tensor.dtype()));
  return {tensor.to_vector<double>(), tensor.dtype() == DType::f64};
}
Numbers numbers_of(const Call& call, std::string_view list) {
  return numbers_of(call, list, std::string(list) + "_as_tensor");
}

void check_length(const Call& call, std::string_view list, size_t length, std::string_view as,
                  size_t wanted) {
  TENON_CHECK(length == wanted, usage, "{}: {} has {} entries but {} has {}; lengths must be equal",
              call.op.name, list, length, as, wanted);
}

int64_t target_count(const Call& call) {
  const int64_t count = call.has("n_targets") ? call.i("n_targets") : 0;
  TENON_CHECK(count > 0 && count <= INT32_MAX, usage, "{}: n_targets is {}; use 1 or more",
              call.op.name, count);
  return count;
}

void check_target(const Call& call, std::string_view list, int64_t id, int64_t targets) {
  TENON_CHECK(id >= 0 && id < targets, usage, "{}: {} holds {}; with {} of them use 0 to {}",
              call.op.name, list, id, targets, targets - 1);
}

Mode mode_of(const Call& call, const std::string& mode) {
  constexpr std::array<std::string_view, 8> kModes{
      "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "", "LEAF"};
  for (size_t i = 0; i < kModes.size(); ++i)
    if (mode == kModes[i] && !mode.empty()) return static_cast<Mode>(i);
  fail(ErrorKind::usage,
       "{}: nodes_modes holds '{}'; use BRANCH_LEQ, _LT, _GTE, _GT, _EQ, _NEQ or LEAF",
       call.op.name, mode);
}

// Finds nodes by the numbers of their trees and their own.
class NodeIndex {
 public:
  NodeIndex(const Call& call, std::span<const int64_t> trees, std::span<const int64_t> ids) {
    for (size_t i = 0; i < ids.size(); ++i) {
      const bool is_new = places_[trees[i]].emplace(ids[i], static_cast<int32_t>(i)).second;
      TENON_CHECK(is_new, usage, "{}: node {} of tree {} is there twice; number nodes differently",
                  call.op.name, ids[i], trees[i]);
    }
  }
  int32_t find(const Call& call, std::string_view list, int64_t tree, int64_t id) const {
    const auto nodes = places_.find(tree);
    const bool known = nodes != places_.end() && nodes->second.contains(id);
    TENON_CHECK(known, usage, "{}: {} names node {} of tree {}, which does not exist; repair it",
                call.op.name, list, id, tree);
    return nodes->second.at(id);
  }

 private:
  std::unordered_map<int64_t, std::unordered_map<int64_t, int32_t>> places_;
};

// Every node but leaves is reached once at most, so that every walk ends.
void check_walks(const Call& call, const Forest& forest) {
  std::vector<bool> seen(forest.nodes.size(), false);
  std::vector<int32_t> open(forest.roots.begin(), forest.roots.end());
  while (!open.empty()) {
    const auto at = static_cast<size_t>(open.back());
    open.pop_back();
    const Node& node = forest.nodes[at];
    if (node.mode == Mode::leaf) continue;
    TENON_CHECK(!seen[at], usage, "{}: node {} is reached twice; nodes must form trees",
                call.op.name, at);
    seen[at] = true;
    open.push_back(node.yes);
    open.push_back(node.no);
  }
}

// Sorts votes by their leaves, keeping their order, and points the leaves to them.
void give_votes(Forest& forest, std::span<const int32_t> leaves, std::span<const Vote> votes) {
  std::vector<int32_t> next(forest.nodes.size() + 1, 0);
  for (int32_t leaf : leaves) ++next[static_cast<size_t>(leaf) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  for (size_t i = 0; i < forest.nodes.size(); ++i) {
    if (forest.nodes[i].mode != Mode::leaf) continue;
    forest.nodes[i].first = next[i];
    forest.nodes[i].last = next[i + 1];
  }
  forest.votes.resize(votes.size());
  for (size_t i = 0; i < votes.size(); ++i)
    forest.votes[static_cast<size_t>(next[static_cast<size_t>(leaves[i])]++)] = votes[i];
}

// The two older operators. `prefix` is "class" or "target"; `trees` and `ids` are lists.
Forest read_lists(const Call& call, const std::string& prefix, int64_t targets) {
  Forest forest;
  forest.targets = targets;
  forest.post = scores::post_transform(call);

  const auto trees = call.ints("nodes_treeids"), ids = call.ints("nodes_nodeids");
  const auto features = call.ints("nodes_featureids");
  const auto yes = call.ints("nodes_truenodeids"), no = call.ints("nodes_falsenodeids");
  const auto missing = call.ints("nodes_missing_value_tracks_true");
  const auto modes = call.strings("nodes_modes");
  const Numbers values = numbers_of(call, "nodes_values");
  numbers_of(call, "nodes_hitrates");  // only checked: how often a node is visited
  const size_t count = trees.size();
  TENON_CHECK(count > 0 && count < kMaxNodes, usage,
              "{}: nodes_treeids has {} entries; give one a node", call.op.name, count);
  const std::pair<std::string_view, size_t> lengths[] = {
      {"nodes_nodeids", ids.size()},     {"nodes_featureids", features.size()},
      {"nodes_truenodeids", yes.size()}, {"nodes_falsenodeids", no.size()},
      {"nodes_modes", modes.size()},     {"nodes_values", values.values.size()}};
  for (const auto& [list, length] : lengths)
    check_length(call, list, length, "nodes_treeids", count);
  if (!missing.empty())
    check_length(call, "nodes_missing_value_tracks_true", missing.size(), "nodes_treeids", count);

  const NodeIndex index(call, trees, ids);
  std::unordered_set<int64_t> begun;
  for (size_t i = 0; i < count; ++i) {
    Node node;
    node.mode = mode_of(call, modes[i]);
    if (node.mode != Mode::leaf) {
      TENON_CHECK(features[i] >= 0 && features[i] <= INT32_MAX, usage,
                  "{}: nodes_featureids holds {}; features are numbered from 0", call.op.name,
                  features[i]);
      node.value = values.values[i];
      node.feature = features[i];
      node.yes = index.find(call, "nodes_truenodeids", trees[i], yes[i]);
      node.no = index.find(call, "nodes_falsenodeids", trees[i], no[i]);
      node.missing_yes = !missing.empty() && missing[i] != 0;
    }
    // The first node of a tree is its root.
    if (begun.insert(trees[i]).second) forest.roots.push_back(static_cast<int32_t>(i));
    forest.nodes.push_back(node);
  }
  check_walks(call, forest);

  const auto vote_trees = call.ints(prefix + "_treeids"),
             vote_nodes = call.ints(prefix + "_nodeids");
  const auto vote_targets = call.ints(prefix + "_ids");
  const Numbers weights = numbers_of(call, prefix + "_weights");
  check_length(call, prefix + "_treeids", vote_trees.size(), prefix + "_ids", vote_targets.size());
  check_length(call, prefix + "_nodeids", vote_nodes.size(), prefix + "_ids", vote_targets.size());
  check_length(call, prefix + "_weights", weights.values.size(), prefix + "_ids",
               vote_targets.size());
  std::vector<int32_t> leaves;
  std::vector<Vote> votes;
  for (size_t i = 0; i < vote_targets.size(); ++i) {
    check_target(call, prefix + "_ids", vote_targets[i], targets);
    leaves.push_back(index.find(call, prefix + "_nodeids", vote_trees[i], vote_nodes[i]));
    votes.push_back({vote_targets[i], weights.values[i]});
  }
  give_votes(forest, leaves, votes);

  Numbers base = numbers_of(call, "base_values");
  forest.doubles = values.doubles || weights.doubles || base.doubles;
  forest.base = std::move(base.values);
  return forest;
}

// The sets of BRANCH_MEMBER nodes, in the order of the nodes, each ended by a NaN.
void read_members(const Call& call, Forest& forest) {
  const Tensor given = call.tensor("membership_values");
  if (given.defined()) forest.members = given.to_vector<double>();
  size_t at = 0;
  for (Node& node : forest.nodes) {
    if (node.mode != Mode::member) continue;
    const auto begin = forest.members.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end =
        std::find_if(begin, forest.members.end(), [](double value) { return std::isnan(value); });
    TENON_CHECK(end != forest.members.end(), usage,
                "{}: membership_values has fewer sets than there are BRANCH_MEMBER nodes; end each "
                "with a NaN",
                call.op.name);
    node.first = static_cast<int32_t>(at);
    node.last = static_cast<int32_t>(end - forest.members.begin());
    at = static_cast<size_t>(node.last) + 1;
  }
  TENON_CHECK(
      at == forest.members.size(), usage,
      "{}: membership_values has more sets than there are BRANCH_MEMBER nodes; give one each",
      call.op.name);
}

}  // namespace

Forest read_classifier(const Call& call) {
  const size_t classes =
      std::max(call.ints("classlabels_int64s").size(), call.strings("classlabels_strings").size());
  class_labels(call, "classlabels_int64s", "classlabels_strings");
  Forest forest = read_lists(call, "class", static_cast<int64_t>(classes));
  const size_t base = forest.base.size();
  TENON_CHECK(base == 0 || base == classes || (base == 1 && classes == 2), usage,
              "{}: {} base values for {} classes; give one a class", call.op.name, base, classes);
  return forest;
}

Forest read_regressor(const Call& call) {
  const int64_t targets = target_count(call);
  Forest forest = read_lists(call, "target", targets);
  const std::string_view how = call.s("aggregate_function");
  forest.aggregate = how == "AVERAGE" ? Aggregate::average
                     : how == "MIN"   ? Aggregate::min
                     : how == "MAX"   ? Aggregate::max
                                      : Aggregate::sum;
  TENON_CHECK(forest.base.empty() || forest.base.size() == static_cast<size_t>(targets), usage,
              "{}: {} base values for {} targets; give one a target", call.op.name,
              forest.base.size(), targets);
  return forest;
}

Forest read_ensemble(const Call& call) {
  Forest forest;
  forest.targets = target_count(call);
  const int64_t aggregate = call.i("aggregate_function"), post = call.i("post_transform");
  TENON_CHECK(aggregate >= 0 && aggregate <= 3, usage,
              "{}: aggregate_function is {}; use 0 (average), 1 (sum), 2 (min) or 3 (max)",
              call.op.name, aggregate);
  TENON_CHECK(post >= 0 && post <= 4, usage,
              "{}: post_transform is {}; use 0 (none), 1 (softmax), 2 (logistic), 3 (softmax_zero) "
              "or 4 (probit)",
              call.op.name, post);
  forest.aggregate = static_cast<Aggregate>(aggregate);
  forest.post = static_cast<scores::PostTransform>(post);

  const auto features = call.ints("nodes_featureids");
  const auto yes = call.ints("nodes_truenodeids"), no = call.ints("nodes_falsenodeids");
  const auto yes_leaf = call.ints("nodes_trueleafs"), no_leaf = call.ints("nodes_falseleafs");
  const auto missing = call.ints("nodes_missing_value_tracks_true");
  const auto targets = call.ints("leaf_targetids");
  const Numbers splits = numbers_of(call, "", "nodes_splits");
  const Numbers weights = numbers_of(call, "", "leaf_weights");
  const std::vector<int64_t> modes = call.tensor("nodes_modes").to_vector<int64_t>();
  const size_t count = features.size(), leaves = targets.size();
  TENON_CHECK(count < kMaxNodes && leaves > 0 && leaves < kMaxNodes, usage,
              "{}: {} nodes and {} leaves; give at least one leaf", call.op.name, count, leaves);
  const std::pair<std::string_view, size_t> lengths[] = {
      {"nodes_truenodeids", yes.size()},      {"nodes_falsenodeids", no.size()},
      {"nodes_trueleafs", yes_leaf.size()},   {"nodes_falseleafs", no_leaf.size()},
      {"nodes_splits", splits.values.size()}, {"nodes_modes", modes.size()}};
  for (const auto& [list, length] : lengths)
    check_length(call, list, length, "nodes_featureids", count);
  if (!missing.empty())
    check_length(call, "nodes_missing_value_tracks_true", missing.size(), "nodes_featureids",
                 count);
  check_length(call, "leaf_weights", weights.values.size(), "leaf_targetids", leaves);

  // Leaves stand behind the other nodes.
  const auto child = [&](std::string_view list, int64_t id, bool leaf) {
    const size_t most = leaf ? leaves : count;
    TENON_CHECK(id >= 0 && id < static_cast<int64_t>(most), usage,
                "{}: {} holds {}; there are {} {}", call.op.name, list, id, most,
                leaf ? "leaves" : "nodes");
    return static_cast<int32_t>(leaf ? static_cast<int64_t>(count) + id : id);
  };
  for (size_t i = 0; i < count; ++i) {
    TENON_CHECK(modes[i] >= 0 && modes[i] < static_cast<int64_t>(Mode::leaf), usage,
                "{}: nodes_modes holds {}; use 0 to 6", call.op.name, modes[i]);
    TENON_CHECK(features[i] >= 0 && features[i] <= INT32_MAX, usage,
                "{}: nodes_featureids holds {}; features are numbered from 0", call.op.name,
                features[i]);
    Node node;
    node.mode = static_cast<Mode>(modes[i]);
    node.value = splits.values[i];
    node.feature = features[i];
    node.yes = child("nodes_truenodeids", yes[i], yes_leaf[i] != 0);
    node.no = child("nodes_falsenodeids", no[i], no_leaf[i] != 0);
    node.missing_yes = !missing.empty() && missing[i] != 0;
    forest.nodes.push_back(node);
  }
  for (size_t i = 0; i < leaves; ++i) {
    check_target(call, "leaf_targetids", targets[i], forest.targets);
    Node leaf;
    leaf.first = static_cast<int32_t>(i);
    leaf.last = leaf.first + 1;
    forest.nodes.push_back(leaf);
    forest.votes.push_back({targets[i], weights.values[i]});
  }
  for (int64_t root : call.ints("tree_roots"))
    forest.roots.push_back(child("tree_roots", root, false));
  check_walks(call, forest);
  read_members(call, forest);
  forest.doubles = splits.doubles || weights.doubles;
  return forest;
}

}  // namespace tenon::trees
