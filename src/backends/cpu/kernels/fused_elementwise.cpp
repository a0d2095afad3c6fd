// FusedElementwise: tile by tile, every input is read once and every output written once. Floats of
// 16 bits are f32 in between, and rounded where they are stored or cast.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/rows.h"
#include "backends/cpu/strided.h"
#include "backends/cpu/tile_program.h"
#include "base/threads.h"
#include "ops/fused/catalog.h"
#include "tensor/strided_copy.h"

namespace tenon::cpu {

namespace {

// Rows shorter than this cost more to start than their broadcast operands to gather.
constexpr int64_t kShortestRow = 128;
// What comes again after more elements than this is gathered.
constexpr int64_t kLongestPeriod = 4096;

struct Feed {
  enum class Kind : uint8_t {
    one,       // one element that all use
    in_order,  // contiguous in the order of the outputs
    by_row,    // contiguous, or one element, along the innermost axis
    periodic,  // comes again and again: repeated once for all tiles, in the scratch memory
    gathered,  // anything else
  };
  Kind kind = Kind::one;
  int64_t size = 0;  // bytes of an element
  TileValue value = 0;
  Shape dims, strides;  // by_row: strides along the axes of the rows; gathered: those of its walk
  size_t gather = 0;    // its place among the gathered ones
  int64_t period = 0;   // periodic: elements until they come again
  // Elements far apart are first copied, in order, to the scratch memory.
  std::optional<StridedCopy> copy;
  int64_t scratch = -1;  // where its copy or repetition lies there; -1: it has none
};

struct Sink {
  int64_t size = 0;
  ConvertFn convert = nullptr;
  StreamFn stream = nullptr;
};

// `count` times the element at `from`.
void repeat(std::byte* to, const void* from, int64_t size, int64_t count) {
  const auto all = static_cast<size_t>(size * count);
  std::memcpy(to, from, static_cast<size_t>(size));
  for (auto have = static_cast<size_t>(size); have < all; have *= 2)
    std::memcpy(to + have, to, std::min(have, all - have));
}

struct Tiles final : Kernel {
  TileProgram program;
  std::vector<Feed> feeds;
  std::vector<Sink> sinks;
  Shape rows;  // the sizes outputs are walked along; tiles do not reach over the innermost one
  size_t gathers = 0;

  void run(const RunContext& ctx) const override {
    for (size_t i = 0; i < feeds.size(); ++i) {
      const Feed& feed = feeds[i];
      if (feed.scratch < 0) continue;
      auto* to = static_cast<std::byte*>(ctx.scratch) + feed.scratch;
      if (feed.copy)
        feed.copy->run(ctx.in[i], to);
      else
        Gather(feed.dims, feed.strides, static_cast<size_t>(feed.size), ctx.in[i], 0)
            .next(to, repeated(feed));
    }
    // An output that is an input too lies in the caches already.
    const bool in_place =
        std::find(ctx.in, ctx.in + feeds.size(), ctx.out[0]) != ctx.in + feeds.size();
    parallel_for(0, rows.numel(), program.grain,
                 [&](int64_t begin, int64_t end) { run_range(ctx, begin, end, in_place); });
  }

  // Elements of a periodic input that any tile can start or end in.
  int64_t repeated(const Feed& feed) const {
    return std::min(rows.numel(), program.tile + feed.period);
  }

  void run_range(const RunContext& ctx, int64_t begin, int64_t end, bool in_place) const {
    alignas(64) std::byte buffers[TileProgram::kBytes];
    void* values[TileProgram::kValues];
    values[0] = nullptr;
    for (const TileProgram::Number& number : program.numbers)
      values[number.value] = const_cast<std::byte*>(number.bytes.data());
    for (const TileProgram::Buffer& buffer : program.buffers)
      values[buffer.value] = buffers + buffer.offset;
    std::vector<Gather> gathering;
    gathering.reserve(gathers);
    for (size_t i = 0; i < feeds.size(); ++i) {
      const Feed& feed = feeds[i];
      if (feed.kind == Feed::Kind::one && feed.value != 0)
        values[feed.value] = const_cast<void*>(ctx.in[i]);
      if (feed.kind == Feed::Kind::gathered)
        gathering.emplace_back(feed.dims, feed.strides, static_cast<size_t>(feed.size), ctx.in[i],
                               begin);
    }
    const size_t last = rows.rank() - 1;
    Shape index(rows.rank(), 0);
    int64_t rest = begin;
    for (size_t axis = rows.rank(); axis-- > 0; rest /= rows[axis]) index[axis] = rest % rows[axis];

    for (int64_t at = begin; at < end;) {
      const int64_t n = std::min({program.tile, rows[last] - index[last], end - at});
      find_inputs(ctx, at, index, values);
      for (size_t i = 0; i < sinks.size(); ++i)
        if (program.results[i].direct)
          values[program.results[i].value] = ctx.output<std::byte>(i) + at * sinks[i].size;
      for (const TileStep& step : program.steps) run_step(step, values, gathering, n);
      for (size_t i = 0; i < sinks.size(); ++i)
        if (!program.results[i].direct)
          store(i, values[program.results[i].value], ctx.output<std::byte>(i) + at * sinks[i].size,
                n, i == 0 && in_place);
      at += n;
      index[last] += n;
      for (size_t axis = last; axis > 0 && index[axis] == rows[axis]; --axis) {
        index[axis] = 0;
        ++index[axis - 1];
      }
    }
    if (std::ranges::any_of(sinks, [](const Sink& sink) { return sink.stream != nullptr; }))
      finish_streaming();
  }

