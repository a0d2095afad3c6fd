// Building a plan: shapes are worked out for the inputs at hand, each node gets a kernel (or is
// computed now, where it depends on constants only), and values get places.
#include <algorithm>
#include <optional>
#include <unordered_map>

#include "engine/memory_plan.h"
#include "engine/plan.h"
#include "engine/tuning.h"
#include "graph/capture.h"
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/prepared_call.h"
#include "tensor/strided_copy.h"
#include "tensor/system_memory.h"

namespace tenon::engine {

namespace {

// Results of constants up to this size are computed while planning; passes fold the others.
constexpr int64_t kMaxFolded = 65536;
// Smaller constants have few whole pages.
constexpr size_t kMinDropped = size_t{64} << 10;

// Shape and strides without memory, as `prepare_call` wants them.
Tensor stand_in(DType type, const Shape& shape, const Shape& strides) {
  alignas(64) static std::byte nothing[64];
  return tensor_at(nothing, type, shape, strides);
}

bool has_elements_of_its_own(DType type) {  // that a block of bytes cannot hold
  return is_container(type) || type == DType::string;
}

bool is_known(const TensorType& type) { return type.ranked && is_static(type.dims); }

// The constant that shape inference knows without computing.
Tensor known_values(const TensorType& type) {
  if (!type.values || !is_int(type.dtype) || !is_known(type)) return {};
  std::vector<int64_t> values;
  for (const Dim& dim : *type.values) {
    if (!dim.is_const()) return {};
    values.push_back(dim.value());
  }
  const Shape shape = *to_shape(type.dims);
  if (shape.numel() != static_cast<int64_t>(values.size())) return {};
  return Tensor::from<int64_t>(values, shape).to(type.dtype);
}

int64_t bytes_of(const PlacedTensor& tensor) {
  return tensor.shape.numel() * static_cast<int64_t>(size_of(tensor.dtype));
}

}  // namespace

class PlanBuilder {
 public:
  PlanBuilder(PackedStore& packed, const SessionOptions& options, TuningLog& log,
              std::vector<graph::ValueId>* dropped)
      : plan_(std::make_shared<Plan>(packed)), options_(options), log_(log), dropped_(dropped) {}

  std::shared_ptr<const Plan> build(const graph::Graph& graph, std::span<const TensorType> inputs) {
    const NoGrad no_grad;
    for (const graph::Value& value : graph.values())
      if (value.is_constant() && !is_container(value.type.dtype))
        ++lasting_[value.type.constant.storage().get()];
    if (dropped_) count_readers(graph);
    Scope scope(graph);
    for (size_t i = 0; i < inputs.size(); ++i) {
      Held& held = scope.at(graph.inputs[i]);
      held.type = inputs[i];
      held.place = {Place::In::input, static_cast<int32_t>(i)};
      if (is_known(held.type) && !is_container(held.type.dtype)) set_like(held);
    }
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      int32_t& at = scope.output_of[static_cast<size_t>(graph.outputs[i])];
      if (at < 0) at = static_cast<int32_t>(i);
    }
    add_graph(scope);
    for (size_t i = 0; i < graph.outputs.size(); ++i)
      finish_output(static_cast<int32_t>(i), scope.at(graph.outputs[i]));
    place_memory();
    lay_out_arguments();
    return std::move(plan_);
  }

 private:
  // What is known of a value.
  struct Held {
    TensorType type;
    Tensor like;  // a constant's contents; else a stand-in, undefined while the shape is unknown
    Place place;
    std::optional<Place> dense;  // a row-major copy, where one was needed
    bool is_constant() const { return place.in == Place::In::constant; }
  };
  struct Scope {
    explicit Scope(const graph::Graph& g)
        : graph(g), values(g.values().size()), output_of(g.values().size(), -1) {}
    Held& at(graph::ValueId id) { return values[static_cast<size_t>(id)]; }

    const graph::Graph& graph;
    std::vector<Held> values;
    std::vector<int32_t> output_of;  // which result of the plan the value is; -1: none
  };

  void set_like(Held& held) {
    const Shape shape = *to_shape(held.type.dims);
    held.like = stand_in(held.type.dtype, shape, shape.row_major_strides());
  }

  void set_constant(Held& held, const Tensor& contents) {
    const Tensor dense = is_container(contents.dtype()) ? contents : contents.contiguous();
    held.type = TensorType::of(dense, true);
    held.like = dense;
    held.place = {Place::In::constant, static_cast<int32_t>(plan_->constants_.size())};
    plan_->constants_.push_back(dense);
    // What goes with the plan must not be known by its address beyond it.
    if (!has_elements_of_its_own(dense.dtype()) && !lasting_.contains(dense.storage().get()))
      plan_->packed_.own(dense);
  }

