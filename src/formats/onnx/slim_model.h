// Serialised models without the contents of their large tensors, so that protobuf need not hold a
// second copy of the weights.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tenon::formats {

struct SlimModel {
  // The model, but that the raw_data of its large initialisers is empty.
  std::string bytes;
  // One an initialiser of the model's own graph, in order: where its raw_data lies in what was
  // given; nothing where `bytes` has it.
  std::vector<std::span<const std::byte>> raw;
};

// Nothing where little would be gained, and where the bytes are not what protobuf writes: whoever
// parses them will say why.
std::optional<SlimModel> slim_model(std::span<const std::byte> model);

}  // namespace tenon::formats
