// Attention for f32 in tiles: the scores of a block of queries with a block of keys are made,
// turned into weights and used up before the next, with a running maximum and sum for each query
// (Dao et al. 2022, https://arxiv.org/abs/2205.14135; Milakov and Gimelshein 2018,
// https://arxiv.org/abs/1805.02867). Keys that no query of a block may see are never read.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/attention.cpp"
#include "backends/cpu/tile_product_inl.h"

#ifndef TENON_CPU_ATTENTION_TYPES
#define TENON_CPU_ATTENTION_TYPES
namespace tenon::cpu {
namespace {

constexpr auto kRowTile = static_cast<int64_t>(kTileRows);
constexpr int64_t kRowBlock = 192;  // queries of one unit of work, at most
constexpr int64_t kKeyBlock = 128;

// One of Q, K, V and Y as [batch, heads, length, size]; rows are dense.
struct HeadLayout {
  int64_t batch = 0, head = 0, row = 0;
};

struct AttentionShape {
  int64_t batch = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0, size = 0, v_size = 0;
  HeadLayout q, k, v, y;
  bool causal = false;
  // Query s sees keys up to s + offset; where lengths are given they decide the offset.
  int64_t causal_offset = 0;
  float scale = 1, softcap = 0;
  int64_t mask_keys = 0;  // 0: no mask
  bool mask_is_bool = false;
  int64_t mask_batch = 0, mask_head = 0, mask_row = 0;
  int64_t row_block = kRowBlock;

  // Query heads that share a key head are rows of one problem: row r is query r % queries.
  int64_t group() const { return heads / kv_heads; }
  int64_t rows() const { return group() * queries; }
  int64_t blocks() const { return (rows() + row_block - 1) / row_block; }
  int64_t units() const { return batch * kv_heads * blocks(); }
  int64_t padded_v() const { return (v_size + 63) / 64 * 64; }
  int64_t work_floats() const {
    const int64_t padded = (row_block + kRowTile - 1) / kRowTile * kRowTile;
    return padded * (size + kKeyBlock + padded_v() + 2) + size * kKeyBlock;
  }
};

struct AttentionData {
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  const void* mask = nullptr;
  const int64_t* lengths = nullptr;
  float* y = nullptr;
};

using AttendFn = void (*)(const AttentionShape& shape, const AttentionData& data, int64_t unit,
                          float* work);

}  // namespace
}  // namespace tenon::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct SoftCap {
  V cap, inverse;
  HWY_INLINE V operator()(V x, V) const { return hn::Mul(cap, tanh(D(), hn::Mul(x, inverse))); }
};
struct Plus {
  HWY_INLINE V operator()(V x, V y) const { return hn::Add(x, y); }
};
struct Times {
  V by;
  HWY_INLINE V operator()(V x, V) const { return hn::Mul(x, by); }
};

// Buffers of one unit of work; rows past the last query are zeros.
struct Buffers {
  float *q, *keys, *scores, *sums, *max, *total;

  Buffers(const AttentionShape& shape, int64_t padded, float* work)
      : q(work),
        keys(q + padded * shape.size),
        scores(keys + shape.size * kKeyBlock),
        sums(scores + padded * kKeyBlock),
        max(sums + padded * shape.padded_v()),
        total(max + padded) {}
};

HWY_INLINE void scores_of(const AttentionShape& shape, const Buffers& w, int64_t rows,
                          int64_t padded, const float* k, int64_t count) {
  const auto size = static_cast<size_t>(shape.size);
  // For a few queries, packing the keys would cost more than the products.
  if (rows == 1) return dot_products<1>(w.q, size, k, shape.k.row, count, w.scores, kKeyBlock);
  if (rows <= 2 * kRowTile) {
    for (int64_t r = 0; r < rows; r += kRowTile)
      dot_products<kTileRows>(w.q + r * shape.size, size, k, shape.k.row, count,
                              w.scores + r * kKeyBlock, kKeyBlock);
    return;
  }
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  const int64_t width = (count + lanes - 1) / lanes * lanes;
  for (int64_t i = 0; i < shape.size; ++i) {
    float* to = w.keys + i * kKeyBlock;
    for (int64_t j = 0; j < count; ++j) to[j] = k[j * shape.k.row + i];
    std::fill(to + count, to + width, 0.0F);
  }
  for (int64_t r = 0; r < padded; ++r) std::fill_n(w.scores + r * kKeyBlock, width, 0.0F);
  add_product(w.q, size, static_cast<size_t>(padded), w.keys, kKeyBlock, w.scores, kKeyBlock,
              static_cast<size_t>(width), size);
}

