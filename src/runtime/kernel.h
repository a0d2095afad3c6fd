// How a device runs an operator: an ordered list of kernels, each prepared once and run many times.
//
//   Prepared prepare_softmax(const PrepareContext& ctx) {
//     if (ctx.inputs[0].dtype != DType::f32) return refuse("only f32");
//     return std::make_unique<Softmax>(...);
//   }
//   constinit const KernelList softmax{{&op::Softmax, "cpu.softmax", prepare_softmax}};
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/random.h"
#include "ops/op.h"
#include "tensor/tensor.h"

namespace tenon {

// One argument of a call whose shapes are all known.
struct TensorSpec {
  DType dtype =
      DType::undefined;  // undefined: an absent optional input, an output nobody asked for
  Shape shape;
  Shape strides;           // in elements
  bool contiguous = true;  // row-major
  // The contents, when they cannot change between runs (weights of a session) or when the
  // operator's definition says that they decide the shape; null otherwise.
  const void* constant = nullptr;
  bool shape_known = true;  // false: the kernel finds out and allocates (RunContext::outputs)

  bool present() const { return dtype != DType::undefined; }
  int64_t numel() const { return shape.numel(); }
  size_t rank() const { return shape.rank(); }
  // The integers of a constant i32/i64 input.
  std::vector<int64_t> constant_ints() const;
};

class PackedStore;  // runtime/packed_store.h

struct PrepareContext : Call {
  std::span<const TensorSpec> inputs;
  // A kernel may set `strides` of an output to another dense order of the same shape
  // (channels-last), and clear `contiguous`.
  std::span<TensorSpec> outputs;
  // Where what is made from constant inputs (packed weights) is kept and shared; null in eager
  // execution, where weights may change between runs and kernels pack in `run`.
  PackedStore* packed = nullptr;

  // Whether input `i` never changes, so that it can be packed now.
  bool is_constant(size_t i) const {
    return packed && i < inputs.size() && inputs[i].constant != nullptr;
  }
  bool has_input(size_t i) const { return i < inputs.size() && inputs[i].present(); }
  bool wants_output(size_t i) const { return i < outputs.size() && outputs[i].present(); }
};

struct RunContext {
  // First elements, in the order of the ports; null for absent ones.
  const void* const* in;
  void* const* out;
  void* scratch;            // Kernel::scratch_bytes, 64-byte aligned
  Generator::State random;  // where this call's Philox counters start
  // Outputs whose shape was not known: the kernel replaces them by what it allocated.
  Tensor* outputs;

  template <class T>
  const T* input(size_t i) const {
    return static_cast<const T*>(in[i]);
  }
  template <class T>
  T* output(size_t i) const {
    return static_cast<T*>(out[i]);
  }
};

// Immutable after prepare: run() may be called from several threads at once.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void run(const RunContext& ctx) const = 0;

  size_t scratch_bytes = 0;
  uint64_t random_counters = 0;  // Philox counters (of 4 words) that one run uses
  // Bit i: output 0 may be written over input i, where both have the same bytes in the same order.
  uint32_t in_place = 0;
};

struct Refusal {
  std::string why;  // ends the sentence "cpu.softmax refuses: ..."
};
using Prepared = std::variant<std::unique_ptr<Kernel>, Refusal>;
inline Refusal refuse(std::string why) { return {std::move(why)}; }

using PrepareFn = Prepared (*)(const PrepareContext& ctx);

enum class Strides : uint8_t {
  contiguous,  // the runtime copies other inputs to row-major first
  any,         // the kernel reads `TensorSpec::strides`
};

struct KernelEntry {
  const OpDef* op = nullptr;
  std::string_view name;  // "cpu.softmax", as printed by --explain
  PrepareFn prepare = nullptr;
  Strides strides = Strides::contiguous;
  // Another way to compute what an entry before it computes: a plan times it against that one. The
  // order of entries still says which to take where nobody measures.
  bool variant = false;
};

// One file's kernels, best first among those of one operator.
struct KernelList {
  static constexpr size_t kMax = 96;
  KernelEntry entries[kMax];
  size_t count = 0;

  constexpr KernelList(std::initializer_list<KernelEntry> list) {
    for (const KernelEntry& entry : list) entries[count++] = entry;
  }
  constexpr const KernelEntry* begin() const { return entries; }
  constexpr const KernelEntry* end() const { return entries + count; }
};

// The lists of each backend, written by its catalogue (backends/<device>/kernels/CMakeLists.txt).
namespace cpu {
std::span<const KernelList* const> kernels();
}
namespace reference {
std::span<const KernelList* const> kernels();
}

// Wraps a callable void(const RunContext&) as a kernel.
template <class Fn>
std::unique_ptr<Kernel> make_kernel(Fn fn, size_t scratch_bytes = 0) {
  struct Wrapped final : Kernel {
    explicit Wrapped(Fn f) : fn(std::move(f)) {}
    void run(const RunContext& ctx) const override { fn(ctx); }
    Fn fn;
  };
  auto kernel = std::make_unique<Wrapped>(std::move(fn));
  kernel->scratch_bytes = scratch_bytes;
  return kernel;
}

}  // namespace tenon
