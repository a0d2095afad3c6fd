// Reductions over any set of axes. The order of additions depends on the shape alone, so results
// are the same whatever the thread count; sums of f32 and of 16-bit floats are carried in double
// from run to run, so their error does not grow with the length.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/reduce_loops.h"
#include "backends/cpu/rows.h"
#include "base/threads.h"
#include "ops/catalog.h"
#include "ops/nn/precision.h"

namespace tenon::cpu {

namespace {

// What becomes of the folded values at the end.
enum class Last : uint8_t { nothing, mean, square_root, log, log_sum_exp };

struct Recipe {
  const OpDef* op;
  Fold fold;
  Last last;
};
constexpr Recipe kRecipes[] = {
    {&op::ReduceSum, Fold::sum, Last::nothing},
    {&op::ReduceMean, Fold::sum, Last::mean},
    {&op::ReduceMax, Fold::max, Last::nothing},
    {&op::ReduceMin, Fold::min, Last::nothing},
    {&op::ReduceProd, Fold::prod, Last::nothing},
    {&op::ReduceL1, Fold::sum_abs, Last::nothing},
    {&op::ReduceL2, Fold::sum_square, Last::square_root},
    {&op::ReduceSumSquare, Fold::sum_square, Last::nothing},
    {&op::ReduceLogSum, Fold::sum, Last::log},
    {&op::ReduceLogSumExp, Fold::sum_exp, Last::log_sum_exp},
};

// Columns that are reduced together: accumulators of a tile stay in the first-level cache.
constexpr int64_t kTile = 1024;
// Elements of a segment: the unit of work of one thread where there are few outputs.
constexpr int64_t kSegment = 65536;
// Partial results of segments, at most this many: more outputs are work enough by themselves.
constexpr int64_t kMostPartials = 1 << 18;

// A group of axes, neighbours in memory, all kept or all reduced.
struct Group {
  int64_t size;
  int64_t stride;
};

struct Reduction final : Kernel {
  DType type;       // of the tensors
  DType loop_type;  // of the loops
  Fold fold;
  Last last;
  ReduceLoops loops;
  ReduceLoops max_loops;  // log_sum_exp: the shift
  ConvertFn widen = nullptr, narrow = nullptr;
  int64_t element_size;
  int64_t outputs = 1, count = 1;           // of one output
  std::vector<Group> kept, reduced;         // outermost first, without the tile and the inner group
  int64_t columns = 1;                      // kept and contiguous; 1: the inner group is contiguous
  Group inner{1, 1};                        // the innermost reduced group
  int64_t kept_rows = 1, reduced_rows = 1;  // products of the groups above
  int64_t step = 1;                         // of the inner group, in one segment
  int64_t steps = 1;                        // segments in the inner group

  int64_t segments() const { return reduced_rows * steps; }
  int64_t tiles() const { return (columns + kTile - 1) / kTile; }

