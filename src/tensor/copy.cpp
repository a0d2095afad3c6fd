// Copies of strided elements. Axes are sorted by the target's strides and merged where both sides
// allow; what is left is a loop over panels of two axes (panel.h), shared out among threads.
#include <algorithm>
#include <array>
#include <cstring>
#include <cstdint>
#include <cstdlib>

#include "base/threads.h"
#include "tensor/panel.h"
#include "tensor/tensor.h"

namespace tenon {
namespace {

constexpr int64_t kStripBytes = int64_t{128} << 10;   // the unit of work of a thread
constexpr int64_t kParallelBytes = int64_t{1} << 20;  // a thread's least share: starting it costs too

struct Axis {
  int64_t size;
  int64_t from, to;  // steps in bytes
};

struct Axes {
  size_t count = 0;
  std::array<Axis, kMaxRank> axis;

  void merge();
  void move_to(size_t at, size_t place);
};

// Axes that both sides walk as if they were one become one.
void Axes::merge() {
  size_t kept = 0;
  for (size_t i = 1; i < count; ++i) {
    Axis& outer = axis[kept];
    const Axis& inner = axis[i];
    if (outer.from == inner.size * inner.from && outer.to == inner.size * inner.to)
      outer = {outer.size * inner.size, inner.from, inner.to};
    else
      axis[++kept] = inner;
  }
  if (count) count = kept + 1;
}

void Axes::move_to(size_t at, size_t place) {
  std::rotate(axis.begin() + at, axis.begin() + at + 1, axis.begin() + place + 1);
}

// Axes of size 1 left out, longest step of the target first.
Axes walk(const Tensor& from, const Tensor& to) {
  Axes axes;
  const size_t shift = to.rank() - from.rank();
  for (size_t i = 0; i < to.rank(); ++i) {
    if (to.shape()[i] == 1) continue;
    const bool repeated = i < shift || from.shape()[i - shift] == 1;
    axes.axis[axes.count++] = {to.shape()[i],
                               repeated ? 0 : from.strides()[i - shift] * static_cast<int64_t>(size_of(from.dtype())),
                               to.strides()[i] * static_cast<int64_t>(size_of(to.dtype()))};
  }
  std::stable_sort(axes.axis.begin(), axes.axis.begin() + axes.count,
                   [](const Axis& a, const Axis& b) { return std::abs(a.to) > std::abs(b.to); });
  axes.merge();
  return axes;
}

// The position of a work item: which outer index, where the two sides stand there.
class Odometer {
 public:
  Odometer(const Axes& axes, size_t outer, int64_t index) : axes_(axes), outer_(outer) {
    for (size_t i = outer; i-- > 0;) {
      at_[i] = index % axes.axis[i].size;
      index /= axes.axis[i].size;
      from += at_[i] * axes.axis[i].from;
      to += at_[i] * axes.axis[i].to;
    }
  }
  void next() {
    for (size_t i = outer_; i-- > 0;) {
      const Axis& axis = axes_.axis[i];
      from += axis.from;
      to += axis.to;
      if (++at_[i] < axis.size) return;
      from -= axis.size * axis.from;
      to -= axis.size * axis.to;
      at_[i] = 0;
    }
  }

  int64_t from = 0, to = 0;

