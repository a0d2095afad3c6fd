// Feeding elementwise loops: flat, row by row, or chunk by chunk through buffers in the first-level
// cache.
#include "backends/cpu/elementwise.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "backends/cpu/rows.h"
#include "backends/cpu/strided.h"
#include "base/threads.h"
#include "ops/nn/precision.h"
#include "runtime/dispatch.h"
#include "tensor/strided_copy.h"

namespace tenon::cpu {

namespace {

// Elements a chunk: its buffers (at most 8 bytes an element) stay in the first-level cache.
constexpr int64_t kChunk = 512;
constexpr size_t kChunkBytes = kChunk * 8;
// Rows shorter than this cost more to start than to gather.
constexpr int64_t kShortestRow = 24;

struct Nothing final : Kernel {
  void run(const RunContext&) const override {}
};

// All operands are contiguous in the output's order, or one element.
struct Flat final : Kernel {
  ElementLoop loop;
  size_t count;
  unsigned scalars;
  ElementAttrs attrs;
  std::array<int64_t, 3> steps;  // bytes from one element to the next
  int64_t out_step;

  void run(const RunContext& ctx) const override {
    if (static_cast<int64_t>(count) <= loop.grain)
      loop.fn(ctx.in, ctx.out[0], count, scalars, attrs);
    else
      run_parallel(ctx);
  }

  void run_parallel(const RunContext& ctx) const {
    parallel_for(0, static_cast<int64_t>(count), loop.grain, [&](int64_t begin, int64_t end) {
      const void* in[3] = {};
      for (size_t i = 0; i < 3; ++i)
        if (steps[i] >= 0) in[i] = static_cast<const std::byte*>(ctx.in[i]) + begin * steps[i];
      loop.fn(in, static_cast<std::byte*>(ctx.out[0]) + begin * out_step,
              static_cast<size_t>(end - begin), scalars, attrs);
    });
  }
};

// Rows of the innermost axis are contiguous or one element in every operand.
struct Rows final : Kernel {
  ElementFn fn;
  unsigned scalars = 0;
  ElementAttrs attrs;
  int64_t grain;
  size_t operands;
  Walk walk;
  std::array<int64_t, 3> sizes;
  std::array<bool, 3> present;
  int64_t out_size;

  void run(const RunContext& ctx) const override {
    parallel_for(0, walk.dims.numel(), grain,
                 [&](int64_t begin, int64_t end) { run_range(ctx, begin, end); });
  }

  void run_range(const RunContext& ctx, int64_t begin, int64_t end) const {
    const size_t last = walk.rank() - 1;
    const int64_t row = walk.dims[last];
    Shape index(walk.rank(), 0);
    int64_t rest = begin;
    for (size_t axis = walk.rank(); axis-- > 0; rest /= walk.dims[axis])
      index[axis] = rest % walk.dims[axis];
    auto* out = static_cast<std::byte*>(ctx.out[0]);
    for (int64_t at = begin; at < end;) {
      const int64_t n = std::min(row - index[last], end - at);
      const void* in[3] = {};
      for (size_t i = 0; i < operands; ++i) {
        if (!present[i]) continue;
        int64_t offset = 0;
        for (size_t axis = 0; axis < walk.rank(); ++axis)
          offset += index[axis] * walk.strides[i][axis];
        in[i] = static_cast<const std::byte*>(ctx.in[i]) + offset * sizes[i];
      }
      fn(in, out + at * out_size, static_cast<size_t>(n), scalars, attrs);
      at += n;
      index[last] += n;
      for (size_t axis = last; axis > 0 && index[axis] == walk.dims[axis]; --axis) {
        index[axis] = 0;
        ++index[axis - 1];
      }
    }
  }
};

// How a chunk of one operand is had.
struct Feed {
  bool present = false;
  bool scalar = false;  // one element that all use
  bool direct = false;  // contiguous in the output's order
  int64_t size = 0;     // bytes of an element in the tensor
  int64_t wide = 0;     // ... as the loop reads it
  ConvertFn convert = nullptr;
  Walk walk;  // when neither scalar nor direct
  // Elements far apart and too many to stay in the caches (transpositions) are first copied, tile
  // by tile, to the scratch memory; from there on the operand is direct.
  std::optional<StridedCopy> copy;
  int64_t copied_to = 0;
};
// Bytes from which an operand counts as too many.
constexpr int64_t kGatheredBytes = 65536;

// Everything else: operands are gathered and converted into buffers, chunk by chunk; results that
// exceed the caches are streamed out of one.
struct Chunks final : Kernel {
  ElementFn fn = nullptr;
  ElementFn last = nullptr;
  bool fold = false;
  ElementAttrs attrs;
  int64_t grain = 0;
  int64_t count = 0;
  std::vector<Feed> feeds;
  int64_t out_size = 0;
  int64_t out_wide = 0;
  ConvertFn convert_out = nullptr;
  StreamFn stream = nullptr;

