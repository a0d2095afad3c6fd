// Which operators compute well in 16-bit floats.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/graph.h"

namespace tenon::graph {

enum class HalfRole : uint8_t {
  // Stays in f32: exponentials, sums of many terms, losses, sampling places, whatever is not
  // listed.
  island,
  // In 16 bits where what it reads is: hands numbers on, works on each by itself, or normalises
  // with
  // statistics of f32.
  follows,
  // In 16 bits wherever it stands: products, whose sums kernels keep in f32.
  computes,
};

HalfRole half_role(const Graph& graph, const Node& node);

// Whether the values of a port are rounded where its node computes in 16 bits. Masks that may be of
// another type, scales and statistics of batches and the like keep theirs.
bool is_half_port(const Node& node, size_t input);

// A computed bias of f32 may say "never" by the lowest number there is, which must not become an
// infinity.
bool is_mask_port(const Node& node, size_t input);

}  // namespace tenon::graph