  void find_inputs(const RunContext& ctx, int64_t at, const Shape& index, void** values) const {
    for (size_t i = 0; i < feeds.size(); ++i) {
      const Feed& feed = feeds[i];
      if (feed.value == 0 || feed.kind == Feed::Kind::one) continue;
      int64_t offset = feed.kind == Feed::Kind::periodic ? at % feed.period : at;
      if (feed.kind == Feed::Kind::by_row) {
        offset = 0;
        for (size_t axis = 0; axis < index.rank(); ++axis)
          offset += index[axis] * feed.strides[axis];
      }
      const std::byte* base = feed.scratch < 0
                                  ? ctx.input<std::byte>(i)
                                  : static_cast<const std::byte*>(ctx.scratch) + feed.scratch;
      values[feed.value] = const_cast<std::byte*>(base + offset * feed.size);
    }
  }

  void run_step(const TileStep& step, void** values, std::vector<Gather>& gathering,
                int64_t n) const {
    const auto count = static_cast<size_t>(step.uniform ? 1 : n);
    switch (step.kind) {
      case TileStep::Kind::compute: {
        const void* in[3] = {values[step.in[0]], values[step.in[1]], values[step.in[2]]};
        return step.fn(in, values[step.out], count, step.scalars, step.attrs);
      }
      case TileStep::Kind::convert:
        if (step.quick) return step.quick(values[step.in[0]], values[step.out], count);
        return step.any(values[step.in[0]], values[step.out], static_cast<int64_t>(count));
      case TileStep::Kind::gather:
        return gathering[feeds[step.input].gather].next(values[step.out], n);
    }
  }