HWY_INLINE void add_mask(const AttentionShape& shape, const AttentionData& data, int64_t at,
                         float* scores, int64_t count) {
  if (shape.mask_is_bool) {
    const auto* mask = static_cast<const uint8_t*>(data.mask) + at;
    for (int64_t j = 0; j < count; ++j)
      if (mask[j] == 0) scores[j] = -std::numeric_limits<float>::infinity();
    return;
  }
  const auto* mask = static_cast<const float*>(data.mask) + at;
  row_map(scores, mask, scores, static_cast<size_t>(count), Plus{});
}

// Scores of one query with a block of keys become weights relative to its running maximum. A NaN
// among them makes the sum NaN, and so the result.
HWY_INLINE void weigh(const AttentionShape& shape, const Buffers& w, int64_t r, int64_t count) {
  const D d;
  const size_t lanes = hn::Lanes(d), n = static_cast<size_t>(count);
  float* scores = w.scores + r * kKeyBlock;
  const V lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  V a = hn::Set(d, w.max[r]), b = lowest;
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a = hn::Max(a, hn::LoadU(d, scores + i));
    b = hn::Max(b, hn::LoadU(d, scores + i + lanes));
  }
  for (; i < n; i += lanes) {
    const size_t rest = n - i;
    const V x = load_some(scores + i, rest);
    b = hn::Max(b, rest < lanes ? hn::IfThenElse(hn::FirstN(d, rest), x, lowest) : x);
  }
  const float now = hn::GetLane(hn::MaxOfLanes(d, hn::Max(a, b)));
  if (now == -std::numeric_limits<float>::infinity()) {
    std::fill_n(scores, count, 0.0F);
    return;
  }
  const V max = hn::Set(d, now);
  a = b = hn::Zero(d);
  for (i = 0; i + 2 * lanes <= n; i += 2 * lanes) {
    const V x = exp_nonpositive(d, hn::Sub(hn::LoadU(d, scores + i), max));
    const V y = exp_nonpositive(d, hn::Sub(hn::LoadU(d, scores + i + lanes), max));
    hn::StoreU(x, d, scores + i);
    hn::StoreU(y, d, scores + i + lanes);
    a = hn::Add(a, x);
    b = hn::Add(b, y);
  }
  for (; i < n; i += lanes) {
    const size_t rest = n - i;
    const V x = exp_nonpositive(d, hn::Sub(load_some(scores + i, rest), max));
    store_some(x, scores + i, rest);
    b = hn::Add(b, rest < lanes ? hn::IfThenElseZero(hn::FirstN(d, rest), x) : x);
  }
  const float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
  const bool rises = now != w.max[r];
  const V kept = exp_nonpositive(d, hn::Sub(hn::Set(d, w.max[r]), max));  // 0 at first
  w.total[r] = rises ? w.total[r] * hn::GetLane(kept) + sum : w.total[r] + sum;
  w.max[r] = now;
  float* sums = w.sums + r * shape.padded_v();
  if (rises) row_map(sums, sums, sums, static_cast<size_t>(shape.v_size), Times{kept});
}

