// A model ready to run: a graph, optimised once, and plans for the shapes it has met.
//
//   engine::Session session = engine::Session::load("resnet50.onnx");
//   TensorList y = session.run({images});            // thread-safe
//
// Constant inputs of kernels are packed once and shared by all plans.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancellation.h"
#include "engine/tuning_cache.h"
#include "graph/pass.h"
#include "runtime/packed_store.h"
#include "tensor/tensor.h"

namespace tenon::engine {

enum class Tune : uint8_t {
  off,    // the first kernel that accepts
  quick,  // where several kernels accept, the quickest of a few runs
};

struct SessionOptions {
  // Threads inside operators; 0: thread_count() of whoever runs.
  int threads = 0;
  // false: the graph as it is, node by node, but planned.
  bool optimize = true;
  graph::PassOptions passes = {};
  Tune tune = Tune::quick;
  // Plans kept, one for each combination of input shapes; the one used longest ago goes first.
  size_t max_plans = 16;
  // false: every value has memory of its own (to find faults of the plan).
  bool share_memory = true;
  // true: weights stay in memory beside what kernels packed of them. false: those of a session that
  // load() made of an ONNX file are given back, and read again from the file when a second plan is
  // made, once.
  bool keep_weights = false;
};

// An input or output.
struct Port {
  std::string name;
  TensorType type;  // symbolic axes stay symbolic
};

// What a plan does, for people: one line a step.
struct StepInfo {
  std::string op;      // "FusedConv"
  std::string kernel;  // "cpu.onednn_conv", "apply" for what is decided while running
  std::string origin;  // "node conv1 of resnet50.onnx, fuse_conv"
  std::vector<TensorType> inputs, outputs;
  Attrs attrs;
  const OpDef* def = nullptr;  // null for copies between layouts
};

struct MemoryInfo {
  int64_t arena_bytes = 0;     // one run's intermediate values, scratch included
  int64_t live_bytes = 0;      // the largest simultaneous live set: no plan can take less
  int64_t constant_bytes = 0;  // weights as the graph has them
  int64_t packed_bytes = 0;    // and as kernels have them
};

class Session {
 public:
  // An ONNX file or, by its content, an engine file (engine/engine_file.h), whose graph is what the
  // passes made of it when it was written. Fails as import_onnx and read_engine do.
  static Session load(const std::string& path, const SessionOptions& options = {});
  explicit Session(graph::Graph graph, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  std::span<const Port> inputs() const;
  std::span<const Port> outputs() const;
  // The graph after the passes, and what each pass did. Who has asked for it keeps its weights in
  // memory (SessionOptions::keep_weights).
  const graph::Graph& graph() const;
  std::span<const graph::PassResult> passes() const;
  // What the plans so far packed, and the kernels they chose: what save_engine() writes.
  const PackedStore& packed() const;
  TuningChoices tuning() const;

  // One tensor an input, in order; any strides. Fails (usage) naming what was expected and given.
  // May be called from several threads at once. Cancelled from another thread it ends between two
  // steps (error of kind cancelled).
  TensorList run(const TensorList& given, const Cancellation* cancellation = nullptr) const;
  // Into contiguous tensors of the right type and shape, one an output; an undefined one is
  // allocated and put there.
  void run_into(const TensorList& given, TensorList& results,
                const Cancellation* cancellation = nullptr) const;

  // Makes the plan for these inputs' shapes if there is none yet.
  void prepare(const TensorList& like) const;
  // The plan that run() would use. Prepares it.
  std::vector<StepInfo> steps(const TensorList& like) const;
  MemoryInfo memory(const TensorList& like) const;
  // Calls `on_step(index into steps(), seconds)` after each step of one run.
  TensorList run_timed(const TensorList& given,
                       const std::function<void(size_t, double)>& on_step) const;

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tenon::engine
