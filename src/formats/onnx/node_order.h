// The order in which the nodes of an ONNX graph can be recorded.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
template <typename Element>
class RepeatedPtrField;
}
namespace onnx {
class NodeProto;
}

namespace tenon::formats {

// Indices of the nodes, each after the makers of its inputs, otherwise as in the file. `known`
// tells the names that exist without any node. Fails (data) on cycles and on names that are made
// twice; `where` ("model.onnx") ends the messages.
std::vector<int> order_nodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes,
                             const std::function<bool(const std::string&)>& known,
                             std::string_view where);

// "conv1", or "12 (Conv)" for a node without a name.
std::string node_label(const ::onnx::NodeProto& node, int index);

}  // namespace tenon::formats
