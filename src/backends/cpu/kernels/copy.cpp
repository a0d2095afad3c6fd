// Operators that only move elements: each is a list of strided copies, planned once.
#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/strided.h"
#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/shape/slicing.h"
#include "tensor/strided_copy.h"

namespace tenon::cpu {

namespace {

// One strided copy from an input to an output, `from` and `to` bytes behind their first elements.
struct Move {
  size_t input, output;
  int64_t from, to;
  StridedCopy copy;
};

struct Moves final : Kernel {
  std::vector<Move> moves;
  // Output 0 is first filled with the element at `filler`, an input; with zeros if that is absent.
  bool fills = false;
  size_t filler = 0;
  int64_t fill_count = 0, element_size = 0;
  std::vector<StridedCopy> fill;  // at most one: the element, repeated

  void run(const RunContext& ctx) const override {
    if (fills) {
      if (fill.empty())
        std::memset(ctx.out[0], 0, static_cast<size_t>(fill_count * element_size));
      else
        fill[0].run(ctx.in[filler], ctx.out[0]);
    }
    for (const Move& move : moves)
      move.copy.run(ctx.input<std::byte>(move.input) + move.from,
                    ctx.output<std::byte>(move.output) + move.to);
  }
};

int64_t bytes_of(DType type) { return static_cast<int64_t>(size_of(type)); }

// A copy of `shape` elements from views of input and output that begin `from` and `to` elements in.
Move make_move(const PrepareContext& ctx, size_t input, size_t output, const Shape& shape,
               const Shape& from_strides, int64_t from, const Shape& to_strides, int64_t to) {
  const DType x = ctx.inputs[input].dtype, y = ctx.outputs[output].dtype;
  return {input, output, from * bytes_of(x), to * bytes_of(y),
          StridedCopy(shape, x, from_strides, y, to_strides)};
}

bool moves_strings(const PrepareContext& ctx) { return ctx.outputs[0].dtype == DType::string; }
Refusal refuse_strings() { return refuse("no strings"); }

// The whole output, read with these strides from `from` elements behind the input's first.
Prepared whole(const PrepareContext& ctx, const Shape& strides, int64_t from = 0) {
  if (moves_strings(ctx)) return refuse_strings();
  const TensorSpec& y = ctx.outputs[0];
  auto kernel = std::make_unique<Moves>();
  kernel->moves.push_back(make_move(ctx, 0, 0, y.shape, strides, from, y.strides, 0));
  return kernel;
}

Prepared prepare_same(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::string) return refuse_strings();
  if (!convert_run(ctx.inputs[0].dtype, ctx.outputs[0].dtype))
    return refuse(fmt::format("no conversion from {} to {}", name(ctx.inputs[0].dtype),
                              name(ctx.outputs[0].dtype)));
  return whole(ctx, ctx.inputs[0].strides);
}

Prepared prepare_cast(const PrepareContext& ctx) {
  if (kNarrowFloats.has(ctx.outputs[0].dtype) &&
      (ctx.i("saturate") == 0 || ctx.s("round_mode") != "up"))
    return refuse(fmt::format("to {} only saturating and rounding up", name(ctx.outputs[0].dtype)));
  return prepare_same(ctx);
}

// Gives the output the dense order in which the axes `order` come, longest stride first.
void set_order(TensorSpec& y, const Shape& order) {
  int64_t inside = 1;
  for (size_t i = order.rank(); i-- > 0;) {
    const auto axis = static_cast<size_t>(order[i]);
    y.strides[axis] = inside;
    inside *= y.shape[axis];
  }
  y.contiguous = y.strides == y.shape.row_major_strides();
}

// An image whose channels are split or joined (a channel shuffle) stays channels-last. Gives y that
// order and returns where x's elements go in it, as strides along x's axes; nothing for all else.
std::optional<Shape> keep_channels_last(const TensorSpec& x, TensorSpec& y) {
  const size_t rank = y.rank();
  if (rank < 4 || x.rank() < rank || y.numel() == 0) return std::nullopt;
  // All axes but the second of y are axes of x; that one is made of those left over.
  const size_t joined = x.rank() - rank + 1;
  for (size_t axis = 0; axis < rank; ++axis)
    if (axis != 1 && y.shape[axis] != x.shape[axis == 0 ? 0 : axis + joined - 1])
      return std::nullopt;
  // x has its channels inside its pixels.
  int64_t widest = 0, pixels = INT64_MAX;
  for (size_t axis = 1; axis < x.rank(); ++axis) {
    if (x.shape[axis] == 1) continue;
    if (axis < 1 + joined)
      widest = std::max(widest, x.strides[axis]);
    else
      pixels = std::min(pixels, x.strides[axis]);
  }
  if (pixels == INT64_MAX || widest == 0 || widest >= pixels) return std::nullopt;
  Shape order{0};
  for (size_t axis = 2; axis < rank; ++axis) order.push_back(static_cast<int64_t>(axis));
  order.push_back(1);
  set_order(y, order);
  Shape to(x.rank(), 0);
  to[0] = y.strides[0];
  for (size_t axis = 2; axis < rank; ++axis) to[axis + joined - 1] = y.strides[axis];
  int64_t inside = y.strides[1];
  for (size_t axis = joined + 1; axis-- > 1;) {
    to[axis] = inside;
    inside *= x.shape[axis];
  }
  return to;
}

// What no view can say: the elements in row-major order, whatever the result's sizes are.
Prepared prepare_reshape(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (moves_strings(ctx)) return refuse_strings();
  if (!convert_run(x.dtype, x.dtype)) return refuse(fmt::format("no copy of {}", name(x.dtype)));
  const std::optional<Shape> kept = keep_channels_last(x, ctx.outputs[0]);
  auto kernel = std::make_unique<Moves>();
  kernel->moves.push_back(
      make_move(ctx, 0, 0, x.shape, x.strides, 0, kept ? *kept : x.shape.row_major_strides(), 0));
  return kernel;
}

Prepared prepare_transpose(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const std::span<const int64_t> given = ctx.ints("perm");
  Shape order(x.rank(), 0);
  for (size_t i = 0; i < x.rank(); ++i) {
    const auto rank = static_cast<int64_t>(x.rank());
    const int64_t axis = given.empty() ? rank - 1 - static_cast<int64_t>(i) : given[i];
    order[i] = axis < 0 ? axis + rank : axis;
  }
  return whole(ctx, permuted(x.strides, order));
}

Prepared prepare_expand(const PrepareContext& ctx) {
  return whole(ctx, broadcast_strides(ctx.inputs[0], ctx.outputs[0].shape));
}

// Where a Slice (or its gradient) looks: the first element and the strides along x.
struct Window {
  int64_t offset = 0;
  Shape strides;
};
Window window(const PrepareContext& ctx, size_t starts_at, const Shape& shape,
              const Shape& strides) {
  const std::vector<int64_t> starts = ctx.inputs[starts_at].constant_ints();
  const std::vector<int64_t> ends = ctx.inputs[starts_at + 1].constant_ints();
  std::vector<int64_t> axes, steps;
  if (ctx.has_input(starts_at + 2)) axes = ctx.inputs[starts_at + 2].constant_ints();
  if (ctx.has_input(starts_at + 3)) steps = ctx.inputs[starts_at + 3].constant_ints();
  Window result{0, strides};
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t given = axes.empty() ? static_cast<int64_t>(i) : axes[i];
    const auto axis =
        static_cast<size_t>(given < 0 ? given + static_cast<int64_t>(shape.rank()) : given);
    const SliceRange range =
        slice_range(shape[axis], starts[i], ends[i], steps.empty() ? 1 : steps[i]);
    if (range.count > 0) result.offset += range.start * strides[axis];
    result.strides[axis] = strides[axis] * range.step;
  }
  return result;
}

