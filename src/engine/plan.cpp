// Running a plan.
#include "engine/plan.h"

#include <algorithm>

#include "base/trace.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon::engine {

namespace {

// `made`, with copies of what lies in [begin, end): also of what its elements hold.
Tensor kept_apart(Tensor made, const std::byte* begin, const std::byte* end) {
  if (is_container(made.dtype())) {
    TensorList elements;
    bool changed = false;
    for (const Tensor& element : made.elements()) {
      elements.push_back(kept_apart(element, begin, end));
      changed = changed || !elements.back().same_as(element);
    }
    if (!changed) return made;
    if (made.dtype() == DType::sequence) return Tensor::sequence(elements);
    if (made.dtype() == DType::map) return Tensor::map(elements[0], elements[1]);
    return Tensor::optional(elements[0]);
  }
  const auto* data = static_cast<const std::byte*>(std::as_const(made).raw());
  return data >= begin && data < end ? made.clone() : made;
}

}  // namespace

Tensor tensor_at(void* data, DType type, const Shape& shape, const Shape& strides) {
  constexpr size_t kAnySize = size_t{1} << 62;
  int64_t before = 0;  // elements that lie in front of the first one
  for (size_t i = 0; i < shape.rank(); ++i)
    if (strides[i] < 0 && shape[i] > 1) before -= strides[i] * (shape[i] - 1);
  auto* begin = static_cast<std::byte*>(data) - before * static_cast<int64_t>(size_of(type));
  return Tensor::over(make_ref<Storage>(cpu_device(), begin, kAnySize, nullptr), before, shape,
                      strides, type);
}

void* Plan::address(const Frame& frame, const Place& place) const {
  const auto index = static_cast<size_t>(place.index);
  switch (place.in) {
    case Place::In::constant:
      return static_cast<std::byte*>(const_cast<void*>(constants_[index].raw())) + place.offset;
    case Place::In::arena:
      return static_cast<std::byte*>(const_cast<void*>(frame.arena.raw())) + block_offsets_[index] +
             place.offset;
    default: return nullptr;  // patched in each run
  }
}

std::unique_ptr<Plan::Frame> Plan::new_frame() const {
  auto frame = std::make_unique<Frame>();
  frame->arena = Tensor::empty(Shape{arena_bytes_}, DType::u8);
  frame->in.assign(in_count_, nullptr);
  frame->out.assign(out_count_, nullptr);
  frame->slots.resize(slot_count_);
  for (const Step& step : steps_) {
    if (!step.kernel) continue;
    for (size_t i = 0; i < step.inputs.size(); ++i)
      frame->in[step.in_at + i] = address(*frame, step.inputs[i].place);
    for (size_t i = 0; i < step.outputs.size(); ++i)
      frame->out[step.out_at + i] = address(*frame, step.outputs[i].place);
  }
  return frame;
}

std::unique_ptr<Plan::Frame> Plan::take_frame() const {
  {
    const std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Frame> frame = std::move(idle_.back());
      idle_.pop_back();
      return frame;
    }
  }
  return new_frame();
}

void Plan::apply_step(const Step& step, Frame& frame, std::span<const Tensor> given,
                      std::span<Tensor> results) const {
  const auto tensor_of = [&](const PlacedTensor& tensor) -> Tensor {
    const auto index = static_cast<size_t>(tensor.place.index);
    switch (tensor.place.in) {
      case Place::In::nowhere: return {};
      case Place::In::slot: return frame.slots[index];
      case Place::In::input:
      case Place::In::output: {
        const Tensor& whole = tensor.place.in == Place::In::input ? given[index] : results[index];
        if (is_container(tensor.dtype)) return whole;
        return Tensor::over(
            whole.storage(),
            whole.offset() + tensor.place.offset / static_cast<int64_t>(size_of(tensor.dtype)),
            tensor.shape, tensor.strides, tensor.dtype);
      }
      case Place::In::constant:
        if (is_container(tensor.dtype)) return constants_[index];
        if (tensor.place.offset == 0 && constants_[index].strides() == tensor.strides &&
            constants_[index].shape() == tensor.shape)
          return constants_[index];
        // Results may keep it longer than the plan lives.
        return Tensor::over(constants_[index].storage(),
                            constants_[index].offset() +
                                tensor.place.offset / static_cast<int64_t>(size_of(tensor.dtype)),
                            tensor.shape, tensor.strides, tensor.dtype);
      case Place::In::arena:
        return tensor_at(address(frame, tensor.place), tensor.dtype, tensor.shape, tensor.strides);
    }
    return {};
  };
  TensorList inputs;
  std::vector<const Tensor*> pointers;
  for (const PlacedTensor& input : step.inputs) inputs.push_back(tensor_of(input));
  for (const Tensor& input : inputs) pointers.push_back(&input);
  TensorList made = apply(*step.op, pointers, step.attrs, step.outputs.size());
  const auto* arena_begin = static_cast<const std::byte*>(frame.arena.raw());
  for (size_t i = 0; i < made.size(); ++i) {
    const PlacedTensor& output = step.outputs[i];
    if (output.place.in == Place::In::nowhere || !made[i].defined()) continue;
    if (output.place.in != Place::In::slot) {
      tensor_of(output).copy_from(made[i]);
      continue;
    }
    // What shares the arena's memory would be overwritten by later steps.
    frame.slots[static_cast<size_t>(output.place.index)] =
        kept_apart(std::move(made[i]), arena_begin, arena_begin + arena_bytes_);
  }
}