  void run(const RunContext& ctx) const override {
    for (size_t i = 0; i < feeds.size(); ++i)
      if (feeds[i].copy)
        feeds[i].copy->run(ctx.in[i], static_cast<std::byte*>(ctx.scratch) + feeds[i].copied_to);
    parallel_for(0, count, std::max(grain, kChunk),
                 [&](int64_t begin, int64_t end) { run_range(ctx, begin, end); });
  }

  // A buffer of its own for each operand of a chunk; a fold needs only the second.
  struct Buffers {
    alignas(64) std::byte values[3][kChunkBytes];
    alignas(64) std::byte raw[kChunkBytes];
    alignas(64) std::byte result[kChunkBytes];
  };

  const void* fetch(const RunContext& ctx, size_t i, std::optional<Gather>& gather, int64_t at,
                    int64_t n, std::byte* values, std::byte* raw) const {
    const Feed& feed = feeds[i];
    if (!feed.present) return nullptr;
    const void* from =
        feed.copy ? static_cast<const std::byte*>(ctx.scratch) + feed.copied_to : ctx.in[i];
    if (feed.direct) {
      from = static_cast<const std::byte*>(from) + at * feed.size;
    } else if (!feed.scalar) {
      std::byte* to = feed.convert ? raw : values;
      gather->next(to, n);
      from = to;
    }
    if (!feed.convert) return from;
    feed.convert(from, values, feed.scalar ? 1 : static_cast<size_t>(n));
    return values;
  }

  void run_range(const RunContext& ctx, int64_t begin, int64_t end) const {
    Buffers buffers;
    std::vector<std::optional<Gather>> gathers(feeds.size());
    for (size_t i = 0; i < feeds.size(); ++i) {
      const Feed& feed = feeds[i];
      if (feed.present && !feed.direct && !feed.scalar)
        gathers[i].emplace(feed.walk.dims, feed.walk.strides[0], static_cast<size_t>(feed.size),
                           ctx.in[i], begin);
    }
    // An output that is an input too lies in the caches already.
    const bool in_place =
        std::find(ctx.in, ctx.in + feeds.size(), ctx.out[0]) != ctx.in + feeds.size();
    const bool streams = stream && !in_place;
    // Elsewhere a fold would write over an input that it has yet to read.
    const bool direct_out = !convert_out && !streams && !fold;
    for (int64_t at = begin; at < end; at += kChunk) {
      const int64_t n = std::min(kChunk, end - at);
      std::byte* place = static_cast<std::byte*>(ctx.out[0]) + at * out_size;
      std::byte* out = direct_out ? place : buffers.result;
      if (fold) {
        fold_chunk(ctx, gathers, at, n, buffers, out);
      } else {
        const void* in[3] = {};
        unsigned scalars = 0;
        for (size_t i = 0; i < feeds.size(); ++i) {
          in[i] = fetch(ctx, i, gathers[i], at, n, buffers.values[i], buffers.raw);
          if (feeds[i].scalar) scalars |= 1U << i;
        }
        fn(in, out, static_cast<size_t>(n), scalars, attrs);
      }
      if (direct_out) continue;
      if (convert_out)
        convert_out(out, place, static_cast<size_t>(n));
      else if (streams)
        stream(place, out, static_cast<size_t>(n * out_size));
      else
        std::memcpy(place, out, static_cast<size_t>(n * out_size));
    }
    if (streams) finish_streaming();
  }

