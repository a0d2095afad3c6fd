// Views: new shapes and strides over the same storage.
#include <algorithm>

#include "tensor/tensor.h"

namespace tenon {

Tensor Tensor::slice(int64_t axis, int64_t start, int64_t end, int64_t step) const {
  need_data("Tensor::slice");
  const auto a = static_cast<size_t>(normalize_axis(axis, rank(), "Tensor::slice"));
  TENON_CHECK(step != 0, usage,
              "Tensor::slice: the step on axis {} is 0; use a positive or negative one", axis);
  const int64_t size = shape()[a];
  // Positions a walk may start at or stop before: 0 to size forwards, size-1 to -1 backwards.
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? size : size - 1;
  const auto place = [&](int64_t position) {
    return std::clamp(position < 0 ? position + size : position, low, high);
  };
  const int64_t first = place(start);
  const int64_t last = place(end);
  // Unsigned, as -step may not exist.
  const uint64_t distance = step > 0 ? static_cast<uint64_t>(std::max<int64_t>(last - first, 0))
                                     : static_cast<uint64_t>(std::max<int64_t>(first - last, 0));
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
  const auto count = static_cast<int64_t>(distance / stride + (distance % stride != 0));
  Shape sizes = shape();
  Shape steps = strides();
  sizes[a] = count;
  if (count > 1) steps[a] *= step;  // a step past the end is never taken and may overflow
  return view_of(offset() + (count > 0 ? first * strides()[a] : 0), sizes, steps);
}

Tensor Tensor::select(int64_t axis, int64_t index) const {
  need_data("Tensor::select");
  const auto a = static_cast<size_t>(normalize_axis(axis, rank(), "Tensor::select"));
  const int64_t size = shape()[a];
  TENON_CHECK(index >= -size && index < size, usage,
              "Tensor::select: index {} is outside axis {} of shape {}; use {} to {}", index, axis,
              shape().str(), -size, size - 1);
  Shape sizes = shape();
  Shape steps = strides();
  sizes.erase(a);
  steps.erase(a);
  return view_of(offset() + (index < 0 ? index + size : index) * strides()[a], sizes, steps);
}

Tensor Tensor::permute(const Shape& order) const {
  need_data("Tensor::permute");
  TENON_CHECK(order.rank() == rank(), usage,
              "Tensor::permute: the order {} names {} axes of shape {}; name each once",
              order.str(), order.rank(), shape().str());
  Shape sizes = shape();
  Shape steps = strides();
  uint32_t seen = 0;
  for (size_t i = 0; i < order.rank(); ++i) {
    const auto a = static_cast<size_t>(normalize_axis(order[i], rank(), "Tensor::permute"));
    TENON_CHECK(!(seen >> a & 1U), usage,
                "Tensor::permute: the order {} names axis {} twice; name each once", order.str(),
                a);
    seen |= 1U << a;
    sizes[i] = shape()[a];
    steps[i] = strides()[a];
  }
  return view_of(offset(), sizes, steps);
}

Tensor Tensor::transpose(int64_t axis0, int64_t axis1) const {
  need_data("Tensor::transpose");
  const auto a = static_cast<size_t>(normalize_axis(axis0, rank(), "Tensor::transpose"));
  const auto b = static_cast<size_t>(normalize_axis(axis1, rank(), "Tensor::transpose"));
  Shape sizes = shape();
  Shape steps = strides();
  std::swap(sizes[a], sizes[b]);
  std::swap(steps[a], steps[b]);
  return view_of(offset(), sizes, steps);
}

Tensor Tensor::expand(const Shape& target) const {
  need_data("Tensor::expand");
  const auto check = [&](bool fits) {
    TENON_CHECK(fits, usage,
                "Tensor::expand: shape {} does not broadcast to {}; sizes must be equal or 1, "
                "counted from the last axis",
                shape().str(), target.str());
  };
  check(target.rank() >= rank());
  const size_t shift = target.rank() - rank();
  Shape steps(target.rank(), 0);
  for (size_t i = 0; i < rank(); ++i) {
    check(shape()[i] == target[i + shift] || shape()[i] == 1);
    if (shape()[i] == target[i + shift]) steps[i + shift] = strides()[i];
  }
  return view_of(offset(), target, steps);
}

Tensor Tensor::unsqueeze(int64_t axis) const {
  need_data("Tensor::unsqueeze");
  const auto a = static_cast<size_t>(normalize_axis(axis, rank() + 1, "Tensor::unsqueeze"));
  Shape sizes = shape();
  Shape steps = strides();
  // Fits the row-major pattern, though a stride of a single element is never used.
  const int64_t step = a < rank() ? strides()[a] * std::max<int64_t>(shape()[a], 1) : 1;
  sizes.insert(a, 1);
  steps.insert(a, step);
  return view_of(offset(), sizes, steps);
}

Tensor Tensor::squeeze(int64_t axis) const {
  need_data("Tensor::squeeze");
  const auto a = static_cast<size_t>(normalize_axis(axis, rank(), "Tensor::squeeze"));
  TENON_CHECK(
      shape()[a] == 1, usage,
      "Tensor::squeeze: axis {} of shape {} has size {}; only axes of size 1 can be dropped", axis,
      shape().str(), shape()[a]);
  Shape sizes = shape();
  Shape steps = strides();
  sizes.erase(a);
  steps.erase(a);
  return view_of(offset(), sizes, steps);
}

// Runs of axes that lie in memory like one axis are regrouped; a new axis must stay inside a run.
Tensor Tensor::try_view(const Shape& target) const {
  need_data("Tensor::try_view");
  TENON_CHECK(target.numel() == numel(), usage,
              "Tensor::try_view: shape {} of {} elements cannot become {} of {}; keep their number",
              shape().str(), numel(), target.str(), target.numel());
  if (is_contiguous()) return view_of(offset(), target, target.row_major_strides());
  Shape steps = target.row_major_strides();
  size_t next = target.rank();  // target axes from here on have their stride
  int64_t run = 1;              // elements of the run of source axes gathered so far
  int64_t run_step = 0;         // stride of its innermost axis
  for (size_t i = rank(); i-- > 0;) {
    if (run == 1) run_step = strides()[i];
    run *= shape()[i];
    // The next longer axis outwards, if it continues this run, is gathered first.
    size_t outer = i;
    while (outer > 0 && shape()[outer - 1] == 1) --outer;
    if (outer > 0 && (run == 1 || strides()[outer - 1] == run * run_step)) continue;
    int64_t taken = 1;
    while (next > 0 && (taken < run || target[next - 1] == 1)) {
      --next;
      steps[next] = taken * run_step;
      taken *= target[next];
    }
    if (taken != run) return {};
    run = 1;
  }
  return view_of(offset(), target, steps);
}

Tensor Tensor::reshape(const Shape& target) const {
  if (Tensor view = try_view(target)) return view;
  return contiguous().try_view(target);
}

}  // namespace tenon
