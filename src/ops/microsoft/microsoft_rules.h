// What the operators of com.microsoft have in common. They are what ONNX Runtime's optimiser and
// exporters write (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md),
// and expand into ONNX's.
#pragma once

#include <string_view>
#include <vector>

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::microsoft {

inline constexpr std::string_view kDomain = "com.microsoft";

// Types of the outputs of another operator, given inputs that stand for its own; what it complains
// about is said in the name of this call.
std::vector<TensorType> like(const InferContext& ctx, const OpDef& op, const Attrs& attrs,
                             const std::vector<TensorType>& inputs, size_t outputs = 1);

// The activation that an attribute names ("", "Relu", "LeakyRelu", "Tanh", ...) with its
// parameters. Swish, Gelu, GeluTanh (Gelu's approximation) and Mish are Tenon's own: ONNX Runtime
// refuses them.
struct Activation {
  std::string_view name;
  std::vector<double> parameters;
};
void check_activation(const InferContext& ctx, const Activation& activation);
Tensor activate(const Tensor& x, const Activation& activation);

// The listed attributes of the call that are given.
Attrs pick(const Attrs& attrs, std::initializer_list<std::string_view> names);

// Fails unless input `at` is a vector as long as the last axis of input 0.
void check_bias(const InferContext& ctx, size_t at, const Dim& size);

// -- Attention -------------------------------------------------------------------------------
// Which masks stand for keys: lengths [batch], ends and starts [2 * batch], keys [batch, total], or
// queries by keys [batch, queries, total]. Fails (usage) on any other.
void check_key_mask(const InferContext& ctx, size_t at, const Dim& batch);
// As numbers to add to scores [batch, heads, queries, total]: 0 where a key counts, else `filter`.
Tensor key_mask(const Tensor& mask, const Tensor& keys, double filter, DType type);

}  // namespace tenon::microsoft