void attend(const AttentionShape& shape, const AttentionData& data, int64_t unit, float* work) {
  const D d;
  const int64_t block = unit % shape.blocks(), head = unit / shape.blocks() % shape.kv_heads;
  const int64_t b = unit / shape.blocks() / shape.kv_heads;
  const int64_t first = block * shape.row_block;
  const int64_t rows = std::min(shape.row_block, shape.rows() - first);
  const int64_t padded = (rows + kRowTile - 1) / kRowTile * kRowTile;
  const Buffers w(shape, padded, work);
  const auto head_of = [&](int64_t r) {
    return head * shape.group() + (first + r) / shape.queries;
  };
  const auto query_of = [&](int64_t r) { return (first + r) % shape.queries; };

  for (int64_t r = 0; r < rows; ++r) {
    const float* q =
        data.q + b * shape.q.batch + head_of(r) * shape.q.head + query_of(r) * shape.q.row;
    row_map(q, q, w.q + r * shape.size, static_cast<size_t>(shape.size),
            Times{hn::Set(d, shape.scale)});
  }
  std::fill_n(w.q + rows * shape.size, (padded - rows) * shape.size, 0.0F);
  std::fill_n(w.sums, padded * shape.padded_v(), 0.0F);
  std::fill_n(w.max, padded, -std::numeric_limits<float>::infinity());
  std::fill_n(w.total, padded, 0.0F);

  // Keys that a query may see are the first of all.
  int64_t valid = shape.keys, offset = shape.causal_offset;
  if (shape.mask_keys > 0) valid = std::min(valid, shape.mask_keys);
  if (data.lengths) {
    valid = std::clamp<int64_t>(data.lengths[b], 0, valid);
    offset = data.lengths[b] - shape.queries;
  }
  const auto limit_of = [&](int64_t r) {
    return shape.causal ? std::clamp<int64_t>(query_of(r) + offset + 1, 0, valid) : valid;
  };
  int64_t most = 0;
  for (int64_t r = 0; r < rows; ++r) most = std::max(most, limit_of(r));

  const float* k = data.k + b * shape.k.batch + head * shape.k.head;
  const float* v = data.v + b * shape.v.batch + head * shape.v.head;
  for (int64_t j = 0; j < most; j += kKeyBlock) {
    const int64_t count = std::min(kKeyBlock, most - j);
    scores_of(shape, w, rows, padded, k + j * shape.k.row, count);
    for (int64_t r = 0; r < padded; ++r) {
      float* scores = w.scores + r * kKeyBlock;
      const int64_t seen = r < rows ? std::clamp<int64_t>(limit_of(r) - j, 0, count) : 0;
      if (seen > 0) {
        if (shape.softcap > 0)
          row_map(scores, scores, scores, static_cast<size_t>(seen),
                  SoftCap{hn::Set(d, shape.softcap), hn::Set(d, 1 / shape.softcap)});
        if (shape.mask_keys > 0)
          add_mask(shape, data,
                   b * shape.mask_batch + head_of(r) * shape.mask_head +
                       query_of(r) * shape.mask_row + j,
                   scores, seen);
        weigh(shape, w, r, seen);
      }
      std::fill(scores + seen, scores + count, 0.0F);
    }
    add_product(w.scores, kKeyBlock, static_cast<size_t>(padded), v + j * shape.v.row,
                static_cast<size_t>(shape.v.row), w.sums, static_cast<size_t>(shape.padded_v()),
                static_cast<size_t>(shape.v_size), static_cast<size_t>(count));
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* y = data.y + b * shape.y.batch + head_of(r) * shape.y.head + query_of(r) * shape.y.row;
    const float* sums = w.sums + r * shape.padded_v();
    const float inverse = w.total[r] == 0 ? 0 : 1 / w.total[r];
    row_map(sums, sums, y, static_cast<size_t>(shape.v_size), Times{hn::Set(d, inverse)});
  }
}

AttendFn find_attend() { return attend; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_attend);

enum Input : size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths };

// Heads of [batch, heads, length, size] or [batch, length, heads * size].
HeadLayout layout_of(const TensorSpec& x, int64_t size) {
  if (x.rank() == 4) return {x.strides[0], x.strides[1], x.strides[2]};
  return {x.strides[0], size, x.strides[1]};
}

bool rows_are_dense(const TensorSpec& x) { return x.shape.back() == 1 || x.strides.back() == 1; }

