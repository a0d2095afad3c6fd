// What `tenon ops` says of one operator, as short texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/op.h"
#include "runtime/dispatch.h"

namespace tenon::cli {

std::string domain_of(const OpDef& op);  // "ai.onnx", "com.microsoft", "ai.tenon"
// "Conv"; "com.microsoft.Gelu" outside ai.onnx.
std::string label_of(const OpDef& op);
// "1, 6, 13": the opsets whose form differs, the canonical one last; "-" where ONNX has none.
std::string versions_of(const OpDef& op);
bool has_gradient(const OpDef& op);
std::string gradient_of(const OpDef& op);  // "yes", "through its expansion", "no: <why>"
std::vector<std::string> kernel_names(const OpDef& op, Backend backend);
std::string_view text_of(AttrType type);       // "ints"
std::string default_of(const AttrSpec& spec);  // "required", "optional", "default 1"
std::string_view text_of(Arity arity);         // "single"

// By name or by domain and name ("com.microsoft.Gelu"); ai.onnx comes first where several domains
// have the name. Fails (usage) on unknown ones, with the nearest; `where` begins the message.
const OpDef& find_op(std::string_view name, std::string_view where);

}  // namespace tenon::cli
