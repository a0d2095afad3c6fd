// tenon ops show NAME: one operator, explained.
#pragma once

#include "base/json.h"
#include "ops/op.h"

namespace tenon::cli {

void print_op(const OpDef& op);
// The definition alone, and with calls: shapes, and one example with its numbers.
Json op_json(const OpDef& op);
Json op_json_with_calls(const OpDef& op);

}  // namespace tenon::cli