Prepared prepare_slice(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const Window seen = window(ctx, 1, x.shape, x.strides);
  return whole(ctx, seen.strides, seen.offset);
}

Prepared prepare_slice_grad(const PrepareContext& ctx) {
  const TensorSpec& dy = ctx.inputs[0];
  const TensorSpec& dx = ctx.outputs[0];
  const Window seen = window(ctx, 2, dx.shape, dx.strides);
  auto kernel = std::make_unique<Moves>();
  kernel->fills = true;
  kernel->fill_count = dx.numel();
  kernel->element_size = bytes_of(dx.dtype);
  kernel->moves.push_back(make_move(ctx, 0, 0, dy.shape, dy.strides, 0, seen.strides, seen.offset));
  return kernel;
}

Prepared prepare_concat(const PrepareContext& ctx) {
  if (moves_strings(ctx)) return refuse_strings();
  TensorSpec& y = ctx.outputs[0];
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), y.rank(), ctx.op.name));
  // Where all parts lie in memory in one dense order (channels-last), so does the result.
  const Shape order = memory_order(ctx.inputs[0].shape, ctx.inputs[0].strides);
  bool ordered = true;
  for (const TensorSpec& part : ctx.inputs) {
    TensorSpec same = part;
    set_order(same, order);
    for (size_t i = 0; i < part.rank(); ++i)
      ordered = ordered && (part.shape[i] == 1 || part.strides[i] == same.strides[i]);
  }
  if (ordered) set_order(y, order);
  auto kernel = std::make_unique<Moves>();
  int64_t at = 0;
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    const TensorSpec& x = ctx.inputs[i];
    kernel->moves.push_back(
        make_move(ctx, i, 0, x.shape, x.strides, 0, y.strides, at * y.strides[axis]));
    at += x.shape[axis];
  }
  return kernel;
}