  int32_t new_block(int64_t bytes) {
    blocks_.push_back({bytes, -1, -1});
    return static_cast<int32_t>(blocks_.size() - 1);
  }

  PlacedTensor placed(const Held& held) const {
    PlacedTensor tensor{held.place, held.type.dtype, {}, {}};
    if (held.like.defined() && !is_container(held.type.dtype)) {
      tensor.shape = held.like.shape();
      tensor.strides = held.like.strides();
    }
    return tensor;
  }

  // A place for a value that a step makes.
  void place_output(Held& held, int32_t output) {
    if (output >= 0 && held.like.is_contiguous())
      held.place = {Place::In::output, output};
    else
      held.place = {Place::In::arena, new_block(static_cast<int64_t>(held.like.bytes()))};
  }

  void add_graph(Scope& scope) {
    for (size_t v = 0; v < scope.graph.values().size(); ++v) {
      const graph::Value& value = scope.graph.values()[v];
      if (value.is_constant()) set_constant(scope.values[v], value.type.constant);
    }
    for (const graph::Node& node : scope.graph.nodes()) {
      with_context(
          [&] { return "while planning " + (node.origin.empty() ? node.name : node.origin); },
          [&] { add_node(node, scope); });
    }
  }

  void add_node(const graph::Node& node, Scope& scope) {
    static Held absent;
    std::vector<Held*> inputs;
    std::vector<TensorType> types;
    for (graph::ValueId id : node.inputs) {
      inputs.push_back(id == graph::kNoValue ? &absent : &scope.at(id));
      types.push_back(inputs.back()->type);
    }
    std::vector<TensorType> made = infer(*node.op, node.attrs, types, node.outputs.size());
    std::vector<Held*> outputs;
    std::vector<int32_t> wanted;
    std::vector<Held> unwanted(made.size());
    for (size_t i = 0; i < made.size(); ++i) {
      const graph::ValueId id = node.outputs[i];
      outputs.push_back(id == graph::kNoValue ? &unwanted[i] : &scope.at(id));
      wanted.push_back(id == graph::kNoValue ? -1 : scope.output_of[static_cast<size_t>(id)]);
      outputs.back()->type = std::move(made[i]);
    }
    if (fold(node, inputs, outputs)) return;
    if (!is_plannable(node, inputs, outputs))
      return apply_while_running(node, inputs, outputs, wanted);

    std::vector<const Tensor*> tensors;
    PrepareOptions prepare{current_backend(), &plan_->packed_, {}, {}};
    for (const Held* input : inputs) {
      tensors.push_back(&input->like);
      prepare.constant.push_back(input->is_constant());
    }
    if (options_.tune != Tune::off)
      prepare.kernel =
          quickest_kernel(*node.op, tensors, node.attrs, outputs.size(), prepare, log_);
    std::unique_ptr<PreparedCall> call =
        prepare_call(*node.op, tensors, node.attrs, outputs.size(), prepare);
    switch (call->how) {
      case PreparedCall::How::view: return add_view(*call, *inputs[0], *outputs[0]);
      case PreparedCall::How::expansion: return add_expansion(node, inputs, outputs, wanted);
      case PreparedCall::How::kernel: break;
    }
    if (std::ranges::any_of(call->outputs, [](const TensorSpec& o) { return !o.shape_known; }))
      return apply_while_running(node, inputs, outputs, wanted);
    add_kernel(node, *call, inputs, outputs, wanted);
    if (counted_ == &scope.graph) drop_packed(node, inputs);
  }

  void count_readers(const graph::Graph& graph) {
    counted_ = &graph;
    readers_.assign(graph.values().size(), 0);
    for (const graph::Node& node : graph.nodes())
      for (graph::ValueId id : node.inputs)
        if (id != graph::kNoValue) ++readers_[static_cast<size_t>(id)];
    for (graph::ValueId id : graph.outputs) ++readers_[static_cast<size_t>(id)];
  }

