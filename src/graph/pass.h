// Graph passes: what a compiler does to a graph, one file a pass, in the order of the list in
// graph/passes/CMakeLists.txt.
//
//   void run(Rewriter& r) {
//     for (NodeId n : r.nodes()) {
//       if (!r.alive(n) || r.node(n).op != &op::Identity) continue;
//       r.replace(r.node(n).outputs[0], r.node(n).inputs[0]);
//     }
//   }
//   constinit const Pass drop_identity{"drop_identity", "Identity gives way to what it copies.",
//   run};
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/rewrite.h"

namespace tenon {

struct Pass {
  std::string_view name;
  std::string_view doc;  // one line
  void (*run)(graph::Rewriter& rewriter);
  // Whether other runtimes know what it makes: operators of ONNX and com.microsoft only. The others
  // are left out when the result is to be written as an ONNX file.
  bool portable = true;
};

namespace graph {

struct PassOptions {
  std::vector<std::string> without;  // passes to leave out; unknown names fail (usage)
  std::vector<std::string> only;     // when not empty: no others
  bool portable = false;             // only passes whose result other runtimes know
  bool verify = false;               // check the graph after each pass (tests, --verify)
  // Called after every pass that changed something (--dump-after).
  std::function<void(const Pass&, const Graph&)> after;
};

struct PassResult {
  const Pass* pass = nullptr;
  int changes = 0;     // values replaced
  double seconds = 0;  // all rounds together
};

// Of the bodies of control flow first, innermost first: their inputs (captures are the last) and
// outputs stay as they are, and constants of the graph around are constants there already. Then
// runs the portable passes in list order, again until nothing changes any more (at most kMaxRounds
// times); then the others, once.
inline constexpr int kMaxRounds = 4;
std::vector<PassResult> run_passes(Graph& graph, const PassOptions& options = {});

}  // namespace graph

}  // namespace tenon
