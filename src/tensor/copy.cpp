// Copies between tensors: checks, and the strides of a broadcast source.
#include <array>
#include <cstdint>
#include <cstring>

#include "tensor/convert.h"
#include "tensor/strided_copy.h"
#include "tensor/tensor.h"

namespace tenon {
namespace {

// Below this many bytes a plain copy needs no plan.
constexpr size_t kSmallBytes = size_t{1} << 20;

// Strides of `from` along the axes of `to`, 0 where it is broadcast.
Shape strides_along(const Tensor& from, const Tensor& to) {
  Shape strides(to.rank(), 0);
  const size_t shift = to.rank() - from.rank();
  for (size_t i = 0; i < from.rank(); ++i)
    if (from.shape()[i] != 1) strides[shift + i] = from.strides()[i];
  return strides;
}

// Elements that are objects: strings and tensors.
template <class T>
void copy_objects(const Shape& shape, const Shape& from_strides, const Shape& to_strides,
                  const std::byte* from, std::byte* to, int64_t count) {
  const CopyAxes axes{shape, from_strides, sizeof(T), to_strides, sizeof(T)};
  CopyOdometer at(axes, axes.count, 0);
  for (int64_t i = 0; i < count; ++i, at.next())
    *reinterpret_cast<T*>(to + at.to) = *reinterpret_cast<const T*>(from + at.from);
}

bool holds_objects(DType type) { return type == DType::string || is_container(type); }

bool same_layout(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && a.is_contiguous() && b.is_contiguous();
}

void check_copy(const Tensor& from, const Tensor& to) {
  bool fits = from.rank() <= to.rank();
  for (size_t i = 0; fits && i < from.rank(); ++i) {
    const int64_t size = from.shape()[i];
    fits = size == 1 || size == to.shape()[i + to.rank() - from.rank()];
  }
  TENON_CHECK(fits, usage,
              "copy: shape {} does not broadcast to {}; sizes must be equal or 1, counted from the "
              "last axis",
              from.shape().str(), to.shape().str());
  for (size_t i = 0; i < to.rank(); ++i)
    TENON_CHECK(to.shape()[i] <= 1 || to.strides()[i] != 0, usage,
                "copy: axis {} of the target of shape {} is expanded, so its elements share "
                "memory; clone() it first",
                i, to.shape().str());
  TENON_CHECK((from.dtype() == to.dtype() && holds_objects(to.dtype())) ||
                  convert_run(from.dtype(), to.dtype()),
              unsupported,
              "copy: there is no conversion from {} to {}; convert with the Cast operator",
              name(from.dtype()), name(to.dtype()));
}

struct Extent {
  std::uintptr_t first, last;
};
Extent extent(const Tensor& tensor) {
  const auto element = static_cast<int64_t>(size_of(tensor.dtype()));
  int64_t low = 0;
  int64_t high = element - 1;
  for (size_t i = 0; i < tensor.rank(); ++i) {
    const int64_t reach = (tensor.shape()[i] - 1) * tensor.strides()[i] * element;
    (reach < 0 ? low : high) += reach;
  }
  const auto start = reinterpret_cast<std::uintptr_t>(tensor.raw());
  return {start + static_cast<std::uintptr_t>(low), start + static_cast<std::uintptr_t>(high)};
}

bool overlap(const Tensor& a, const Tensor& b) {
  if (a.numel() == 0 || b.numel() == 0) return false;
  const Extent x = extent(a);
  const Extent y = extent(b);
  return x.first <= y.last && y.first <= x.last;
}

}  // namespace

void copy_elements(const Tensor& from, Tensor& to) {
  if (same_layout(from, to)) {
    if (!holds_objects(from.dtype()) && from.bytes() < kSmallBytes) {
      if (from.bytes() != 0 && from.raw() != to.raw())
        std::memcpy(to.raw(), from.raw(), from.bytes());
      return;
    }
  }
  check_copy(from, to);
  if (to.numel() == 0) return;
  const auto* source = static_cast<const std::byte*>(from.raw());
  auto* target = static_cast<std::byte*>(to.raw());
  if (source == target && from.dtype() == to.dtype() && from.shape() == to.shape() &&
      from.strides() == to.strides())
    return;
  const Shape strides = strides_along(from, to);
  if (from.dtype() == DType::string)
    return copy_objects<std::string>(to.shape(), strides, to.strides(), source, target, to.numel());
  if (is_container(from.dtype()))
    return copy_objects<Tensor>(to.shape(), strides, to.strides(), source, target, to.numel());
  StridedCopy(to.shape(), from.dtype(), strides, to.dtype(), to.strides()).run(source, target);
}

Tensor Tensor::contiguous() const {
  need_data("Tensor::contiguous");
  return is_contiguous() ? *this : clone();
}

Tensor Tensor::clone() const {
  need_data("Tensor::clone");
  Tensor copy = empty(shape(), dtype(), device());
  copy_elements(*this, copy);
  return copy;
}

void Tensor::copy_from(const Tensor& source) {
  need_data("Tensor::copy_from");
  source.need_data("Tensor::copy_from");
  const bool same_view = source.raw() == raw() && source.dtype() == dtype() &&
                         source.shape() == shape() && source.strides() == strides();
  if (!same_view && overlap(source, *this))
    copy_elements(source.clone(), *this);
  else
    copy_elements(source, *this);
  bump_version();
}

void Tensor::fill(double value) {
  need_data("Tensor::fill");
  TENON_CHECK(
      !holds_objects(dtype()), unsupported,
      "Tensor::fill: a number cannot fill a tensor of {}; use copy_from() with such a tensor",
      dtype() == DType::string ? "strings" : name(dtype()));
  const bool complex = dtype() == DType::c64 || dtype() == DType::c128;
  alignas(16) std::array<double, 2> parts = {value, 0};
  const Tensor number = borrow(parts.data(), {}, complex ? DType::c128 : DType::f64);
  // Converted once: the copy below then only repeats an element.
  alignas(16) std::array<std::byte, 16> bytes;
  Tensor element = borrow(bytes.data(), {}, dtype());
  copy_elements(number, element);
  copy_elements(element, *this);
  bump_version();
}

}  // namespace tenon