// A cache that is read, or its past and present: [batch, heads, past + now, size].
struct Cache {
  int64_t past = 0, now = 0, size = 0;
  HeadLayout past_layout, now_layout;

  bool grows() const { return past > 0; }
  void write(const float* old, const float* fresh, float* to, int64_t batch, int64_t heads) const {
    const auto copy = [&](const float* from, const HeadLayout& layout, int64_t head, int64_t count,
                          float* place) {
      from += head / heads * layout.batch + head % heads * layout.head;
      for (int64_t i = 0; i < count; ++i)
        std::memcpy(place + i * size, from + i * layout.row,
                    static_cast<size_t>(size) * sizeof(float));
    };
    const int64_t length = past + now;
    const int64_t grain = std::max<int64_t>(1, (1 << 16) / std::max<int64_t>(1, length * size));
    parallel_for(0, batch * heads, grain, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; ++head) {
        float* place = to + head * length * size;
        if (past > 0) copy(old, past_layout, head, past, place);
        copy(fresh, now_layout, head, now, place + past * size);
      }
    });
  }
};

struct AttentionKernel final : Kernel {
  AttentionShape shape;
  Cache keys, values;
  AttendFn attend = nullptr;

  void run(const RunContext& ctx) const override {
    AttentionData data;
    data.q = ctx.input<float>(kQ);
    data.mask = ctx.in[kMask];
    data.lengths = ctx.input<int64_t>(kLengths);
    data.y = ctx.output<float>(0);
    auto* scratch = static_cast<float*>(ctx.scratch);
    data.k = cached(ctx, keys, kK, kPastKey, 1, scratch);
    if (keys.grows()) scratch += shape.batch * shape.kv_heads * shape.keys * shape.size;
    data.v = cached(ctx, values, kV, kPastValue, 2, scratch);
    parallel_for(0, shape.units(), 1, [&](int64_t begin, int64_t end) {
      const auto work =
          std::make_unique_for_overwrite<float[]>(static_cast<size_t>(shape.work_floats()));
      for (int64_t unit = begin; unit < end; ++unit) attend(shape, data, unit, work.get());
    });
  }

  // Where to read; what is wanted of the cache is written.
  const float* cached(const RunContext& ctx, const Cache& cache, size_t now, size_t past,
                      size_t present, float* scratch) const {
    auto* to = ctx.output<float>(present);
    if (!to && cache.grows()) to = scratch;
    if (to)
      cache.write(ctx.input<float>(past), ctx.input<float>(now), to, shape.batch, shape.kv_heads);
    return cache.grows() ? to : ctx.input<float>(now);
  }
};

std::string refusal(const PrepareContext& ctx) {
  for (size_t i : {kQ, kK, kV, kPastKey, kPastValue}) {
    if (!ctx.has_input(i)) continue;
    const TensorSpec& x = ctx.inputs[i];
    if (x.dtype != DType::f32)
      return fmt::format("only f32; {} is {}", ctx.op.inputs[i].name, name(x.dtype));
    if (x.numel() == 0) return "nothing to compute";
    if (!rows_are_dense(x))
      return fmt::format("{} is strided along its last axis", ctx.op.inputs[i].name);
  }
  if (ctx.wants_output(3)) return "the scores are wanted, which it never has";
  if (ctx.has("softmax_precision") &&
      ctx.i("softmax_precision") != static_cast<int64_t>(DType::f32))
    return "only softmax in f32";
  if (!ctx.has_input(kMask)) return "";
  const TensorSpec& mask = ctx.inputs[kMask];
  if (mask.dtype != DType::f32 && mask.dtype != DType::boolean)
    return fmt::format("only masks of f32 and bool; it is {}", name(mask.dtype));
  if (mask.numel() == 0) return "nothing to compute";
  return rows_are_dense(mask) ? "" : "the mask is strided along its last axis";
}

