// Operators that ONNX once had and dropped, still found in old files: read as canonical ones.
#pragma once

#include <string_view>

#include "ops/op.h"

namespace tenon::formats {

struct LegacyOperator {
  std::string_view name;
  size_t inputs;  // how many it needs
  UpgradeFn upgrade;
};

// Of domain ai.onnx; null where ONNX never had it, or still has.
const LegacyOperator* find_legacy(std::string_view name, std::string_view domain);

}  // namespace tenon::formats
