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
    if (std::ranges::find(known, name) == known.end())
      fail(ErrorKind::usage, "no pass is named {}{}; the passes are {}", name,
           text::did_you_mean(name, known), text::join(known, ", "));
  }
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
