// A call whose kernel is chosen: everything that does not depend on the data.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/dispatch.h"
#include "runtime/kernel.h"

namespace tenon {

// Beyond eager execution: what a plan knows and wants.
struct PrepareOptions {
  Backend backend = Backend::automatic;
  // Where kernels keep what they make of constant inputs; null: they keep nothing.
  PackedStore* packed = nullptr;
  // Inputs whose contents never change, by position; those past its end may. Their tensors hold
  // data; the others' need only show type, shape and strides.
  std::vector<bool> constant = {};
  // This kernel (a name of --explain) before all others, where it accepts.
  std::string_view kernel = {};
};

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
  int64_t view_offset = 0;       // views: of output 0 in elements behind input 0's first
};

// Infers, asks the backend's kernels in order and prepares the first that accepts. Fails as infer
// does, or (unsupported) with every refusal when nothing can run the call.
std::unique_ptr<PreparedCall> prepare_call(const OpDef& op, std::span<const Tensor* const> inputs,
                                           const Attrs& attrs, size_t output_count,
                                           const PrepareOptions& options);

// The kernels worth timing for a call: the first that accepts, and the variants that do. Empty for
// views and where no variant accepts.
std::vector<std::string_view> accepting_kernels(const OpDef& op,
                                                std::span<const Tensor* const> inputs,
                                                const Attrs& attrs, size_t output_count,
                                                const PrepareOptions& options);

}  // namespace tenon
