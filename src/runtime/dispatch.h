// The door through which every operator call goes: infer, choose and prepare a kernel (once a
// signature), run it, and tell autograd or the graph under construction.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/op.h"
#include "tensor/tensor.h"

namespace tenon {

// Autograd's end of a tensor (autograd/tape.cpp derives from it).
class History : public Attachment {
 public:
  // Called after op(inputs) = outputs when some input has a history and recording is on; attaches a
  // history to the outputs that depend on it.
  virtual void record(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                      std::span<Tensor> outputs) = 0;
};

// A graph's end of a symbolic tensor (graph/capture.cpp derives from it).
class Symbol : public Attachment {
 public:
  virtual TensorList record(const OpDef& op, std::span<const Tensor* const> inputs,
                            const Attrs& attrs, size_t output_count) = 0;
};

// -- Recording ------------------------------------------------------------------------------
bool grad_enabled();  // per thread; on at first
// Turns recording of gradients off (or on) in a scope.
class GradMode {
 public:
  explicit GradMode(bool on);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

// -- Calls -----------------------------------------------------------------------------------
// Inputs are pointers to tensors (undefined ones for absent inputs).
TensorList apply(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                 size_t output_count);
// Computes into existing tensors, which may be inputs too (in-place updates of optimisers); their
// versions are bumped, nothing is recorded. Shapes and types must be what `infer` says.
void apply_into(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                std::span<Tensor> outputs);

// -- Which kernels ------------------------------------------------------------------------------
enum class Backend : uint8_t {
  automatic,  // cpu, then the reference, then the expansion
  cpu,        // fail (unsupported) where the cpu backend has no kernel and there is no expansion
  reference,  // plain loops only, expansions where there is no loop
  expansion,  // the operator's own expansion where it has one, then the reference
};
// Per thread; tests and --backend use it.
class BackendScope {
 public:
  explicit BackendScope(Backend backend);
  ~BackendScope();
  BackendScope(const BackendScope&) = delete;
  BackendScope& operator=(const BackendScope&) = delete;

 private:
  Backend before_;
};
Backend current_backend();

// The choice made for one signature, for --explain.
struct Choice {
  std::string call;                   // "Conv(f32[8, 3, 32, 32], f32[16, 3, 3, 3]) strides=[2, 2]"
  std::string kernel;                 // "cpu.onednn_conv", "reference.conv" or "expansion"
  std::vector<std::string> refusals;  // "cpu.onednn_conv: <why>"
};
// While on, every new choice of any thread is kept.
void set_explain(bool on);
std::vector<Choice> take_choices();
// Drops prepared kernels of all threads (tests, memory).
void clear_kernel_cache();

// Signatures chosen since the start that ran on a slow path, by operator: for tests and traces.
struct DispatchCounts {
  int64_t calls = 0, cache_hits = 0, reference = 0, expansion = 0;
};
DispatchCounts dispatch_counts();

// All kernels of one operator on a backend, best first (`tenon ops`).
std::vector<const struct KernelEntry*> kernels_of(const OpDef& op, Backend backend);

}  // namespace tenon
