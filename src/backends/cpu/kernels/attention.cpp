// Attention for f32, f16 and bf16: what the loops of attention_loops.h are given, and the caches of
// keys and values.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "backends/cpu/attention_loops.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kTile = 4;  // rows that the loops work on together

enum Input : size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kLengths };

// Heads of [batch, heads, length, size] or [batch, length, heads * size].
HeadLayout layout_of(const TensorSpec& x, int64_t size) {
  if (x.rank() == 4) return {x.strides[0], x.strides[1], x.strides[2]};
  return {x.strides[0], size, x.strides[1]};
}

bool rows_are_dense(const TensorSpec& x) { return x.shape.back() == 1 || x.strides.back() == 1; }

// A cache that is read, or its past and present: [batch, heads, past + now, size].
struct Cache {
  int64_t past = 0, now = 0, size = 0, element = 4;
  HeadLayout past_layout, now_layout;

  bool grows() const { return past > 0; }
  void write(const void* old, const void* fresh, void* to, int64_t batch, int64_t heads) const {
    const int64_t length = past + now;
    const auto copy = [&](const void* from, const HeadLayout& layout, int64_t head, int64_t count,
                          int64_t place) {
      const int64_t start = head / heads * layout.batch + head % heads * layout.head;
      for (int64_t i = 0; i < count; ++i)
        std::memcpy(static_cast<std::byte*>(to) + (place + i * size) * element,
                    static_cast<const std::byte*>(from) + (start + i * layout.row) * element,
                    static_cast<size_t>(size * element));
    };
    const int64_t grain = std::max<int64_t>(1, (1 << 16) / std::max<int64_t>(1, length * size));
    parallel_for(0, batch * heads, grain, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; ++head) {
        const int64_t place = head * length * size;
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
  int64_t areas = 1;  // of work in the scratch, one a thread
  // Where in the scratch a grown cache lies that nobody wants, and then the work.
  size_t keys_at = 0, values_at = 0, work_at = 0;

  void run(const RunContext& ctx) const override {
    AttentionData data;
    data.q = ctx.in[kQ];
    data.mask = ctx.in[kMask];
    data.lengths = ctx.input<int64_t>(kLengths);
    data.y = ctx.out[0];
    data.k = cached(ctx, keys, kK, kPastKey, 1, keys_at);
    data.v = cached(ctx, values, kV, kPastValue, 2, values_at);
    auto* work = reinterpret_cast<float*>(static_cast<std::byte*>(ctx.scratch) + work_at);
    // Units differ in cost where the mask is causal: whoever is free takes the next.
    std::atomic<int64_t> next{0};
    const int64_t units = shape.units(), floats = shape.work_floats();
    parallel_for(0, areas, 1, [&](int64_t begin, int64_t) {
      for (int64_t unit = next++; unit < units; unit = next++)
        attend(shape, data, unit, work + begin * floats);
    });
  }

  // Where to read; what is wanted of the cache is written.
  const void* cached(const RunContext& ctx, const Cache& cache, size_t now, size_t past,
                     size_t present, size_t scratch_at) const {
    void* to = ctx.out[present];
    if (!to && cache.grows()) to = static_cast<std::byte*>(ctx.scratch) + scratch_at;
    if (to) cache.write(ctx.in[past], ctx.in[now], to, shape.batch, shape.kv_heads);
    return cache.grows() ? to : ctx.in[now];
  }
};

std::string refusal(const PrepareContext& ctx) {
  const DType type = ctx.inputs[kQ].dtype;
  if (type == DType::f64) return "only f16, bf16, f32; Q is f64";
  for (size_t i : {kQ, kK, kV, kPastKey, kPastValue}) {
    if (!ctx.has_input(i)) continue;
    const TensorSpec& x = ctx.inputs[i];
    if (x.dtype != type)
      return fmt::format("only operands of one type; Q is {} and {} is {}", name(type),
                         ctx.op.inputs[i].name, name(x.dtype));
    const bool empty_past = (i == kPastKey || i == kPastValue) && x.shape[2] == 0;
    if (x.numel() == 0 && !empty_past) return "nothing to compute";
    if (!rows_are_dense(x))
      return fmt::format("{} is strided along its last axis", ctx.op.inputs[i].name);
  }
  if (ctx.wants_output(3)) return "the scores are wanted, which it never has";
  if (ctx.has("softmax_precision") &&
      ctx.i("softmax_precision") != static_cast<int64_t>(DType::f32))
    return "only softmax in f32";
  if (!ctx.has_input(kMask)) return "";
  const TensorSpec& mask = ctx.inputs[kMask];
  if (!((kFloats - types(DType::f64)) | kBool).has(mask.dtype))
    return fmt::format("only masks of f16, bf16, f32 and bool; it is {}", name(mask.dtype));
  if (mask.numel() == 0) return "nothing to compute";
  return rows_are_dense(mask) ? "" : "the mask is strided along its last axis";
}

void add_mask(AttentionShape& shape, const TensorSpec& mask) {
  shape.mask_keys = mask.shape.back();
  shape.mask_type = mask.dtype;
  const auto stride = [&](size_t from_end) {
    if (mask.rank() < from_end) return int64_t{0};
    const size_t axis = mask.rank() - from_end;
    return mask.shape[axis] == 1 ? 0 : mask.strides[axis];
  };
  shape.mask_row = stride(2);
  shape.mask_head = stride(3);
  shape.mask_batch = stride(4);
}

// A grown cache that nobody wants, and the threads' work.
void place_scratch(AttentionKernel& kernel, const PrepareContext& ctx, int64_t threads) {
  const AttentionShape& s = kernel.shape;
  size_t bytes = 0;
  const auto take = [&](int64_t wanted) {
    const size_t at = bytes;
    bytes += (static_cast<size_t>(wanted) + 63) / 64 * 64;
    return at;
  };
  const auto cache = [&](const Cache& c, size_t present) {
    const bool own = c.grows() && !ctx.wants_output(present);
    return take(own ? s.batch * s.kv_heads * s.keys * c.size * c.element : 0);
  };
  kernel.keys_at = cache(kernel.keys, 1);
  kernel.values_at = cache(kernel.values, 2);
  kernel.areas = std::min(threads, s.units());
  kernel.work_at = take(kernel.areas * s.work_floats() * static_cast<int64_t>(sizeof(float)));
  kernel.scratch_bytes = bytes;
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
  s.type = q.dtype;
  const auto element = static_cast<int64_t>(size_of(s.type));
  kernel->keys = {past, now, s.size, element, {}, s.k};
  kernel->values = {past, now, s.v_size, element, {}, s.v};
  if (past > 0) {
    kernel->keys.past_layout = layout_of(ctx.inputs[kPastKey], s.size);
    kernel->values.past_layout = layout_of(ctx.inputs[kPastValue], s.v_size);
    s.k = {s.kv_heads * s.keys * s.size, s.keys * s.size, s.size};
    s.v = {s.kv_heads * s.keys * s.v_size, s.keys * s.v_size, s.v_size};
  }
  s.causal = ctx.i("is_causal") != 0;
  s.softcap = static_cast<float>(ctx.f("softcap"));
  s.scale = static_cast<float>(ctx.has("scale") ? ctx.f("scale")
                                                : 1 / std::sqrt(static_cast<double>(s.size)));
  if (ctx.has_input(kMask)) add_mask(s, ctx.inputs[kMask]);
  // Enough units for all threads, where there are rows for them.
  const int64_t threads = thread_count();
  const int64_t share = threads == 1 ? s.rows() : s.batch * s.kv_heads * s.rows() / (2 * threads);
  s.row_block = std::clamp<int64_t>(share / kTile * kTile, 4 * kTile, AttentionShape::kMostRows);
  s.row_block = std::min(s.row_block, (s.rows() + kTile - 1) / kTile * kTile);
  kernel->attend = attend_loop();
  place_scratch(*kernel, ctx, threads);
  return kernel;
}

}  // namespace

constinit const KernelList attention{
    {&op::Attention, "cpu.attention", prepare, Strides::any},
    {&op::Attention, "cpu.attention_dense", prepare},
};

}  // namespace tenon::cpu
