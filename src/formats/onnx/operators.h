// Which of an ONNX model's operators Tenon knows, and in which form a node of some opset is
// written.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "ops/op.h"

namespace onnx {
class ModelProto;
}  // namespace onnx

namespace tenon::formats {

class Functions;

// Where the operators of Tenon's own are; `own` below lets them be found, which models from
// elsewhere must not.
inline constexpr std::string_view kOwnDomain = "ai.tenon";

// The operator of that name in ONNX; null where Tenon has none.
const OpDef* find_operator(std::string_view name, std::string_view domain, bool own = false);
// The newest opset of ai.onnx that an operator's form comes from.
int newest_opset();
// "Conv", or with its domain: "ai.onnx.ml.Scaler".
std::string operator_label(std::string_view name, std::string_view domain);

// How to read a node: as a canonical call (upgrade is null), or by rewriting it.
struct OperatorForm {
  const OpDef* op = nullptr;  // null for operators that ONNX dropped
  UpgradeFn upgrade = nullptr;
  size_t inputs = 0;  // how many a dropped operator needs
};
// Opset 0 (the file names none) reads as the newest. Fails (unsupported) where that opset has no
// such operator; `where` names the node.
OperatorForm form_of(std::string_view name, std::string_view domain, int opset,
                     std::string_view where, bool own = false);

// Fails (unsupported) where operators are neither in the catalogue nor functions, naming each with
// its first node, domain, version and what is nearest.
void refuse_unknown_operators(const ::onnx::ModelProto& model, const Functions& functions,
                              std::string_view label, bool own = false);
// See import_obstacles().
std::vector<std::string> find_obstacles(const ::onnx::ModelProto& model,
                                        const Functions& functions);

// Initialisers that training must leave alone: those whose values decide shapes, and the running
// statistics of BatchNormalization.
std::unordered_set<std::string> fixed_initializers(const ::onnx::ModelProto& model);

}  // namespace tenon::formats