void add_mask(AttentionShape& shape, const TensorSpec& mask) {
  shape.mask_keys = mask.shape.back();
  shape.mask_is_bool = mask.dtype == DType::boolean;
  const auto stride = [&](size_t from_end) {
    if (mask.rank() < from_end) return int64_t{0};
    const size_t axis = mask.rank() - from_end;
    return mask.shape[axis] == 1 ? 0 : mask.strides[axis];
  };
  shape.mask_row = stride(2);
  shape.mask_head = stride(3);
  shape.mask_batch = stride(4);
}

Prepared prepare(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  const TensorSpec &q = ctx.inputs[kQ], &k = ctx.inputs[kK], &v = ctx.inputs[kV];
  auto kernel = std::make_unique<AttentionKernel>();
  AttentionShape& s = kernel->shape;
  const bool flat = q.rank() == 3;
  s.batch = q.shape[0];
  s.heads = flat ? ctx.i("q_num_heads") : q.shape[1];
  s.kv_heads = flat ? ctx.i("kv_num_heads") : k.shape[1];
  s.queries = q.shape[flat ? 1 : 2];
  const int64_t now = k.shape[flat ? 1 : 2];
  s.size = flat ? q.shape[2] / s.heads : q.shape[3];
  s.v_size = flat ? v.shape[2] / s.kv_heads : v.shape[3];
  if (s.size == 0 || s.v_size == 0) return refuse("nothing to compute");
  const int64_t past = ctx.has_input(kPastKey) ? ctx.inputs[kPastKey].shape[2] : 0;
  s.keys = past + now;
  s.causal_offset = past;

  s.q = layout_of(q, s.size);
  s.k = layout_of(k, s.size);
  s.v = layout_of(v, s.v_size);
  s.y = flat ? HeadLayout{s.queries * s.heads * s.v_size, s.v_size, s.heads * s.v_size}
             : HeadLayout{s.heads * s.queries * s.v_size, s.queries * s.v_size, s.v_size};
  kernel->keys = {past, now, s.size, {}, s.k};
  kernel->values = {past, now, s.v_size, {}, s.v};
  if (past > 0) {
    kernel->keys.past_layout = layout_of(ctx.inputs[kPastKey], s.size);
    kernel->values.past_layout = layout_of(ctx.inputs[kPastValue], s.v_size);
    s.k = {s.kv_heads * s.keys * s.size, s.keys * s.size, s.size};
    s.v = {s.kv_heads * s.keys * s.v_size, s.keys * s.v_size, s.v_size};
    // A present that nobody wants lies in the scratch.
    kernel->scratch_bytes =
        static_cast<size_t>(s.batch * s.kv_heads * s.keys * (s.size + s.v_size)) * sizeof(float);
    if (ctx.wants_output(1) && ctx.wants_output(2)) kernel->scratch_bytes = 0;
  }
  s.causal = ctx.i("is_causal") != 0;
  s.softcap = static_cast<float>(ctx.f("softcap"));
  s.scale = static_cast<float>(ctx.has("scale") ? ctx.f("scale")
                                                : 1 / std::sqrt(static_cast<double>(s.size)));
  if (ctx.has_input(kMask)) add_mask(s, ctx.inputs[kMask]);
  // Enough units for all threads, where there are rows for them.
  const int64_t share =
      s.batch * s.kv_heads * s.rows() / std::max<int64_t>(1, 2 * int64_t{thread_count()});
  // Smaller blocks waste less along the diagonal.
  const int64_t most = s.causal ? kRowBlock / 2 : kRowBlock;
  s.row_block = std::clamp<int64_t>(share / kRowTile * kRowTile, 4 * kRowTile, most);
  s.row_block = std::min(s.row_block, (s.rows() + kRowTile - 1) / kRowTile * kRowTile);
  kernel->attend = HWY_DYNAMIC_DISPATCH(find_attend)();
  return kernel;
}

}  // namespace

constinit const KernelList attention{
    {&op::Attention, "cpu.attention", prepare, Strides::any},
    {&op::Attention, "cpu.attention_dense", prepare},
};

}  // namespace tenon::cpu
#endif