  // Of constants that only this node reads, and its kernel only what it packed.
  void drop_packed(const graph::Node& node, const std::vector<Held*>& inputs) {
    const std::vector<const void*> asked = plan_->packed_.take_asked();
    for (size_t i = 0; i < inputs.size(); ++i) {
      const graph::ValueId id = node.inputs[i];
      if (id == graph::kNoValue || readers_[static_cast<size_t>(id)] != 1 ||
          !counted_->value(id).is_constant())
        continue;
      const Tensor& contents = counted_->value(id).type.constant;
      if (has_elements_of_its_own(contents.dtype()) || contents.bytes() < kMinDropped ||
          inputs[i]->like.raw() != contents.raw() || lasting_[contents.storage().get()] != 1)
        continue;
      const auto* begin = static_cast<const std::byte*>(contents.raw());
      const std::byte* end = begin + contents.bytes();
      if (std::ranges::none_of(asked, [&](const void* at) { return at >= begin && at < end; }))
        continue;
      drop_pages(begin, contents.bytes());
      dropped_->push_back(id);
    }
  }

  // Computes the node now where all it needs is known.
  bool fold(const graph::Node& node, const std::vector<Held*>& inputs,
            const std::vector<Held*>& outputs) {
    if (node.op->random || node.op->structural) return false;
    std::vector<Tensor> results;
    for (const Held* output : outputs) results.push_back(known_values(output->type));
    if (!std::ranges::all_of(results, &Tensor::defined)) {
      for (const Held* output : outputs) {
        if (!is_known(output->type) || has_elements_of_its_own(output->type.dtype)) return false;
        if (to_shape(output->type.dims)->numel() > kMaxFolded) return false;
      }
      std::vector<const Tensor*> tensors;
      for (const Held* input : inputs) {
        if (input->place.in != Place::In::nowhere && !input->is_constant()) return false;
        tensors.push_back(&input->like);
      }
      results = apply(*node.op, tensors, node.attrs, outputs.size());
    }
    for (size_t i = 0; i < outputs.size(); ++i)
      if (results[i].defined()) set_constant(*outputs[i], results[i]);
    return true;
  }

