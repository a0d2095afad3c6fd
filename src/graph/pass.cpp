// The pass manager.
#include "graph/pass.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/trace.h"
#include "graph/passes/catalog.h"

namespace tenon::graph {

namespace {

void check_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    std::vector<std::string> known;
    for (const Pass* pass : passes::all()) known.emplace_back(pass->name);
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::string near = text::did_you_mean(name, known);
    fail(ErrorKind::usage, "no pass is named '{}'; {}", name,
         near.empty() ? fmt::format("the passes are {}", text::join(known, ", "))
                      : fmt::format("did you mean '{}'?", near));
  }
}

// The attributes with graphs among them after the passes; `results` counts what was done there.
Attrs with_passes_run(const Attrs& attrs, const PassOptions& options,
                      std::vector<PassResult>& results) {
  Attrs changed = attrs;
  for (const Attr& attr : attrs.list()) {
    const auto* held = std::get_if<std::shared_ptr<const Subgraph>>(&attr.value);
    const auto* given = held ? dynamic_cast<const Graph*>(held->get()) : nullptr;
    if (!given) continue;
    auto body = std::make_shared<Graph>(*given);
    const std::vector<PassResult> inside = run_passes(*body, options);
    int changes = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      results[i].changes += inside[i].changes;
      results[i].seconds += inside[i].seconds;
      changes += inside[i].changes;
    }
    if (changes > 0)
      changed = changed.with({attr.name, std::shared_ptr<const Subgraph>(std::move(body))});
  }
  return changed;
}

}  // namespace

std::vector<PassResult> run_passes(Graph& graph, const PassOptions& options) {
  check_names(options.without);
  check_names(options.only);
  const auto holds = [](const std::vector<std::string>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  std::vector<PassResult> results;
  for (const Pass* pass : passes::all()) {
    const bool named = options.only.empty() || holds(options.only, pass->name);
    if (named && !holds(options.without, pass->name) && (pass->portable || !options.portable))
      results.push_back({pass});
  }
  const auto holds_graphs = [](const Attr& attr) {
    return std::holds_alternative<std::shared_ptr<const Subgraph>>(attr.value);
  };
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    if (std::ranges::none_of(graph.nodes()[n].attrs.list(), holds_graphs)) continue;
    const Attrs attrs = graph.nodes()[n].attrs;
    Rewriter(graph, "bodies")
        .set_attrs(static_cast<NodeId>(n), with_passes_run(attrs, options, results));
  }
  // A pass sees nothing new in a graph that nobody, itself included, has touched since it began
  // last.
  int64_t version = 1;
  std::vector<int64_t> seen(results.size(), 0);
  const auto run = [&](size_t index) {
    PassResult& result = results[index];
    if (std::exchange(seen[index], version) == version) return 0;
    const trace::Span span("pass", result.pass->name);
    const int64_t begin = trace::now_ns();
    Rewriter rewriter(graph, result.pass->name);
    with_context([&] { return fmt::format("in the pass {}", result.pass->name); },
                 [&] {
                   result.pass->run(rewriter);
                   rewriter.finish();
                   if (options.verify) graph.verify();
                 });
    result.seconds += static_cast<double>(trace::now_ns() - begin) * 1e-9;
    result.changes += rewriter.changes();
    if (rewriter.touched()) ++version;
    if (options.after && rewriter.changes() > 0) options.after(*result.pass, graph);
    return rewriter.changes();
  };
  for (int round = 0, changed = 1; round < kMaxRounds && changed > 0; ++round) {
    changed = 0;
    for (size_t i = 0; i < results.size(); ++i)
      if (results[i].pass->portable) changed += run(i);
  }
  // What Tenon's own operators took in, no other pass can see any more.
  for (size_t i = 0; i < results.size(); ++i)
    if (!results[i].pass->portable) run(i);
  return results;
}

}  // namespace tenon::graph