void Plan::run(std::span<const Tensor> given, std::span<Tensor> results, const Watch& watch) const {
  struct Lease {
    const Plan& plan;
    std::unique_ptr<Frame> frame;
    ~Lease() {
      for (Tensor& slot : frame->slots) slot = Tensor();
      const std::scoped_lock lock(plan.mutex_);
      plan.idle_.push_back(std::move(frame));
    }
  } lease{*this, take_frame()};
  Frame& frame = *lease.frame;

  for (size_t i = 0; i < results.size(); ++i) {
    const PlacedTensor& output = outputs_[i];
    if (output.place.in == Place::In::slot) continue;
    if (!results[i].defined()) {
      results[i] = Tensor::empty(output.shape, output.dtype);
      continue;
    }
    TENON_CHECK(results[i].dtype() == output.dtype && results[i].shape() == output.shape &&
                    results[i].is_contiguous(),
                usage, "output {} is given as {}{}{}; give a contiguous {}{}, or none", i,
                results[i].is_contiguous() ? "" : "strided ", name(results[i].dtype()),
                results[i].shape().str(), name(output.dtype), output.shape.str());
  }
  for (const Patch& patch : patches_) {
    const auto index = static_cast<size_t>(patch.place.index);
    if (patch.is_output_pointer)
      frame.out[patch.at] = static_cast<std::byte*>(results[index].raw()) + patch.place.offset;
    else
      frame.in[patch.at] =
          static_cast<const std::byte*>(patch.place.in == Place::In::input
                                            ? given[index].raw()
                                            : std::as_const(results[index]).raw()) +
          patch.place.offset;
  }

  for (size_t s = 0; s < steps_.size(); ++s) {
    const Step& step = steps_[s];
    if (watch.cancellation) watch.cancellation->check("running the model");
    const int64_t begin = watch.on_step ? trace::now_ns() : 0;
    const trace::Span span("op", step.op ? step.op->name : "copy");
    if (step.kernel) {
      RunContext ctx{frame.in.data() + step.in_at,
                     frame.out.data() + step.out_at,
                     address(frame, step.scratch),
                     {},
                     nullptr};
      if (step.kernel->random_counters) ctx.random = reserve_random(step.kernel->random_counters);
      step.kernel->run(ctx);
    } else {
      with_context(
          [&] { return "while running " + (step.origin.empty() ? step.name : step.origin); },
          [&] { apply_step(step, frame, given, results); });
    }
    if (watch.on_step) (*watch.on_step)(s, static_cast<double>(trace::now_ns() - begin) * 1e-9);
  }
  for (size_t i = 0; i < results.size(); ++i) {
    if (outputs_[i].place.in != Place::In::slot) continue;
    const Tensor& made = frame.slots[static_cast<size_t>(outputs_[i].place.index)];
    // A view of an input, of a constant or of another result is no result of its own.
    const bool alone =
        !is_container(made.dtype()) && made.storage()->use_count() == 1 &&
        std::ranges::none_of(results.first(i), [&](const Tensor& r) { return r.same_as(made); });
    if (results[i].defined())
      results[i].copy_from(made);
    else if (is_container(made.dtype()))
      results[i] = made;
    else
      results[i] = alone ? made.contiguous() : made.clone();
  }
}

}  // namespace tenon::engine