  void run(const RunContext& ctx) const override {
    if (outputs == 0) return;
    const int64_t work = std::max<int64_t>(1, count) * std::min(columns, kTile);
    const int64_t units = kept_rows * tiles();
    const bool split = units < 16 && segments() > 1 && segments() * outputs <= kMostPartials;
    // A sum of exponentials needs its maximum first.
    if (!split || fold == Fold::sum_exp) {
      parallel_for(0, units, std::max<int64_t>(1, kSegment / work),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t unit = begin; unit < end; ++unit) reduce_unit(ctx, unit);
                   });
      return;
    }
    std::vector<Wide> partials(static_cast<size_t>(segments() * outputs));
    parallel_for(0, segments() * units, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t unit = i % units, segment = i / units;
        reduce_segment(ctx, unit, segment, nullptr, loops, fold,
                       &partials[static_cast<size_t>(segment * outputs + first_output(unit))]);
      }
    });
    for (int64_t at = 0; at < outputs; ++at) {
      Wide acc = neutral();
      for (int64_t segment = 0; segment < segments(); ++segment)
        acc = combine(fold, acc, partials[static_cast<size_t>(segment * outputs + at)]);
      store(ctx, at, acc);
    }
  }

  int64_t first_output(int64_t unit) const {
    return unit / tiles() * columns + unit % tiles() * kTile;
  }
  int64_t width_of(int64_t unit) const { return std::min(kTile, columns - unit % tiles() * kTile); }
  bool integral() const { return is_int(loop_type); }

  Wide neutral() const { return neutral_of(fold); }
  Wide neutral_of(Fold what) const {
    if (integral()) {
      // Of the narrow type: a maximum over nothing must fit it.
      const bool narrow_type = loop_type == DType::i32;
      if (what == Fold::prod) return {.i = 1};
      if (what == Fold::max) return {.i = narrow_type ? INT32_MIN : INT64_MIN};
      if (what == Fold::min) return {.i = narrow_type ? INT32_MAX : INT64_MAX};
      return {.i = 0};
    }
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (what == Fold::prod) return {.f = 1};
    if (what == Fold::max) return {.f = -infinity};
    if (what == Fold::min) return {.f = infinity};
    return {.f = 0};
  }

  Wide combine(Fold what, Wide a, Wide b) const {
    if (integral()) {
      const auto ua = static_cast<uint64_t>(a.i), ub = static_cast<uint64_t>(b.i);
      switch (what) {
        case Fold::prod: return {.i = static_cast<int64_t>(ua * ub)};
        case Fold::max: return {.i = std::max(a.i, b.i)};
        case Fold::min: return {.i = std::min(a.i, b.i)};
        default: return {.i = static_cast<int64_t>(ua + ub)};
      }
    }
    switch (what) {
      case Fold::prod: return {.f = a.f * b.f};
      case Fold::max: return {.f = b.f > a.f || b.f != b.f ? b.f : a.f};
      case Fold::min: return {.f = b.f < a.f || b.f != b.f ? b.f : a.f};
      default: return {.f = a.f + b.f};
    }
  }

  // All outputs of one tile.
  void reduce_unit(const RunContext& ctx, int64_t unit) const {
    if (columns == 1) {
      Wide acc, part;
      double shift;
      reduce_tile(ctx, unit, &acc, &part, &shift);
    } else {
      Wide acc[kTile], part[kTile];
      double shift[kTile];
      reduce_tile(ctx, unit, acc, part, shift);
    }
  }

  void reduce_tile(const RunContext& ctx, int64_t unit, Wide* acc, Wide* part,
                   double* shift) const {
    const int64_t width = width_of(unit), first = first_output(unit);
    if (fold != Fold::sum_exp) {
      fold_segments(ctx, unit, nullptr, loops, fold, acc, part);
      for (int64_t c = 0; c < width; ++c) store(ctx, first + c, acc[c]);
      return;
    }
    fold_segments(ctx, unit, nullptr, max_loops, Fold::max, acc, part);
    // A sum of nothing but e^-inf: shifting by -inf would make it NaN.
    for (int64_t c = 0; c < width; ++c)
      shift[c] = acc[c].f == -std::numeric_limits<double>::infinity() ? 0 : acc[c].f;
    fold_segments(ctx, unit, shift, loops, fold, acc, part);
    for (int64_t c = 0; c < width; ++c) {
      if (shift[c] == std::numeric_limits<double>::infinity()) acc[c].f = 1;
      acc[c].f = std::log(acc[c].f) + shift[c];
      store(ctx, first + c, acc[c]);
    }
  }

  void fold_segments(const RunContext& ctx, int64_t unit, const double* shift,
                     const ReduceLoops& with, Fold what, Wide* acc, Wide* part) const {
    const int64_t width = width_of(unit);
    std::fill_n(acc, width, neutral_of(what));
    for (int64_t segment = 0; segment < segments(); ++segment) {
      reduce_segment(ctx, unit, segment, shift, with, what, part);
      for (int64_t c = 0; c < width; ++c) acc[c] = combine(what, acc[c], part[c]);
    }
  }

  static int64_t offset_in(const std::vector<Group>& groups, int64_t index) {
    int64_t offset = 0;
    for (size_t i = groups.size(); i-- > 0; index /= groups[i].size)
      offset += index % groups[i].size * groups[i].stride;
    return offset;
  }

  // One segment of one tile, from its own neutral value.
  void reduce_segment(const RunContext& ctx, int64_t unit, int64_t segment, const double* shift,
                      const ReduceLoops& with, Fold what, Wide* part) const {
    const int64_t begin = segment % steps * step;
    const int64_t length = std::min(step, inner.size - begin);
    const int64_t offset = offset_in(kept, unit / tiles()) + offset_in(reduced, segment / steps) +
                           begin * inner.stride + unit % tiles() * kTile;
    const auto* x = ctx.input<std::byte>(0) + offset * element_size;
    if (columns == 1 && inner.stride == 1)
      reduce_run(x, length, shift ? *shift : 0, with, what, part);
    else
      reduce_columns(x, length, width_of(unit), shift, with, what, part);
  }

  void reduce_run(const std::byte* x, int64_t length, double shift, const ReduceLoops& with,
                  Fold what, Wide* part) const {
    alignas(64) float wide[kReduceRun];
    *part = neutral_of(what);
    for (int64_t at = 0; at < length; at += kReduceRun) {
      const auto n = static_cast<size_t>(std::min<int64_t>(kReduceRun, length - at));
      const void* from = x + at * element_size;
      if (widen) {
        widen(from, wide, n);
        from = wide;
      }
      *part = combine(what, *part, with.run(from, n, shift));
    }
  }

  void reduce_columns(const std::byte* x, int64_t length, int64_t width, const double* shift,
                      const ReduceLoops& with, Fold what, Wide* part) const {
    alignas(64) std::byte acc[kTile * 8];
    alignas(64) float wide[kTile];
    std::fill_n(part, width, neutral_of(what));
    const auto block = static_cast<int64_t>(kReduceRows);
    for (int64_t at = 0; at < length; at += block) {
      const int64_t rows = std::min(block, length - at);
      const std::byte* from = x + at * inner.stride * element_size;
      fill_neutral(what, acc, width);
      if (widen) {
        for (int64_t row = 0; row < rows; ++row) {
          widen(from + row * inner.stride * element_size, wide, static_cast<size_t>(width));
          with.columns(wide, 0, 1, static_cast<size_t>(width), shift, acc);
        }
      } else {
        with.columns(from, inner.stride, static_cast<size_t>(rows), static_cast<size_t>(width),
                     shift, acc);
      }
      for (int64_t c = 0; c < width; ++c) part[c] = combine(what, part[c], wide_of(acc, c));
    }
  }

  void fill_neutral(Fold what, std::byte* acc, int64_t width) const {
    const Wide value = neutral_of(what);
    for (int64_t c = 0; c < width; ++c) {
      switch (loop_type) {
        case DType::f32: reinterpret_cast<float*>(acc)[c] = static_cast<float>(value.f); break;
        case DType::f64: reinterpret_cast<double*>(acc)[c] = value.f; break;
        case DType::i32: reinterpret_cast<int32_t*>(acc)[c] = static_cast<int32_t>(value.i); break;
        default: reinterpret_cast<int64_t*>(acc)[c] = value.i;
      }
    }
  }
  Wide wide_of(const std::byte* acc, int64_t c) const {
    switch (loop_type) {
      case DType::f32: return {.f = static_cast<double>(reinterpret_cast<const float*>(acc)[c])};
      case DType::f64: return {.f = reinterpret_cast<const double*>(acc)[c]};
      case DType::i32: return {.i = reinterpret_cast<const int32_t*>(acc)[c]};
      default: return {.i = reinterpret_cast<const int64_t*>(acc)[c]};
    }
  }

  void store(const RunContext& ctx, int64_t at, Wide value) const {
    if (integral()) {
      if (type == DType::i32)
        ctx.output<int32_t>(0)[at] = static_cast<int32_t>(value.i);
      else
        ctx.output<int64_t>(0)[at] = value.i;
      return;
    }
    double result = value.f;
    switch (last) {
      case Last::nothing: break;
      case Last::mean: result /= static_cast<double>(count); break;
      case Last::square_root: result = std::sqrt(result); break;
      case Last::log: result = std::log(result); break;
      case Last::log_sum_exp: break;  // done, for its shift
    }
    if (type == DType::f64) {
      ctx.output<double>(0)[at] = result;
      return;
    }
    const auto rounded = static_cast<float>(result);
    if (narrow)
      narrow(&rounded, ctx.output<std::byte>(0) + at * element_size, 1);
    else
      ctx.output<float>(0)[at] = rounded;
  }
};