Prepared prepare_split(const PrepareContext& ctx) {
  if (moves_strings(ctx)) return refuse_strings();
  const TensorSpec& x = ctx.inputs[0];
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), x.rank(), ctx.op.name));
  const Shape order = memory_order(x.shape, x.strides);
  auto kernel = std::make_unique<Moves>();
  int64_t at = 0;
  for (size_t i = 0; i < ctx.outputs.size(); ++i) {
    TensorSpec& y = ctx.outputs[i];
    if (!y.present()) return refuse(fmt::format("output {} is not wanted", i));
    set_order(y, order);
    kernel->moves.push_back(
        make_move(ctx, 0, i, y.shape, x.strides, at * x.strides[axis], y.strides, 0));
    at += y.shape[axis];
  }
  return kernel;
}

Prepared prepare_tile(const PrepareContext& ctx) {
  if (moves_strings(ctx)) return refuse_strings();
  const TensorSpec& x = ctx.inputs[0];
  const TensorSpec& y = ctx.outputs[0];
  // A repeated axis becomes two: the repeats, which read the same, and the axis.
  Shape shape, from, to;
  for (size_t axis = 0; axis < x.rank(); ++axis) {
    const int64_t size = x.shape[axis];
    const int64_t repeats = size == 0 ? 0 : y.shape[axis] / size;
    if (shape.rank() + 2 + (x.rank() - axis - 1) > kMaxRank)
      return refuse(fmt::format("too many repeated axes for rank {}", kMaxRank));
    if (repeats != 1) {
      shape.push_back(repeats);
      from.push_back(0);
      to.push_back(y.strides[axis] * size);
    }
    shape.push_back(size);
    from.push_back(x.strides[axis]);
    to.push_back(y.strides[axis]);
  }
  auto kernel = std::make_unique<Moves>();
  kernel->moves.push_back(make_move(ctx, 0, 0, shape, from, 0, to, 0));
  return kernel;
}

Prepared prepare_pad(const PrepareContext& ctx) {
  if (moves_strings(ctx)) return refuse_strings();
  if (ctx.s("mode") != "constant")
    return refuse(fmt::format("only mode constant, not {}", ctx.s("mode")));
  const TensorSpec& x = ctx.inputs[0];
  TensorSpec& y = ctx.outputs[0];
  set_order(y, memory_order(x.shape, x.strides));  // a padded image keeps its order
  const std::vector<int64_t> pads = ctx.inputs[1].constant_ints();
  std::vector<int64_t> axes;
  if (ctx.has_input(3)) axes = ctx.inputs[3].constant_ints();
  const size_t count = pads.size() / 2;
  // Negative pads crop, the others leave room before the elements.
  Shape kept = x.shape;
  int64_t from = 0, to = 0;
  for (size_t i = 0; i < count; ++i) {
    const int64_t given = axes.empty() ? static_cast<int64_t>(i) : axes[i];
    const auto axis =
        static_cast<size_t>(given < 0 ? given + static_cast<int64_t>(x.rank()) : given);
    const int64_t begin = pads[i], end = pads[i + count];
    kept[axis] =
        std::max<int64_t>(0, kept[axis] + std::min<int64_t>(begin, 0) + std::min<int64_t>(end, 0));
    from += std::max<int64_t>(-begin, 0) * x.strides[axis];
    to += std::max<int64_t>(begin, 0) * y.strides[axis];
  }
  auto kernel = std::make_unique<Moves>();
  kernel->fills = true;
  kernel->fill_count = y.numel();
  kernel->element_size = bytes_of(y.dtype);
  if (ctx.has_input(2)) {
    kernel->filler = 2;
    kernel->fill.emplace_back(y.shape, y.dtype, Shape(y.rank(), 0), y.dtype, y.strides);
  }
  kernel->moves.push_back(make_move(ctx, 0, 0, kept, x.strides, from, y.strides, to));
  return kernel;
}

}  // namespace

constinit const KernelList copy{
    {&op::Identity, "cpu.identity", prepare_same, Strides::any},
    {&op::Cast, "cpu.cast_strided", prepare_cast, Strides::any},
    {&op::Transpose, "cpu.transpose", prepare_transpose, Strides::any},
    {&op::Expand, "cpu.expand", prepare_expand, Strides::any},
    {&op::Reshape, "cpu.reshape", prepare_reshape, Strides::any},
    {&op::Flatten, "cpu.flatten", prepare_reshape, Strides::any},
    {&op::Squeeze, "cpu.squeeze", prepare_reshape, Strides::any},
    {&op::Unsqueeze, "cpu.unsqueeze", prepare_reshape, Strides::any},
    {&op::Slice, "cpu.slice", prepare_slice, Strides::any},
    {&op::SliceGrad, "cpu.slice_grad", prepare_slice_grad, Strides::any},
    {&op::Concat, "cpu.concat", prepare_concat, Strides::any},
    {&op::Split, "cpu.split", prepare_split, Strides::any},
    {&op::Tile, "cpu.tile", prepare_tile, Strides::any},
    {&op::Pad, "cpu.pad", prepare_pad, Strides::any},
};

}  // namespace tenon::cpu
