#include "engine/compiled_body.h"

#include <algorithm>
#include <mutex>

#include "graph/rewrite.h"

namespace tenon::engine {

namespace {

// What control flow asks of a body again and again: its types for given shapes.
class KnownTypes {
 public:
  bool find(const std::vector<int64_t>& key, std::vector<TensorType>& types) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& [known, result] : entries_)
      if (known == key) {
        types = result;
        return true;
      }
    return false;
  }
  void add(std::vector<int64_t> key, std::vector<TensorType> types) const {
    const std::scoped_lock lock(mutex_);
    if (entries_.size() >= kMost) entries_.clear();
    entries_.emplace_back(std::move(key), std::move(types));
  }

 private:
  static constexpr size_t kMost = 16;
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<std::vector<int64_t>, std::vector<TensorType>>> entries_;
};

// Types and shapes as numbers; empty where more than that is known or something is not.
std::vector<int64_t> key_of(std::span<const TensorType> types) {
  std::vector<int64_t> key;
  for (const TensorType& type : types) {
    if (!type.ranked || is_container(type.dtype) || type.values || type.constant.defined() ||
        !is_static(type.dims))
      return {};
    key.push_back(static_cast<int64_t>(type.dtype));
    key.push_back(static_cast<int64_t>(type.dims.size()));
    for (const Dim& dim : type.dims) key.push_back(dim.value());
  }
  key.push_back(-1);
  return key;
}

class CompiledBody final : public Subgraph {
 public:
  CompiledBody(const graph::Graph& body, const SessionOptions& options)
      : body_(body), session_(body, options) {}

  size_t input_count() const override { return body_.input_count(); }
  size_t output_count() const override { return body_.output_count(); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const std::vector<int64_t> key = key_of(inputs);
    std::vector<TensorType> types;
    if (!key.empty() && known_.find(key, types)) return types;
    types = body_.infer(inputs);
    if (!key.empty()) known_.add(key, types);
    return types;
  }

  Run runner() const override {
    return [this](const TensorList& given) {
      const bool concrete = std::ranges::none_of(
          given, [](const Tensor& x) { return x.defined() && x.is_symbolic(); });
      return concrete ? session_.run(given) : body_.runner()(given);
    };
  }

 private:
  graph::Graph body_;
  Session session_;
  KnownTypes known_;
};

const graph::Graph* body_in(const Attr& attr) {
  const auto* held = std::get_if<std::shared_ptr<const Subgraph>>(&attr.value);
  return held ? dynamic_cast<const graph::Graph*>(held->get()) : nullptr;
}

bool has_bodies(const graph::Node& node) { return std::ranges::any_of(node.attrs.list(), body_in); }

}  // namespace

bool has_bodies(const graph::Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const graph::Node& node) { return has_bodies(node); });
}

graph::Graph compile_bodies(const graph::Graph& graph, const SessionOptions& options) {
  graph::Graph compiled = graph;
  graph::Rewriter r(compiled, "compile_bodies");
  for (graph::NodeId n : r.nodes()) {
    const graph::Node node = r.node(n);
    if (!r.alive(n) || !has_bodies(node)) continue;
    Attrs attrs = node.attrs;
    for (const Attr& attr : node.attrs.list())
      if (const graph::Graph* body = body_in(attr))
        attrs = attrs.with({attr.name, std::shared_ptr<const Subgraph>(
                                           std::make_shared<CompiledBody>(*body, options))});
    r.at(n);
    const auto outputs = r.add_all(*node.op, node.inputs, attrs, node.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i)
      if (node.outputs[i] != graph::kNoValue) r.replace(node.outputs[i], outputs[i]);
  }
  r.finish();
  return compiled;
}

}  // namespace tenon::engine
