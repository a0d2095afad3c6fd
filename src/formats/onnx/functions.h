// The functions that an ONNX model defines for itself, and calls of them, which import writes out.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace onnx {
class AttributeProto;
class FunctionProto;
class ModelProto;
class NodeProto;
}  // namespace onnx

namespace tenon::formats {

// Refers to the model.
class Functions {
 public:
  // Fails (data) where two have one domain, name and overload.
  explicit Functions(const ::onnx::ModelProto& model);
  // The function that a node calls; null for operators. Functions come before operators of the
  // name.
  const ::onnx::FunctionProto* find(const ::onnx::NodeProto& node) const;

 private:
  // domain, name, overload
  std::map<std::tuple<std::string, std::string, std::string>, const ::onnx::FunctionProto*>
      by_name_;
};

// One call: which opsets its body uses, and the attributes that the body's nodes refer to.
class FunctionCall {
 public:
  FunctionCall(const ::onnx::FunctionProto& function, const ::onnx::NodeProto& node,
               const FunctionCall* outer);

  int opset(std::string_view domain) const;  // 0 where the function names none
  // Null where neither the call nor the function gives the attribute a value.
  const ::onnx::AttributeProto* attribute(const std::string& name) const;

 private:
  const ::onnx::FunctionProto& function_;
  std::map<std::string, const ::onnx::AttributeProto*> attributes_;
  std::vector<std::shared_ptr<const ::onnx::AttributeProto>> defaults_;
};

}  // namespace tenon::formats
