#include "engine/session.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <list>
#include <mutex>

#include "base/threads.h"
#include "base/trace.h"
#include "engine/compiled_body.h"
#include "engine/engine_file.h"
#include "engine/plan.h"
#include "engine/tuning.h"
#include "formats/onnx/onnx_file.h"
#include "graph/interpreter.h"
#include "graph/widen.h"
#include "runtime/dispatch.h"
#include "runtime/packed_store.h"

namespace tenon::engine {

struct Session::State {
  SessionOptions options;
  graph::Graph graph;
  // With the graphs inside control flow compiled too; nothing where there are none.
  std::optional<graph::Graph> with_bodies;
  std::vector<graph::PassResult> passes;
  std::vector<Port> inputs, outputs;
  PackedStore packed;
  TuningLog tuning;

  // Plans by what decides them, the one used last in front.
  struct Entry {
    std::vector<int64_t> key;
    std::shared_ptr<const Plan> plan;
  };
  std::mutex mutex;
  std::list<Entry> plans;

  // Weights whose memory was given back, and the graph anew, from where it came: null where it
  // cannot be made again.
  using Source = std::function<graph::Graph()>;
  std::mutex weights_mutex;
  std::vector<graph::ValueId> dropped;
  Source source;
  bool planned = false;

  State(graph::Graph given, const SessionOptions& o, Source again = nullptr)
      : options(o), graph(std::move(given)) {
    passes = make_ready(graph, options);
    if (has_bodies(graph)) with_bodies.emplace(compile_bodies(graph, options));
    for (graph::ValueId id : graph.inputs)
      inputs.push_back({graph.value(id).name, graph.value(id).type});
    for (graph::ValueId id : graph.outputs)
      outputs.push_back({graph.value(id).name, graph.value(id).type});
    // The sessions inside control flow may read what a plan of this one does not.
    if (!with_bodies && !options.keep_weights) source = std::move(again);
  }

  static std::vector<graph::PassResult> make_ready(graph::Graph& graph,
                                                   const SessionOptions& options) {
    std::vector<graph::PassResult> passes;
    for (size_t v = 0; v < graph.values().size(); ++v)
      graph.value(static_cast<graph::ValueId>(v)).parameter = false;  // nothing is trained here
    if (options.optimize) passes = graph::run_passes(graph, options.passes);
    // What is packed is known by its constant's address, so that has to stay.
    for (size_t v = 0; v < graph.values().size(); ++v) {
      graph::Value& value = graph.value(static_cast<graph::ValueId>(v));
      if (value.is_constant() && !is_container(value.type.dtype))
        value.type.constant = value.type.constant.contiguous();
    }
    return passes;
  }

  // From now on all weights are there, and stay. Under weights_mutex.
  void keep_weights() {
    if (!dropped.empty()) {
      graph::Graph again = source();
      SessionOptions quiet = options;
      quiet.passes.after = nullptr;
      make_ready(again, quiet);
      for (const graph::ValueId id : dropped) {
        const bool there = static_cast<size_t>(id) < again.values().size();
        const graph::Value& kept = graph.value(id);
        TENON_BUG_IF(
            !there || again.value(id).name != kept.name || !again.value(id).is_constant() ||
                again.value(id).type.constant.bytes() != kept.type.constant.bytes(),
            "{}: {} is not what it was when the model is read again", graph.name, kept.name);
        Tensor& made = again.value(id).type.constant;
        // The same bytes as before, so nothing has changed for whoever counts versions.
        std::memcpy(const_cast<void*>(kept.type.constant.raw()), std::as_const(made).raw(),
                    made.bytes());
        made = Tensor();
      }
    }
    dropped.clear();
    source = nullptr;
  }

  // The first plan may give weights back; it is made alone. With the second one they return.
  std::shared_ptr<const Plan> make_plan(const std::vector<TensorType>& types) {
    std::vector<graph::ValueId>* may_drop = nullptr;
    std::unique_lock lock(weights_mutex);
    if (planned)
      keep_weights();
    else if (source)
      may_drop = &dropped;
    planned = true;
    if (!may_drop) lock.unlock();
    return build_plan(with_bodies ? *with_bodies : graph, types, packed, options, tuning, may_drop);
  }

  ~State() {
    if (options.tune != Tune::off) save_tuning(true);
  }

  std::shared_ptr<const Plan> plan_for(const TensorList& given) {
    thread_local std::vector<int64_t> key;
    key.assign({thread_count()});
    for (const Tensor& input : given) {
      const bool whole = input.defined() && !is_container(input.dtype());
      key.push_back(input.defined() ? static_cast<int64_t>(input.dtype()) : -1);
      if (whole) {
        key.push_back(static_cast<int64_t>(input.shape().rank()));
        key.insert(key.end(), input.shape().begin(), input.shape().end());
      }
    }
    {
      const std::scoped_lock lock(mutex);
      for (auto at = plans.begin(); at != plans.end(); ++at) {
        if (at->key != key) continue;
        if (at != plans.begin()) plans.splice(plans.begin(), plans, at);
        return at->plan;
      }
    }
    graph::check_inputs(graph, given, graph.name.empty() ? "model" : graph.name);
    std::vector<TensorType> types;
    for (const Tensor& input : given) types.push_back(TensorType::of(input, false));
    const std::vector<int64_t> own_key = key;  // planning may come through here again
    std::shared_ptr<const Plan> plan = make_plan(types);
    if (options.tune != Tune::off) save_tuning();
    const std::scoped_lock lock(mutex);
    plans.push_front({own_key, plan});
    while (plans.size() > std::max<size_t>(options.max_plans, 1)) plans.pop_back();
    return plan;
  }