 private:
  const Axes& axes_;
  size_t outer_;
  std::array<int64_t, kMaxRank> at_;
};

Panel panel_of(Axes& axes, size_t from_bytes, size_t to_bytes) {
  Panel panel;
  panel.from_bytes = from_bytes;
  panel.to_bytes = to_bytes;
  if (axes.count == 0) return panel;
  const Axis inner = axes.axis[axes.count - 1];
  panel.columns = inner.size;
  panel.from_column = inner.from;
  panel.to_column = inner.to;
  if (axes.count == 1) return panel;
  // Where the source runs along another axis, that one makes the panel a transposition.
  if (inner.from != static_cast<int64_t>(from_bytes))
    for (size_t i = 0; i + 1 < axes.count; ++i)
      if (axes.axis[i].from == static_cast<int64_t>(from_bytes)) axes.move_to(i, axes.count - 2);
  const Axis& rows = axes.axis[axes.count - 2];
  panel.rows = rows.size;
  panel.from_row = rows.from;
  panel.to_row = rows.to;
  return panel;
}

void copy_panels(const Axes& axes, const Panel& panel, CopyPanel copy, const std::byte* from, std::byte* to) {
  const size_t outer = axes.count > 2 ? axes.count - 2 : 0;
  int64_t panels = 1;
  for (size_t i = 0; i < outer; ++i) panels *= axes.axis[i].size;

  // A panel is cut into strips of whole rows, or a single row into strips of columns.
  const auto element = static_cast<int64_t>(std::max(panel.from_bytes, panel.to_bytes));
  const bool by_rows = panel.rows > 1;
  const int64_t length = by_rows ? panel.rows : panel.columns;
  int64_t strip = std::max<int64_t>(kStripBytes / (by_rows ? panel.columns * element : element), 1);
  strip = std::min((strip + kTile - 1) / kTile * kTile, length);
  const int64_t strips = (length + strip - 1) / strip;
  const int64_t items = panels * strips;

  const auto do_items = [&](int64_t first, int64_t last) {
    Odometer at(axes, outer, first / strips);
    int64_t s = first % strips;
    Panel part = panel;
    for (int64_t item = first; item < last; ++item) {
      const int64_t begin = s * strip;
      (by_rows ? part.rows : part.columns) = std::min(strip, length - begin);
      copy(from + at.from + begin * (by_rows ? panel.from_row : panel.from_column),
           to + at.to + begin * (by_rows ? panel.to_row : panel.to_column), part);
      if (++s == strips) {
        s = 0;
        at.next();
      }
    }
  };
  // Bytes an item moves, nearly; threads are worth starting for many.
  const int64_t item_bytes = strip * (by_rows ? panel.columns : 1) * element;
  parallel_for(0, items, std::max<int64_t>(kParallelBytes / item_bytes, 1), do_items);
}

void copy_strings(const Axes& axes, const std::byte* from, std::byte* to, int64_t count) {
  Odometer at(axes, axes.count, 0);
  for (int64_t i = 0; i < count; ++i, at.next())
    *reinterpret_cast<std::string*>(to + at.to) = *reinterpret_cast<const std::string*>(from + at.from);
}

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
              "copy: shape {} does not broadcast to {}; sizes must be equal or 1, counted from the last axis",
              from.shape().str(), to.shape().str());
  for (size_t i = 0; i < to.rank(); ++i)
    TENON_CHECK(to.shape()[i] <= 1 || to.strides()[i] != 0, usage,
                "copy: axis {} of the target of shape {} is expanded, so its elements share memory; clone() it first",
                i, to.shape().str());
  TENON_CHECK((from.dtype() == DType::string && to.dtype() == DType::string) || convert_run(from.dtype(), to.dtype()),
              unsupported, "copy: there is no conversion from {} to {}; convert with the Cast operator",
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
    if (from.dtype() != DType::string && from.bytes() < static_cast<size_t>(kParallelBytes)) {
      if (from.bytes() != 0 && from.raw() != to.raw()) std::memcpy(to.raw(), from.raw(), from.bytes());
      return;
    }
  }
  check_copy(from, to);
  if (to.numel() == 0) return;
  const auto* source = static_cast<const std::byte*>(from.raw());
  auto* target = static_cast<std::byte*>(to.raw());
  if (source == target && from.dtype() == to.dtype() && from.shape() == to.shape() && from.strides() == to.strides())
    return;
  Axes axes = walk(from, to);
  if (from.dtype() == DType::string) return copy_strings(axes, source, target, to.numel());
  Panel panel = panel_of(axes, size_of(from.dtype()), size_of(to.dtype()));
  CopyPanel copy;
  if (from.dtype() == to.dtype()) {
    copy = choose_copy(panel);
  } else {
    panel.convert = convert_run(from.dtype(), to.dtype());
    copy = choose_convert(panel);
  }
  copy_panels(axes, panel, copy, source, target);
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
  const bool same_view = source.raw() == raw() && source.dtype() == dtype() && source.shape() == shape() &&
                         source.strides() == strides();
  if (!same_view && overlap(source, *this))
    copy_elements(source.clone(), *this);
  else
    copy_elements(source, *this);
  bump_version();
}

void Tensor::fill(double value) {
  need_data("Tensor::fill");
  TENON_CHECK(dtype() != DType::string, unsupported,
              "Tensor::fill: a number cannot fill a tensor of strings; use copy_from() with a string tensor");
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
