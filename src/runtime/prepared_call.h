// A call whose kernel is chosen: everything that does not depend on the data.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/dispatch.h"
#include "runtime/kernel.h"

namespace tenon {

struct PreparedCall {
  enum class How : uint8_t { kernel, view, expansion };

  How how = How::kernel;
  const OpDef* op = nullptr;
  Attrs attrs;
  const KernelEntry* entry = nullptr;
  std::unique_ptr<Kernel> kernel;
  std::vector<TensorSpec> outputs;
  bool needs_contiguous = true;  // the kernel wants row-major inputs
  bool slow = false;             // runs on the reference backend
};

// Infers, asks the backend's kernels in order and prepares the first that accepts. Fails as infer
// does, or (unsupported) with every refusal when nothing can run the call.
std::unique_ptr<PreparedCall> prepare_call(const OpDef& op, std::span<const Tensor* const> inputs,
                                           const Attrs& attrs, size_t output_count,
                                           Backend backend);

}  // namespace tenon