  void store(size_t i, const void* from, std::byte* to, int64_t n, bool in_place) const {
    const Sink& sink = sinks[i];
    const auto bytes = static_cast<size_t>(n * sink.size);
    if (program.results[i].uniform) {
      std::byte one[8];
      if (sink.convert) sink.convert(from, one, 1);
      repeat(to, sink.convert ? one : from, sink.size, n);
    } else if (sink.convert) {
      sink.convert(from, to, static_cast<size_t>(n));
    } else if (sink.stream && !in_place) {
      sink.stream(to, from, bytes);
    } else {
      std::memcpy(to, from, bytes);
    }
  }
};

// Decides how each input comes into a tile, and along which rows.
void lay_out_feeds(const PrepareContext& ctx, Tiles& kernel) {
  const ElementLayout layout = lay_out(ctx);
  const int64_t count = ctx.outputs[0].numel();
  std::vector<Shape> strides = layout.strides;
  kernel.rows = collapse_axes(layout.dims, strides);
  const bool by_rows = kernel.rows.rank() > 1 && kernel.rows.back() >= kShortestRow;
  if (!by_rows) kernel.rows = {count};
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    const TensorSpec& spec = ctx.inputs[i];
    const Walk walk = collapse(layout.dims, std::span(&layout.strides[i], 1));
    Feed feed;
    feed.size = static_cast<int64_t>(size_of(spec.dtype));
    feed.dims = walk.dims;
    feed.strides = walk.strides[0];
    const bool flat = walk.rank() == 1;
    if (flat && feed.strides[0] == 0) {
      feed.kind = Feed::Kind::one;
    } else if (flat && feed.strides[0] == 1) {
      feed.kind = Feed::Kind::in_order;
    } else if (by_rows && (strides[i].back() == 0 || strides[i].back() == 1)) {
      feed.kind = Feed::Kind::by_row;
      feed.strides = strides[i];
    } else if (feed.strides[0] == 0 && count / feed.dims[0] <= kLongestPeriod) {
      feed.kind = Feed::Kind::periodic;
      feed.period = count / feed.dims[0];
    } else if (is_scattered(walk.dims, feed.strides, feed.size)) {
      feed.kind = Feed::Kind::in_order;
      feed.copy.emplace(layout.dims, spec.dtype, layout.strides[i], spec.dtype,
                        layout.dims.row_major_strides());
    } else {
      feed.kind = Feed::Kind::gathered;
      feed.gather = kernel.gathers++;
    }
    kernel.feeds.push_back(std::move(feed));
  }
}

// Splits a row evenly into tiles of at most `longest`, of whole vectors.
int64_t even_tile(int64_t row, int64_t longest) {
  const int64_t tiles = (row + longest - 1) / longest;
  return std::min(longest, ((row + tiles - 1) / tiles + 15) / 16 * 16);
}

bool is_uniform(const Feed& feed) {
  return feed.kind == Feed::Kind::one ||
         (feed.kind == Feed::Kind::by_row && feed.strides.back() == 0);
}

// Whether x broadcasts to y, which is not larger than it must be.
bool broadcasts(const Shape& x, const Shape& y) {
  if (x.rank() > y.rank()) return false;
  for (size_t i = 0; i < x.rank(); ++i)
    if (x[i] != 1 && x[i] != y[y.rank() - x.rank() + i]) return false;
  return true;
}

Prepared prepare(const PrepareContext& ctx) {
  const auto program = fused::ElementwiseProgram::parse(ctx, ctx.inputs.size());
  const Shape& shape = ctx.outputs[0].shape;
  for (const TensorSpec& out : ctx.outputs)
    if (out.shape != shape)
      return refuse(fmt::format("outputs of one shape only; two are {} and {}", shape.str(),
                                out.shape.str()));
  std::vector<TensorType> given;
  for (const TensorSpec& spec : ctx.inputs) {
    if (!broadcasts(spec.shape, shape))
      return refuse(fmt::format("an input is {}, which does not broadcast to the outputs, {}",
                                spec.shape.str(), shape.str()));
    given.push_back({.dtype = spec.dtype, .dims = to_dims(spec.shape)});
  }
  if (shape.numel() == 0) return make_kernel([](const RunContext&) {});
  std::vector<DType> types;
  for (const TensorType& type : program.types(given)) types.push_back(type.dtype);

  auto kernel = std::make_unique<Tiles>();
  lay_out_feeds(ctx, *kernel);
  std::vector<TileInput> inputs;
  for (size_t i = 0; i < ctx.inputs.size(); ++i)
    inputs.push_back({ctx.inputs[i].dtype, is_uniform(kernel->feeds[i]),
                      kernel->feeds[i].kind == Feed::Kind::gathered});
  std::vector<TileOutput> outputs;
  for (const TensorSpec& out : ctx.outputs) {
    const bool large = shape.numel() * static_cast<int64_t>(size_of(out.dtype)) >=
                       static_cast<int64_t>(stream_threshold());
    outputs.push_back({out.dtype, large && !is_half(out.dtype)});
  }
  auto compiled = compile_tiles(program, types, inputs, outputs);
  if (auto* refusal = std::get_if<Refusal>(&compiled)) return std::move(*refusal);
  kernel->program = std::move(std::get<TileProgram>(compiled));
  kernel->program.tile = even_tile(kernel->rows.back(), kernel->program.tile);
  for (size_t i = 0; i < ctx.inputs.size(); ++i) {
    Feed& feed = kernel->feeds[i];
    feed.value = kernel->program.inputs[i];
    const bool same_bytes = feed.kind == Feed::Kind::in_order && !feed.copy &&
                            size_of(ctx.inputs[i].dtype) == size_of(ctx.outputs[0].dtype);
    if (feed.copy || feed.kind == Feed::Kind::periodic) {
      const int64_t elements = feed.copy ? shape.numel() : kernel->repeated(feed);
      feed.scratch = static_cast<int64_t>(kernel->scratch_bytes);
      kernel->scratch_bytes += static_cast<size_t>((elements * feed.size + 63) / 64 * 64);
    }
    if (same_bytes) kernel->in_place |= kernel->program.free_inputs & (i < 32 ? 1U << i : 0U);
  }
  for (size_t i = 0; i < ctx.outputs.size(); ++i) {
    Sink sink;
    sink.size = static_cast<int64_t>(size_of(ctx.outputs[i].dtype));
    sink.convert = half_conversion(kernel->program.results[i].type, ctx.outputs[i].dtype);
    if (outputs[i].buffered) sink.stream = stream_copy();
    kernel->sinks.push_back(sink);
  }
  return kernel;
}

}  // namespace

constinit const KernelList fused_elementwise{
    {&op::FusedElementwise, "cpu.fused_elementwise", prepare, Strides::any},
};

}  // namespace tenon::cpu