// Which axes are reduced; nothing where none is although some could be (noop_with_empty_axes).
std::vector<bool> reduced_axes(const PrepareContext& ctx) {
  const size_t rank = ctx.inputs[0].rank();
  std::vector<int64_t> axes;
  if (ctx.has_input(1)) axes = ctx.inputs[1].constant_ints();
  if (axes.empty()) return std::vector<bool>(rank, ctx.i("noop_with_empty_axes") == 0);
  std::vector<bool> result(rank, false);
  for (const int64_t axis : axes)
    result[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis)] = true;
  return result;
}

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const Recipe& recipe = *std::find_if(std::begin(kRecipes), std::end(kRecipes),
                                       [&](const Recipe& each) { return each.op == &ctx.op; });
  auto kernel = std::make_unique<Reduction>();
  kernel->type = x.dtype;
  kernel->loop_type = compute_type(x.dtype);
  kernel->fold = recipe.fold;
  kernel->last = recipe.last;
  kernel->loops = reduce_loops(recipe.fold, kernel->loop_type);
  if (!kernel->loops.run || (is_int(x.dtype) && recipe.last != Last::nothing))
    return refuse(fmt::format("no loop for {}", name(x.dtype)));
  if (recipe.fold == Fold::sum_exp) kernel->max_loops = reduce_loops(Fold::max, kernel->loop_type);
  kernel->widen = half_conversion(x.dtype, DType::f32);
  kernel->narrow = half_conversion(DType::f32, x.dtype);
  kernel->element_size = static_cast<int64_t>(size_of(x.dtype));

  const std::vector<bool> reduce = reduced_axes(ctx);
  if (x.rank() > 0 && std::find(reduce.begin(), reduce.end(), true) == reduce.end())
    return refuse("no axis is reduced");
  // Neighbouring axes of one kind become one group; axes of size 1 are of either kind.
  std::vector<Group> groups;
  std::vector<bool> kinds;
  const Shape strides = x.shape.row_major_strides();
  for (size_t axis = 0; axis < x.rank(); ++axis) {
    (reduce[axis] ? kernel->count : kernel->outputs) *= x.shape[axis];
    if (x.shape[axis] == 1) continue;
    if (!groups.empty() && kinds.back() == reduce[axis]) {
      groups.back().size *= x.shape[axis];
      groups.back().stride = strides[axis];
    } else {
      groups.push_back({x.shape[axis], strides[axis]});
      kinds.push_back(reduce[axis]);
    }
  }
  if (!groups.empty() && !kinds.back()) {  // kept and contiguous
    kernel->columns = groups.back().size;
    groups.pop_back();
    kinds.pop_back();
  }
  for (size_t i = 0; i < groups.size(); ++i)
    (kinds[i] ? kernel->reduced : kernel->kept).push_back(groups[i]);
  if (!kernel->reduced.empty()) {
    kernel->inner = kernel->reduced.back();
    kernel->reduced.pop_back();
  } else {
    kernel->inner = {1, 1};
  }
  for (const Group& group : kernel->kept) kernel->kept_rows *= group.size;
  for (const Group& group : kernel->reduced) kernel->reduced_rows *= group.size;
  kernel->step =
      std::max<int64_t>(kReduceRows, kSegment / std::clamp<int64_t>(kernel->columns, 1, kTile));
  kernel->steps = (kernel->inner.size + kernel->step - 1) / kernel->step;
  const bool by_columns = kernel->columns > 1 || kernel->inner.stride != 1;
  if (by_columns && !kernel->loops.columns)
    return refuse("a product of f32 only over the innermost axes");
  return kernel;
}

}  // namespace

constinit const KernelList reduce{
    {&op::ReduceSum, "cpu.reduce_sum", prepare},
    {&op::ReduceMean, "cpu.reduce_mean", prepare},
    {&op::ReduceMax, "cpu.reduce_max", prepare},
    {&op::ReduceMin, "cpu.reduce_min", prepare},
    {&op::ReduceProd, "cpu.reduce_prod", prepare},
    {&op::ReduceL1, "cpu.reduce_l1", prepare},
    {&op::ReduceL2, "cpu.reduce_l2", prepare},
    {&op::ReduceSumSquare, "cpu.reduce_sum_square", prepare},
    {&op::ReduceLogSum, "cpu.reduce_log_sum", prepare},
    {&op::ReduceLogSumExp, "cpu.reduce_log_sum_exp", prepare},
};

}  // namespace tenon::cpu
