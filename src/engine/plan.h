// A graph prepared for one set of input shapes: kernels in the order they run, and where each of
// them reads and writes. Immutable once built; any number of threads may run it at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/session.h"
#include "runtime/kernel.h"
#include "runtime/packed_store.h"

namespace tenon::engine {

class TuningLog;

// Where a tensor is while a plan runs.
struct Place {
  enum class In : uint8_t {
    nowhere,   // an absent argument
    constant,  // Plan::constants
    arena,     // a block of the run's memory
    input,     // what the caller gives
    output,    // what the caller gets
    slot,      // a tensor of its own, whose shape is found out while running
  };
  In in = In::nowhere;
  int32_t index = 0;
  int64_t offset = 0;  // in bytes, behind its beginning
};

// A tensor at a place.
struct PlacedTensor {
  Place place;
  DType dtype = DType::undefined;
  Shape shape, strides;
};

struct Step {
  std::shared_ptr<const Kernel> kernel;  // null: `op` is applied as eager code does
  const OpDef* op = nullptr;             // null for copies
  Attrs attrs;
  std::vector<PlacedTensor> inputs, outputs;
  Place scratch;
  std::string name;    // of the kernel
  std::string origin;  // of the node

  // Argument lists of one run: positions in Frame::in and Frame::out.
  size_t in_at = 0, in_count = 0, out_at = 0, out_count = 0;
};

class Plan {
 public:
  // What one run at a time uses: its memory, and the pointers of all steps into it.
  struct Frame {
    Tensor arena;
    std::vector<const void*> in;
    std::vector<void*> out;
    TensorList slots;
  };

  struct Watch {
    const Cancellation* cancellation = nullptr;                    // looked at between steps
    const std::function<void(size_t, double)>* on_step = nullptr;  // step, seconds
  };
  // `packed` is the session's, and outlives the plan.
  explicit Plan(PackedStore& packed) : packed_(&packed) {}
  // The tensors are contiguous, and of the shapes the plan was built for. Undefined results are
  // allocated.
  void run(std::span<const Tensor> given, std::span<Tensor> results, const Watch& watch) const;

  const std::vector<Step>& steps() const { return steps_; }
  int64_t arena_bytes() const { return arena_bytes_; }
  int64_t live_bytes() const { return live_bytes_; }

 private:
  friend class PlanBuilder;  // plan_builder.cpp

  // A pointer that depends on the caller's tensors.
  struct Patch {
    bool is_output_pointer;  // an entry of Frame::out, else of Frame::in
    size_t at;
    Place place;
  };

  std::unique_ptr<Frame> take_frame() const;
  std::unique_ptr<Frame> new_frame() const;
  void* address(const Frame& frame, const Place& place) const;
  void apply_step(const Step& step, Frame& frame, std::span<const Tensor> given,
                  std::span<Tensor> results) const;

  std::vector<Step> steps_;
  std::vector<Patch> patches_;
  TensorList constants_;
  PackedStore packed_;  // with what is made of constants of this plan only
  std::vector<int64_t> block_offsets_;
  std::vector<PlacedTensor> outputs_;  // the shapes of what the caller gets; unknown ones are slots
  size_t slot_count_ = 0, in_count_ = 0, out_count_ = 0;
  int64_t arena_bytes_ = 0, live_bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Frame>> idle_;
};

// A tensor whose first element is at `data`, whatever lies there: strides may be negative, and who
// made the plan knows that it fits.
Tensor tensor_at(void* data, DType type, const Shape& shape, const Shape& strides);

// `inputs`: one concrete type an input of the graph. Fails as operators do on shapes that do not
// fit. The plan keeps what it needs of the graph; constants and the store's tensors are shared.
// `log` gets the choices between kernels. Constants of which kernels read only what they packed
// give their memory back, and are added to `dropped`: their contents are no more. Null: none are.
std::shared_ptr<const Plan> build_plan(const graph::Graph& graph,
                                       std::span<const TensorType> inputs, PackedStore& packed,
                                       const SessionOptions& options, TuningLog& log,
                                       std::vector<graph::ValueId>* dropped = nullptr);

}  // namespace tenon::engine
