// Copies of strided elements: what is left after merging axes is a loop over panels of two axes
// (panel.h), shared out among threads.
#include "tensor/strided_copy.h"

#include <algorithm>
#include <cstdlib>

#include "base/threads.h"

namespace tenon {
namespace {

constexpr int64_t kStripBytes = int64_t{128} << 10;  // the unit of work of a thread
constexpr int64_t kParallelBytes = int64_t{1}
                                   << 20;  // a thread's least share: starting it costs too

Panel panel_of(CopyAxes& axes, size_t from_bytes, size_t to_bytes) {
  Panel panel;
  panel.from_bytes = from_bytes;
  panel.to_bytes = to_bytes;
  if (axes.count == 0) return panel;
  const CopyAxes::Axis inner = axes.axis[axes.count - 1];
  panel.columns = inner.size;
  panel.from_column = inner.from;
  panel.to_column = inner.to;
  if (axes.count == 1) return panel;
  // Where the source runs along another axis, that one makes the panel a transposition.
  if (inner.from != static_cast<int64_t>(from_bytes))
    for (size_t i = 0; i + 1 < axes.count; ++i)
      if (axes.axis[i].from == static_cast<int64_t>(from_bytes)) axes.move_to(i, axes.count - 2);
  const CopyAxes::Axis& rows = axes.axis[axes.count - 2];
  panel.rows = rows.size;
  panel.from_row = rows.from;
  panel.to_row = rows.to;
  return panel;
}

void copy_panels(const CopyAxes& axes, const Panel& panel, CopyPanel copy, const std::byte* from,
                 std::byte* to) {
  const size_t outer = axes.count > 2 ? axes.count - 2 : 0;
  int64_t panels = 1;
  for (size_t i = 0; i < outer; ++i) panels *= axes.axis[i].size;

  // A panel is cut into strips of whole rows, or a single row into strips of columns.
  const auto element = static_cast<int64_t>(std::max(panel.from_bytes, panel.to_bytes));
  const bool by_rows = panel.rows > 1;
  const int64_t length = by_rows ? panel.rows : panel.columns;
  int64_t strip = std::max<int64_t>(kStripBytes / (by_rows ? panel.columns * element : element), 1);
  const int64_t whole = by_rows ? whole_rows(panel) : 1;
  strip = std::min((strip + whole - 1) / whole * whole, length);
  const int64_t strips = (length + strip - 1) / strip;
  const int64_t items = panels * strips;

  const auto do_items = [&](int64_t first, int64_t last) {
    CopyOdometer at(axes, outer, first / strips);
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

}  // namespace

CopyAxes::CopyAxes(const Shape& shape, const Shape& from_strides, size_t from_bytes,
                   const Shape& to_strides, size_t to_bytes) {
  for (size_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    axis[count++] = {shape[i], from_strides[i] * static_cast<int64_t>(from_bytes),
                     to_strides[i] * static_cast<int64_t>(to_bytes)};
  }
  std::stable_sort(axis.begin(), axis.begin() + count,
                   [](const Axis& a, const Axis& b) { return std::abs(a.to) > std::abs(b.to); });
  merge();
}

// Axes that both sides walk as if they were one become one.
void CopyAxes::merge() {
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

void CopyAxes::move_to(size_t at, size_t place) {
  std::rotate(axis.begin() + at, axis.begin() + at + 1, axis.begin() + place + 1);
}

StridedCopy::StridedCopy(const Shape& shape, DType from_type, const Shape& from_strides,
                         DType to_type, const Shape& to_strides)
    : empty_(shape.numel() == 0),
      axes_(shape, from_strides, size_of(from_type), to_strides, size_of(to_type)) {
  if (empty_) return;
  panel_ = panel_of(axes_, size_of(from_type), size_of(to_type));
  if (from_type == to_type) {
    copy_ = choose_copy(panel_);
  } else {
    panel_.convert = convert_run(from_type, to_type);
    copy_ = choose_convert(panel_);
  }
}

void StridedCopy::run(const void* from, void* to) const {
  if (!empty_)
    copy_panels(axes_, panel_, copy_, static_cast<const std::byte*>(from),
                static_cast<std::byte*>(to));
}

}  // namespace tenon
