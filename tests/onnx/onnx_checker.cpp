// Calls the checker.
#include "onnx_checker.h"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <exception>

namespace tenon {

std::string objection_of_onnx(const std::string& model) {
  try {
    ::onnx::ModelProto proto;
    if (!proto.ParseFromString(model)) return "it is no ModelProto";
    ::onnx::checker::check_model(proto);
    const ::onnx::ShapeInferenceOptions strict(true, 1, true);
    ::onnx::shape_inference::InferShapes(proto, ::onnx::OpSchemaRegistry::Instance(), strict);
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace tenon
