// Changes drawn from a seed.
#include "model_mutation.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/random.h"
#include "ops/catalog.h"

namespace tenon {

namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;

constexpr std::array<int64_t, 16> kInts{
    0, 1, 2, 3, 5, 7, 16, -1, -2, -3, 255, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
constexpr std::array kFloats{0.0F,
                             -1.0F,
                             0.5F,
                             1e30F,
                             -1e30F,
                             std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity()};

class Mutation {
 public:
  explicit Mutation(uint64_t seed) : random_(seed ^ 0x9e3779b97f4a7c15ULL) {}

  std::string run(std::string bytes) {
    for (size_t left = 1 + below(2); left; --left) {
      ::onnx::ModelProto model;
      if (below(6) && model.ParseFromString(bytes) && model.has_graph()) {
        change_model(model);
        bytes = model.SerializeAsString();
      } else {
        change_bytes(bytes);
      }
    }
    return bytes;
  }

 private:
  size_t below(size_t bound) { return static_cast<size_t>(random_.below(bound)); }
  template <class List>
  auto pick(const List& list) {
    return list[below(list.size())];
  }
  template <class Field>
  auto* any_of(Field* field) {
    return field->size()
               ? field->Mutable(static_cast<int>(below(static_cast<size_t>(field->size()))))
               : nullptr;
  }

  void change_bytes(std::string& bytes) {
    if (bytes.empty()) return;
    const size_t at = below(bytes.size()), length = 1 + below(std::min<size_t>(16, bytes.size()));
    switch (below(5)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 1: bytes[at] = static_cast<char>(random_.next_u32()); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.erase(at, length); break;
      case 4: bytes.insert(at, bytes.substr(below(bytes.size()), length)); break;
    }
  }

  void change_model(::onnx::ModelProto& model) {
    if (below(16) == 0 && model.opset_import_size())
      return any_of(model.mutable_opset_import())->set_version(static_cast<int64_t>(below(30)));
    change_graph(*model.mutable_graph());
  }

  void change_graph(GraphProto& graph) {
    switch (below(6)) {
      case 0: return change_tensor(any_of(graph.mutable_initializer()));
      case 1: return change_type(any_of(graph.mutable_input()));
      default: break;
    }
    NodeProto* node = any_of(graph.mutable_node());
    if (!node) return;
    for (auto& attribute : *node->mutable_attribute())
      if (attribute.has_g() && below(2)) return change_graph(*attribute.mutable_g());
    change_node(*node, graph);
  }

  void change_node(NodeProto& node, const GraphProto& graph) {
    switch (below(7)) {
      case 0:
        if (node.input_size() > 1) node.mutable_input()->SwapElements(0, node.input_size() - 1);
        break;
      case 1:
        if (auto* input = any_of(node.mutable_input())) input->clear();
        break;
      case 2:
        if (auto* input = any_of(node.mutable_input()); input && graph.input_size())
          *input =
              graph.input(static_cast<int>(below(static_cast<size_t>(graph.input_size())))).name();
        break;
      case 3:
        if (graph.input_size()) node.add_input(graph.input(0).name());
        break;
      case 4: {
        const OpDef& op = *pick(op::all());
        node.set_op_type(std::string(op.name));
        node.set_domain(std::string(op.onnx.domain));
        break;
      }
      default: change_attribute(node);
    }
  }

  void change_attribute(NodeProto& node) {
    AttributeProto* attribute = any_of(node.mutable_attribute());
    const OpDef* op = op::find(node.op_type(), node.domain());
    if (op && op->attrs.size() && (!attribute || below(3) == 0)) {
      attribute = node.add_attribute();
      attribute->set_name(std::string(op->attrs[below(op->attrs.size())].name));
      if (below(2))
        attribute->set_i(0);
      else
        attribute->add_ints(0);
    }
    if (!attribute) return;
    if (below(12) == 0) return attribute->clear_name();
    if (attribute->has_t()) return change_tensor(attribute->mutable_t());
    if (attribute->has_i()) attribute->set_i(pick(kInts));
    if (attribute->has_f()) attribute->set_f(pick(kFloats));
    if (attribute->has_s()) attribute->set_s(below(2) ? "" : attribute->s() + "x");
    if (below(4) == 0)
      attribute->add_ints(pick(kInts));
    else if (attribute->ints_size())
      attribute->set_ints(static_cast<int>(below(static_cast<size_t>(attribute->ints_size()))),
                          pick(kInts));
    if (attribute->floats_size()) attribute->set_floats(0, pick(kFloats));
    if (attribute->has_type()) attribute->clear_type();
  }

  void change_tensor(::onnx::TensorProto* tensor) {
    if (!tensor) return;
    switch (below(5)) {
      case 0: tensor->set_data_type(static_cast<int>(below(28))); break;
      case 1: tensor->add_dims(pick(kInts)); break;
      case 2:
        if (tensor->dims_size()) tensor->set_dims(0, pick(kInts));
        break;
      case 3:
        if (tensor->int64_data_size()) tensor->set_int64_data(0, pick(kInts));
        if (tensor->float_data_size()) tensor->set_float_data(0, pick(kFloats));
        break;
      case 4:
        if (tensor->has_raw_data()) change_bytes(*tensor->mutable_raw_data());
        break;
    }
  }

  void change_type(::onnx::ValueInfoProto* value) {
    if (!value || !value->type().has_tensor_type()) return;
    auto& type = *value->mutable_type()->mutable_tensor_type();
    switch (below(5)) {
      case 0: type.set_elem_type(static_cast<int>(below(28))); break;
      case 1: type.clear_shape(); break;
      case 2: type.mutable_shape()->add_dim()->set_dim_value(static_cast<int64_t>(below(4))); break;
      case 3:
        if (auto* dim = any_of(type.mutable_shape()->mutable_dim()))
          dim->set_dim_value(static_cast<int64_t>(below(4)));
        break;
      case 4:
        if (auto* dim = any_of(type.mutable_shape()->mutable_dim())) dim->set_dim_param("n");
        break;
    }
  }

  Generator random_;
};

}  // namespace

std::string mutated(const std::string& model, uint64_t seed) { return Mutation(seed).run(model); }

}  // namespace tenon