  void run(const TensorList& given, TensorList& results, const Plan::Watch& watch) {
    const NoGrad no_grad;
    std::optional<ThreadLimit> limit;
    if (options.threads > 0) limit.emplace(options.threads);
    const std::shared_ptr<const Plan> plan = plan_for(given);
    const bool dense = std::ranges::all_of(given, [](const Tensor& input) {
      return is_container(input.dtype()) || input.is_contiguous();
    });
    results.resize(outputs.size());
    if (dense) return plan->run(given, results, watch);
    TensorList rows;
    for (const Tensor& input : given)
      rows.push_back(is_container(input.dtype()) ? input : input.contiguous());
    plan->run(rows, results, watch);
  }

  std::shared_ptr<const Plan> limited_plan(const TensorList& like) {
    const NoGrad no_grad;
    std::optional<ThreadLimit> limit;
    if (options.threads > 0) limit.emplace(options.threads);
    return plan_for(like);
  }
};

Session Session::load(const std::string& path, const SessionOptions& options) {
  if (!is_engine_file(path)) {
    const formats::OnnxFile file(path);
    const State::Source read = [file] { return graph::widen_halves(file.import()); };
    graph::Graph graph = read();
    // What is shown in other files is no memory of ours to be given back.
    return Session(std::make_unique<State>(std::move(graph), options,
                                           file.has_external_data() ? nullptr : read));
  }
  EngineFile file = read_engine(path);
  SessionOptions as_it_is = options;
  as_it_is.optimize = false;
  Session session(std::move(file.graph), as_it_is);
  add_tuning(file.tuning);
  const graph::Graph& graph = session.graph();
  for (const EngineFile::Packed& packed : file.packed) {
    const graph::ValueId id = graph.find_value(packed.value);
    if (id == graph::kNoValue || !graph.value(id).is_constant()) continue;
    const Tensor& source = graph.value(id).type.constant;
    if (packed.offset < source.bytes())
      session.state_->packed.offer(static_cast<const std::byte*>(source.raw()) + packed.offset,
                                   packed.layout, packed.tensor);
  }
  return session;
}

Session::Session(graph::Graph graph, const SessionOptions& options)
    : state_(std::make_unique<State>(std::move(graph), options)) {}
Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

std::span<const Port> Session::inputs() const { return state_->inputs; }
std::span<const Port> Session::outputs() const { return state_->outputs; }
const graph::Graph& Session::graph() const {
  const std::scoped_lock lock(state_->weights_mutex);
  state_->keep_weights();
  return state_->graph;
}
std::span<const graph::PassResult> Session::passes() const { return state_->passes; }
const PackedStore& Session::packed() const { return state_->packed; }
TuningChoices Session::tuning() const { return state_->tuning.choices(); }

TensorList Session::run(const TensorList& given, const Cancellation* cancellation) const {
  TensorList results;
  state_->run(given, results, {.cancellation = cancellation});
  return results;
}

void Session::run_into(const TensorList& given, TensorList& results,
                       const Cancellation* cancellation) const {
  TENON_CHECK(results.size() <= state_->outputs.size(), usage,
              "{}: {} tensors given for results; there are {} outputs", state_->graph.name,
              results.size(), state_->outputs.size());
  state_->run(given, results, {.cancellation = cancellation});
}

void Session::prepare(const TensorList& like) const { state_->limited_plan(like); }

std::vector<StepInfo> Session::steps(const TensorList& like) const {
  const auto type_of = [](const PlacedTensor& tensor) {
    TensorType type;
    type.dtype = tensor.dtype;
    type.dims = to_dims(tensor.shape);
    type.ranked = tensor.place.in != Place::In::slot;
    return type;
  };
  std::vector<StepInfo> list;
  const std::shared_ptr<const Plan> plan = state_->limited_plan(like);
  for (const Step& step : plan->steps()) {
    StepInfo info{step.op ? std::string(step.op->name) : "copy",
                  step.name,
                  step.origin,
                  {},
                  {},
                  step.attrs,
                  step.op};
    for (const PlacedTensor& input : step.inputs) info.inputs.push_back(type_of(input));
    for (const PlacedTensor& output : step.outputs) info.outputs.push_back(type_of(output));
    list.push_back(std::move(info));
  }
  return list;
}

MemoryInfo Session::memory(const TensorList& like) const {
  const std::shared_ptr<const Plan> plan = state_->limited_plan(like);
  MemoryInfo info{plan->arena_bytes(), plan->live_bytes(), 0, state_->packed.bytes()};
  for (const graph::Value& value : state_->graph.values())
    if (value.is_constant() && !is_container(value.type.dtype))
      info.constant_bytes += static_cast<int64_t>(value.type.constant.bytes());
  return info;
}

TensorList Session::run_timed(const TensorList& given,
                              const std::function<void(size_t, double)>& on_step) const {
  TensorList results;
  state_->run(given, results, {.on_step = &on_step});
  return results;
}

}  // namespace tenon::engine