  void fold_chunk(const RunContext& ctx, std::vector<std::optional<Gather>>& gathers, int64_t at,
                  int64_t n, Buffers& buffers, std::byte* out) const {
    const auto elements = static_cast<size_t>(n);
    const void* first = fetch(ctx, 0, gathers[0], at, n, buffers.values[0], buffers.raw);
    if (feeds.size() == 1) std::memcpy(out, first, elements * static_cast<size_t>(out_wide));
    unsigned scalars = feeds[0].scalar ? 1 : 0;
    for (size_t i = 1; i < feeds.size(); ++i) {
      const void* in[3] = {first, fetch(ctx, i, gathers[i], at, n, buffers.values[1], buffers.raw),
                           nullptr};
      if (feeds[i].scalar) scalars |= 2;
      if (scalars == 3) {  // fills: loops do not take scalars alone
        for (int64_t k = 0; k < n; ++k)
          std::memcpy(buffers.values[2] + k * feeds[0].wide, first,
                      static_cast<size_t>(feeds[0].wide));
        in[0] = buffers.values[2];
        scalars = 2;
      }
      fn(in, out, elements, scalars, attrs);
      first = out;
      scalars = 0;
    }
    if (last) {
      const void* in[3] = {out, &attrs.a, nullptr};
      last(in, out, elements, 2, attrs);
    }
  }
};

// The loop's type for input i; folds use the first for all.
DType loop_type(const ElementLoop& loop, size_t i, bool fold) { return loop.in[fold ? 0 : i]; }

std::unique_ptr<Kernel> make_chunks(const PrepareContext& ctx, const ElementLoop& loop,
                                    const ElementAttrs& attrs, const ElementLayout& layout,
                                    bool fold, ElementFn last) {
  const TensorSpec& out = ctx.outputs[0];
  auto kernel = std::make_unique<Chunks>();
  kernel->fn = loop.fn;
  kernel->last = last;
  kernel->fold = fold;
  kernel->attrs = attrs;
  kernel->grain = loop.grain;
  kernel->count = out.numel();
  kernel->out_size = static_cast<int64_t>(size_of(out.dtype));
  kernel->out_wide = static_cast<int64_t>(size_of(loop.out));
  kernel->convert_out = half_conversion(loop.out, out.dtype);
  if (!kernel->convert_out &&
      static_cast<size_t>(kernel->count * kernel->out_size) >= stream_threshold())
    kernel->stream = stream_copy();
  bool all_scalar = true;
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    const TensorSpec& spec = ctx.inputs[i];
    Feed feed;
    feed.present = spec.present();
    if (feed.present) {
      feed.walk = collapse(layout.dims, std::span(&layout.strides[i], 1));
      const Shape& strides = feed.walk.strides[0];
      feed.scalar = feed.walk.rank() == 1 && strides[0] == 0;
      feed.direct = feed.walk.rank() == 1 && strides[0] == 1;
      feed.size = static_cast<int64_t>(size_of(spec.dtype));
      feed.wide = static_cast<int64_t>(size_of(loop_type(loop, i, fold)));
      feed.convert = half_conversion(spec.dtype, loop_type(loop, i, fold));
      all_scalar = all_scalar && feed.scalar;
      if (!feed.scalar && !feed.direct && is_scattered(feed.walk.dims, strides, feed.size)) {
        feed.copy.emplace(layout.dims, spec.dtype, layout.strides[i], spec.dtype,
                          layout.dims.row_major_strides());
        feed.direct = true;
        feed.copied_to = static_cast<int64_t>(kernel->scratch_bytes);
        kernel->scratch_bytes += static_cast<size_t>((kernel->count * feed.size + 63) / 64 * 64);
      }
    }
    kernel->feeds.push_back(feed);
  }
  // Loops do not take scalars alone: the first operand is repeated.
  if (all_scalar) kernel->feeds[0].scalar = false;
  return kernel;
}

}  // namespace

ElementLayout lay_out(const PrepareContext& ctx) {
  const Shape& shape = ctx.outputs[0].shape;
  ElementLayout layout;
  std::vector<Shape> present;
  for (const TensorSpec& spec : ctx.inputs) {
    layout.strides.push_back(spec.present() ? broadcast_strides(spec, shape)
                                            : Shape(shape.rank(), 0));
    if (spec.present()) present.push_back(layout.strides.back());
  }
  const Shape strides = common_strides(shape, present);
  layout.dims = shape;
  if (strides == shape.row_major_strides()) return layout;
  const Shape order = memory_order(shape, strides);
  layout.dims = permuted(shape, order);
  for (Shape& each : layout.strides) each = permuted(each, order);
  for (TensorSpec& out : ctx.outputs) {
    out.strides = strides;
    out.contiguous = false;
  }
  return layout;
}

bool is_scattered(const Shape& dims, const Shape& strides, int64_t element_size) {
  if (std::abs(strides.back()) <= 1) return false;
  int64_t bytes = element_size;
  for (size_t axis = 0; axis < dims.rank(); ++axis)
    if (strides[axis] != 0) bytes *= dims[axis];
  return bytes >= kGatheredBytes;
}

