// Kahn's algorithm (Topological sorting of large networks, CACM 1962), the first free node first.
#include "formats/onnx/node_order.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "base/error.h"
#include "base/text.h"

namespace tenon::formats {

std::string node_label(const ::onnx::NodeProto& node, int index) {
  return node.name().empty() ? fmt::format("{} ({})", index, node.op_type())
                             : text::printable(node.name());
}

std::vector<int> order_nodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes,
                             const std::function<bool(const std::string&)>& known,
                             std::string_view where) {
  std::unordered_map<std::string_view, int> makers;
  for (int n = 0; n < nodes.size(); ++n) {
    for (const std::string& output : nodes[n].output()) {
      if (output.empty()) continue;
      TENON_CHECK(!known(output), data,
                  "node {} of {} makes {}, which is an input or an initialiser already; "
                  "the file is damaged",
                  node_label(nodes[n], n), where, text::quoted(output));
      const auto [at, is_new] = makers.emplace(output, n);
      TENON_CHECK(is_new, data, "nodes {} and {} of {} both make {}; the file is damaged",
                  node_label(nodes[at->second], at->second), node_label(nodes[n], n), where,
                  text::quoted(output));
    }
  }

  std::vector<std::vector<int>> readers(static_cast<size_t>(nodes.size()));
  std::vector<int> waits(static_cast<size_t>(nodes.size()), 0);
  for (int n = 0; n < nodes.size(); ++n) {
    for (const std::string& input : nodes[n].input()) {
      const auto maker = makers.find(input);
      if (maker == makers.end()) continue;
      readers[static_cast<size_t>(maker->second)].push_back(n);
      ++waits[static_cast<size_t>(n)];
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> free;
  for (int n = 0; n < nodes.size(); ++n)
    if (!waits[static_cast<size_t>(n)]) free.push(n);
  std::vector<int> order;
  while (!free.empty()) {
    const int n = free.top();
    free.pop();
    order.push_back(n);
    for (int reader : readers[static_cast<size_t>(n)])
      if (--waits[static_cast<size_t>(reader)] == 0) free.push(reader);
  }
  if (order.size() != waits.size()) {
    const auto stuck =
        static_cast<int>(std::ranges::find_if(waits, [](int w) { return w > 0; }) - waits.begin());
    fail(ErrorKind::data,
         "node {} of {} depends on its own output, directly or by other nodes; a graph must have "
         "no cycles",
         node_label(nodes[stuck], stuck), where);
  }
  return order;
}

}  // namespace tenon::formats