  static bool is_plannable(const graph::Node& node, const std::vector<Held*>& inputs,
                           const std::vector<Held*>& outputs) {
    if (node.op->structural) return false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Held& input = *inputs[i];
      if (input.place.in == Place::In::nowhere) continue;
      if (!input.like.defined() || input.place.in == Place::In::slot ||
          has_elements_of_its_own(input.type.dtype))
        return false;
      if (i < node.op->inputs.size() && node.op->inputs[i].value && !input.is_constant())
        return false;
    }
    return std::ranges::all_of(outputs, [](const Held* output) {
      return is_known(output->type) && !has_elements_of_its_own(output->type.dtype);
    });
  }

  void add_view(const PreparedCall& call, const Held& input, Held& output) {
    const TensorSpec& spec = call.outputs[0];
    output.like = input.is_constant()
                      ? Tensor::over(input.like.storage(), input.like.offset() + call.view_offset,
                                     spec.shape, spec.strides, spec.dtype)
                      : stand_in(spec.dtype, spec.shape, spec.strides);
    output.place = input.place;
    output.place.offset += call.view_offset * static_cast<int64_t>(size_of(spec.dtype));
  }

  void add_kernel(const graph::Node& node, PreparedCall& call, const std::vector<Held*>& inputs,
                  const std::vector<Held*>& outputs, const std::vector<int32_t>& wanted) {
    Step step;
    step.op = node.op;
    step.attrs = node.attrs;
    step.name = call.entry->name;
    step.origin = node.origin;
    for (Held* input : inputs) {
      PlacedTensor tensor = placed(*input);
      if (call.needs_contiguous && input->like.defined() && !input->like.is_contiguous()) {
        tensor.place = dense_copy(*input, node.origin);
        tensor.strides = tensor.shape.row_major_strides();
      }
      step.inputs.push_back(std::move(tensor));
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const TensorSpec& spec = call.outputs[i];
      if (!spec.present()) {
        step.outputs.push_back({});
        continue;
      }
      outputs[i]->like = stand_in(spec.dtype, spec.shape, spec.strides);
      place_output(*outputs[i], wanted[i]);
      step.outputs.push_back(placed(*outputs[i]));
    }
    if (call.kernel->scratch_bytes > 0)
      step.scratch = {Place::In::arena,
                      new_block(static_cast<int64_t>(call.kernel->scratch_bytes))};
    step.kernel = std::move(call.kernel);
    plan_->steps_.push_back(std::move(step));
  }

  Place dense_copy(Held& held, const std::string& origin) {
    if (!held.dense) {
      const Shape& shape = held.like.shape();
      const Place to{Place::In::arena, new_block(static_cast<int64_t>(held.like.bytes()))};
      add_copy(placed(held), {to, held.type.dtype, shape, shape.row_major_strides()}, origin);
      held.dense = to;
    }
    return *held.dense;
  }

  void add_copy(PlacedTensor from, PlacedTensor to, const std::string& origin) {
    Step step;
    step.kernel = make_kernel(
        [copy = StridedCopy(from.shape, from.dtype, from.strides, to.dtype, to.strides)](
            const RunContext& ctx) { copy.run(ctx.in[0], ctx.out[0]); });
    step.name = "copy";
    step.origin = origin;
    step.inputs.push_back(std::move(from));
    step.outputs.push_back(std::move(to));
    plan_->steps_.push_back(std::move(step));
  }

  // The operator's own expansion takes its place.
  void add_expansion(const graph::Node& node, const std::vector<Held*>& inputs,
                     const std::vector<Held*>& outputs, const std::vector<int32_t>& wanted) {
    const auto recorder = graph::Recorder::create(std::string(node.op->name));
    recorder->set_origin(node.name, node.origin);
    TensorList given;
    std::vector<Held*> sources;
    for (Held* input : inputs) {
      if (input->place.in == Place::In::nowhere) {
        given.emplace_back();
      } else if (input->is_constant()) {
        given.push_back(input->like);
      } else {
        given.push_back(recorder->input("x", input->type));
        sources.push_back(input);
      }
    }
    TensorList results =
        node.op->expand.fn(ExpandContext(*node.op, node.attrs, given, outputs.size()));
    std::vector<size_t> made;  // results of the expansion that somebody may read
    TensorList kept;
    for (size_t i = 0; i < outputs.size() && i < results.size(); ++i)
      if (results[i].defined()) {
        made.push_back(i);
        kept.push_back(results[i]);
      }
    const graph::Graph body = recorder->finish(kept, {});
    Scope scope(body);
    for (size_t i = 0; i < sources.size(); ++i) scope.at(body.inputs[i]) = *sources[i];
    for (size_t i = 0; i < made.size(); ++i)
      if (wanted[made[i]] >= 0)
        scope.output_of[static_cast<size_t>(body.outputs[i])] = wanted[made[i]];
    add_graph(scope);
    for (size_t i = 0; i < made.size(); ++i) *outputs[made[i]] = scope.at(body.outputs[i]);
  }

  void apply_while_running(const graph::Node& node, const std::vector<Held*>& inputs,
                           const std::vector<Held*>& outputs, const std::vector<int32_t>& wanted) {
    Step step;
    step.op = node.op;
    step.attrs = node.attrs;
    step.name = "apply";
    step.origin = node.origin;
    for (const Held* input : inputs) step.inputs.push_back(placed(*input));
    for (size_t i = 0; i < outputs.size(); ++i) {
      Held& output = *outputs[i];
      if (is_known(output.type) && !has_elements_of_its_own(output.type.dtype)) {
        set_like(output);
        place_output(output, wanted[i]);
      } else {
        output.place = {Place::In::slot, static_cast<int32_t>(plan_->slot_count_++)};
      }
      step.outputs.push_back(placed(output));
    }
    plan_->steps_.push_back(std::move(step));
  }

  void finish_output(int32_t index, Held& held) {
    PlacedTensor output = placed(held);
    if (held.place.in != Place::In::slot && has_elements_of_its_own(held.type.dtype)) {
      Held copy;
      copy.place = {Place::In::slot, static_cast<int32_t>(plan_->slot_count_++)};
      copy.type = held.type;
      Step step;
      step.op = &op::Identity;
      step.name = "apply";
      step.inputs.push_back(output);
      step.outputs.push_back(placed(copy));
      plan_->steps_.push_back(std::move(step));
      output.place = copy.place;
    } else if (held.place.in != Place::In::slot) {
      const Place wanted{Place::In::output, index};
      const bool there = held.place.in == Place::In::output && held.place.index == index &&
                         held.place.offset == 0 && held.like.is_contiguous();
      const PlacedTensor from = output;
      output.place = wanted;
      output.strides = output.shape.row_major_strides();
      if (!there) add_copy(from, output, "");
    }
    plan_->outputs_.push_back(std::move(output));
  }

  // Gives every block its lifetime, merges what may be computed in place, and lays them out.
  void place_memory() {
    std::vector<Step>& steps = plan_->steps_;
    const auto touch = [&](const Place& place, size_t step) {
      if (place.in != Place::In::arena) return;
      Lifetime& block = blocks_[static_cast<size_t>(place.index)];
      if (block.first < 0) block.first = static_cast<int32_t>(step);
      block.last = static_cast<int32_t>(step);
    };
    for (size_t s = 0; s < steps.size(); ++s) {
      for (const PlacedTensor& input : steps[s].inputs) touch(input.place, s);
      for (const PlacedTensor& output : steps[s].outputs) touch(output.place, s);
      touch(steps[s].scratch, s);
    }
    std::vector<int32_t> root(blocks_.size());
    for (size_t b = 0; b < root.size(); ++b) root[b] = static_cast<int32_t>(b);
    if (options_.share_memory)
      for (size_t s = 0; s < steps.size(); ++s) merge_in_place(steps[s], s, root);

    std::vector<Lifetime> alone;
    std::vector<size_t> at(blocks_.size());
    for (size_t b = 0; b < blocks_.size(); ++b) {
      if (root[b] != static_cast<int32_t>(b)) continue;
      at[b] = alone.size();
      alone.push_back(blocks_[b]);
    }
    const MemoryPlan memory = plan_memory(alone, options_.share_memory);
    for (size_t b = 0; b < blocks_.size(); ++b)
      plan_->block_offsets_.push_back(memory.offsets[at[static_cast<size_t>(root[b])]]);
    plan_->arena_bytes_ = memory.bytes;
    plan_->live_bytes_ = memory.live_bytes;
  }

  // Roots come before what is merged into them, so one look is enough.
  void merge_in_place(const Step& step, size_t at, std::vector<int32_t>& root) {
    if (!step.kernel || step.kernel->in_place == 0 || step.outputs.empty()) return;
    const PlacedTensor& output = step.outputs[0];
    if (output.place.in != Place::In::arena) return;
    for (size_t i = 0; i < step.inputs.size() && i < 32; ++i) {
      const PlacedTensor& input = step.inputs[i];
      if (!(step.kernel->in_place >> i & 1U) || input.place.in != Place::In::arena ||
          input.place.offset != 0 || bytes_of(input) != bytes_of(output) ||
          !(input.shape == output.shape) || !(input.strides == output.strides))
        continue;
      const int32_t from = root[static_cast<size_t>(input.place.index)];
      Lifetime& block = blocks_[static_cast<size_t>(from)];
      if (block.last != static_cast<int32_t>(at) || block.bytes != bytes_of(output)) continue;
      const auto other_reader = [&](const PlacedTensor& other) {
        return &other != &input && other.place.in == Place::In::arena &&
               root[static_cast<size_t>(other.place.index)] == from;
      };
      if (std::ranges::any_of(step.inputs, other_reader)) continue;
      const auto own = static_cast<size_t>(output.place.index);
      root[own] = from;
      block.last = blocks_[own].last;
      return;
    }
  }

  // One array of pointers for all steps; kernels find null behind the ports that are given.
  void lay_out_arguments() {
    const auto patch = [&](bool output_pointer, size_t at, const Place& place) {
      if (place.in == Place::In::input || place.in == Place::In::output)
        plan_->patches_.push_back({output_pointer, at, place});
    };
    for (Step& step : plan_->steps_) {
      if (!step.kernel) continue;
      const size_t in_ports = step.op ? step.op->inputs.size() : 1;
      const size_t out_ports = step.op ? step.op->outputs.size() : 1;
      step.in_at = plan_->in_count_;
      step.out_at = plan_->out_count_;
      step.in_count = std::max(step.inputs.size(), in_ports);
      step.out_count = std::max(step.outputs.size(), out_ports);
      plan_->in_count_ += step.in_count;
      plan_->out_count_ += step.out_count;
      for (size_t i = 0; i < step.inputs.size(); ++i)
        patch(false, step.in_at + i, step.inputs[i].place);
      for (size_t i = 0; i < step.outputs.size(); ++i)
        patch(true, step.out_at + i, step.outputs[i].place);
    }
  }

  std::shared_ptr<Plan> plan_;
  const SessionOptions& options_;
  TuningLog& log_;
  std::unordered_map<const Storage*, int> lasting_;  // of so many of the graph's constants
  std::vector<graph::ValueId>* dropped_;
  const graph::Graph* counted_ = nullptr;
  std::vector<int> readers_;  // of its values
  std::vector<Lifetime> blocks_;
};

std::shared_ptr<const Plan> build_plan(const graph::Graph& graph,
                                       std::span<const TensorType> inputs, PackedStore& packed,
                                       const SessionOptions& options, TuningLog& log,
                                       std::vector<graph::ValueId>* dropped) {
  return PlanBuilder(packed, options, log, dropped).build(graph, inputs);
}

}  // namespace tenon::engine
