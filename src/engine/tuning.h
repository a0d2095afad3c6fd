// Measured choice between kernels that compute the same.
#pragma once

#include <span>
#include <string_view>

#include "runtime/prepared_call.h"

namespace tenon::engine {

// Of the kernels that accept the call (accepting_kernels), the quickest on this machine with as
// many threads as thread_count(); "" where there is nothing to choose. Non-constant inputs are
// stand-ins: only their types, shapes and strides are read. What was measured once is remembered
// for the life of the process. Thread-safe.
std::string_view quickest_kernel(const OpDef& op, std::span<const Tensor* const> inputs,
                                 const Attrs& attrs, size_t output_count,
                                 const PrepareOptions& options);

}  // namespace tenon::engine
