// Small computations on constants, done while importing: shapes, axes and scales that exporters
// write as chains of nodes become plain constants, which the next nodes' inference can read.
#pragma once

#include <cstddef>

#include "graph/capture.h"

namespace tenon::formats {

// Replaces `outputs` of the nodes from `first_node` on by their contents, where those nodes read
// constants only (parameters are none) and all that they read and make has at most kMaxFolded
// elements. What cannot be computed is left as it is.
inline constexpr int64_t kMaxFolded = 4096;
void fold_constants(graph::Recorder& recorder, size_t first_node, TensorList& outputs);

}  // namespace tenon::formats