std::optional<ElementCall> element_call(const Call& call, std::span<const DType> inputs,
                                        DType output) {
  // A call on two elements of each: what then runs flat is one loop.
  const auto spec = [](DType type) {
    TensorSpec made;
    made.dtype = type;
    if (made.present()) made.shape = {2}, made.strides = {1};
    return made;
  };
  std::vector<TensorSpec> specs;
  for (const DType type : inputs) specs.push_back(spec(type));
  for (const KernelEntry* entry : kernels_of(call.op, Backend::cpu)) {
    TensorSpec out = spec(output);
    const Prepared prepared = entry->prepare({call, specs, std::span(&out, 1), nullptr});
    const auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&prepared);
    if (!kernel) continue;
    if (const auto* flat = dynamic_cast<const Flat*>(kernel->get()))
      return ElementCall{flat->loop, flat->attrs};
  }
  return std::nullopt;
}

Prepared prepare_elementwise(const PrepareContext& ctx, const ElementLoop& loop,
                             const ElementAttrs& attrs) {
  const ElementLayout layout = lay_out(ctx);
  const TensorSpec& out = ctx.outputs[0];
  const int64_t count = out.numel();
  if (count == 0) return std::make_unique<Nothing>();
  bool converts = out.dtype != loop.out && half_conversion(loop.out, out.dtype);
  std::array<int64_t, 3> sizes{};
  std::array<bool, 3> present{};
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    present[i] = ctx.has_input(i);
    if (!present[i]) continue;
    sizes[i] = static_cast<int64_t>(size_of(ctx.inputs[i].dtype));
    converts = converts || half_conversion(ctx.inputs[i].dtype, loop.in[i]);
  }
  const auto out_size = static_cast<int64_t>(size_of(out.dtype));
  const bool streams = static_cast<size_t>(count * out_size) >= stream_threshold();

  Walk walk = collapse(layout.dims, layout.strides);
  const size_t last = walk.rank() - 1;
  bool by_rows = !converts && !streams;
  bool all_scalar = true;
  unsigned scalars = 0;
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    if (!present[i]) continue;
    const int64_t stride = walk.strides[i][last];
    by_rows = by_rows && (stride == 0 || stride == 1);
    if (stride == 0)
      scalars |= 1U << i;
    else
      all_scalar = false;
  }
  if (count == 1) scalars = 0, all_scalar = false;

  if (by_rows && !all_scalar && walk.rank() == 1) {
    auto kernel = std::make_unique<Flat>();
    kernel->loop = loop;
    kernel->count = static_cast<size_t>(count);
    kernel->scalars = scalars;
    kernel->attrs = attrs;
    kernel->out_step = out_size;
    for (size_t i = 0; i < 3; ++i)
      kernel->steps[i] = !present[i] ? -1 : scalars >> i & 1U ? 0 : sizes[i];
    return kernel;
  }
  if (by_rows && !all_scalar && walk.dims[last] >= kShortestRow) {
    auto kernel = std::make_unique<Rows>();
    kernel->fn = loop.fn;
    kernel->scalars = scalars;
    kernel->attrs = attrs;
    kernel->grain = loop.grain;
    kernel->operands = ctx.inputs.size();
    kernel->walk = walk;
    kernel->sizes = sizes;
    kernel->present = present;
    kernel->out_size = out_size;
    return kernel;
  }
  return make_chunks(ctx, loop, attrs, layout, false, nullptr);
}

Refusal refuse_type(const PrepareContext& ctx, FindLoop find, size_t input) {
  TypeSet have;
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    if (find(ctx.op, compute_type(type))) have = have | types(type);
  }
  return refuse(fmt::format("only {}; {} is {}", have.str(), ctx.op.inputs[input].name,
                            name(ctx.inputs[input].dtype)));
}

Prepared prepare_same_type(const PrepareContext& ctx, FindLoop find, int64_t grain,
                           const ElementAttrs& attrs) {
  const DType type = compute_type(ctx.inputs[0].dtype);
  const ElementFn fn = find(ctx.op, type);
  if (!fn) return refuse_type(ctx, find);
  return prepare_elementwise(ctx, {fn, {type, type, type}, type, grain}, attrs);
}

Prepared prepare_fold(const PrepareContext& ctx, const ElementLoop& loop, ElementFn last,
                      const ElementAttrs& attrs) {
  if (ctx.inputs.size() == 2 && last == nullptr) return prepare_elementwise(ctx, loop, attrs);
  const ElementLayout layout = lay_out(ctx);
  if (ctx.outputs[0].numel() == 0) return std::make_unique<Nothing>();
  return make_chunks(ctx, loop, attrs, layout, true, last);
}

}  // namespace tenon::cpu
