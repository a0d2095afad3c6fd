// Resize by mixing, and its gradient: rows are mixed along themselves once, kept while the rows of
// the output around need them, and then mixed with each other. f32, and f16, bf16, u8 and i8
// through f32.
#include <algorithm>
#include <cstring>
#include <optional>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/resize_loops.h"
#include "backends/cpu/resize_plan.h"
#include "backends/cpu/rows.h"
#include "base/threads.h"
#include "ops/image/catalog.h"

namespace tenon::cpu {

namespace {

using resize_rules::Taps;

// Between the type of a row and f32; null where that is the same.
struct Conversion {
  ConvertFn widen = nullptr, narrow = nullptr;
  bool known = true;

  explicit Conversion(DType type) {
    if (type == DType::f32) return;
    widen = type == DType::u8   ? resize_loops().from_u8
            : type == DType::i8 ? resize_loops().from_i8
                                : half_conversion(type, DType::f32);
    narrow = type == DType::u8   ? resize_loops().to_u8
             : type == DType::i8 ? resize_loops().to_i8
                                 : half_conversion(DType::f32, type);
    known = widen && narrow;
  }
};

// Elements along a row: a table of places and weights for each element of the result, or nothing
// where rows stay as they are. Runs of `inner` elements move together.
struct Columns {
  size_t in = 0, out = 0, taps = 0, inner = 1;
  std::vector<int32_t> index;  // [taps][out]; with `runs`, of the CSR below
  std::vector<float> weight;
  std::vector<size_t> first;  // runs: the taps of each place
  bool runs = false;
  std::vector<size_t> outside;  // elements of the result that are the extrapolation value

  static constexpr size_t kWide = 8;  // runs from this length on are mixed as runs

  Columns(const Taps* along, int64_t run) : inner(static_cast<size_t>(run)) {
    if (!along) {
      in = out = inner;
      return;
    }
    in = static_cast<size_t>(along->in) * inner;
    out = static_cast<size_t>(along->out) * inner;
    taps = static_cast<size_t>(along->most());
    runs = inner >= kWide;
    runs ? make_runs(*along) : make_table(*along);
    for (size_t o = 0; o < along->outside.size(); ++o)
      for (size_t c = 0; along->outside[o] && c < inner; ++c) outside.push_back(o * inner + c);
  }

  bool same() const { return taps == 0; }

  void mix(const float* x, float* y) const {
    if (!runs) return resize_loops().gather(x, index.data(), weight.data(), taps, out, y);
    std::vector<const float*> rows(taps);
    for (size_t o = 0; o + 1 < first.size(); ++o) {
      const size_t count = first[o + 1] - first[o];
      for (size_t k = 0; k < count; ++k)
        rows[k] = x + static_cast<size_t>(index[first[o] + k]) * inner;
      resize_loops().blend(rows.data(), weight.data() + first[o], count, inner, y + o * inner);
    }
  }

 private:
  void make_runs(const Taps& along) {
    for (size_t t = 0; t < along.place.size(); ++t) {
      index.push_back(static_cast<int32_t>(along.place[t]));
      weight.push_back(static_cast<float>(along.weight[t]));
    }
    for (const int64_t t : along.first) first.push_back(static_cast<size_t>(t));
  }
  void make_table(const Taps& along) {
    taps = std::max<size_t>(taps, 1);
    index.resize(taps * out);
    weight.resize(taps * out);
    for (int64_t o = 0; o < along.out; ++o)
      for (int64_t k = 0; k < along.count(o); ++k) {
        const auto t = static_cast<size_t>(along.first[static_cast<size_t>(o)] + k);
        for (size_t c = 0; c < inner; ++c) {
          const size_t at = static_cast<size_t>(k) * out + static_cast<size_t>(o) * inner + c;
          index[at] = static_cast<int32_t>(along.place[t]) * static_cast<int32_t>(inner) +
                      static_cast<int32_t>(c);
          weight[at] = static_cast<float>(along.weight[t]);
        }
      }
  }
};

// Up to two neighbouring axes: [outer, rows, columns] to [outer, rows', columns'].
struct Stage {
  int64_t outer, rows_in, rows_out;
  Columns columns;
  DType from, to;
  float extrapolation = 0;

  // `down` or `along` may be null: that axis, of `rows` rows or runs of `inner` elements, stays.
  Stage(int64_t outer_count, const Taps* down, int64_t rows, const Taps* along, int64_t inner,
        DType x, DType y)
      : outer(outer_count),
        rows_in(rows),
        rows_out(down ? down->out : rows),
        columns(along, inner),
        from(x),
        to(y) {
    if (!down) return;
    vertical_ = *down;
    weights_.assign(down->weight.begin(), down->weight.end());
    for (int64_t o = 0; o < down->out; ++o) {
      const auto begin = static_cast<size_t>(down->first[static_cast<size_t>(o)]);
      const auto end = static_cast<size_t>(down->first[static_cast<size_t>(o) + 1]);
      if (begin < end) window_ = std::max(window_, down->place[end - 1] - down->place[begin] + 1);
    }
  }

  int64_t result() const { return outer * rows_out * static_cast<int64_t>(columns.out); }

  void run(const void* x, void* y) const {
    const int64_t grain =
        std::max<int64_t>(1, 16384 / std::max<int64_t>(1, static_cast<int64_t>(columns.out)));
    parallel_for(0, outer * rows_out, grain,
                 [&](int64_t begin, int64_t end) { Worker(*this, x, y).run(begin, end); });
  }

 private:
  std::optional<Taps> vertical_;
  std::vector<float> weights_;
  int64_t window_ = 1;  // rows of the input that one row of the output spans

  // One thread's share, with the mixed rows that it keeps.
  class Worker {
   public:
    Worker(const Stage& stage, const void* x, void* y)
        : s_(stage),
          read_(stage.from),
          write_(stage.to),
          x_(static_cast<const std::byte*>(x)),
          y_(static_cast<std::byte*>(y)),
          kept_(static_cast<size_t>(stage.window_), -1) {
      if (!in_place()) ring_.resize(kept_.size() * s_.columns.out);
      if (read_.widen && !s_.columns.same()) line_.resize(s_.columns.in);
      if (write_.narrow) result_.resize(s_.columns.out);
    }

    void run(int64_t begin, int64_t end) {
      std::vector<const float*> rows(kept_.size());
      const size_t n = s_.columns.out;
      for (int64_t at = begin; at < end; ++at) {
        const int64_t plane = at / s_.rows_out, o = at % s_.rows_out;
        std::byte* to = y_ + static_cast<size_t>(at) * n * size_of(s_.to);
        float* sum = write_.narrow ? result_.data() : reinterpret_cast<float*>(to);
        if (!s_.vertical_) {
          const float one = 1;
          rows[0] = row(plane * s_.rows_in + o);
          s_.blend(rows.data(), &one, 1, sum);
        } else {
          const auto first = static_cast<size_t>(s_.vertical_->first[static_cast<size_t>(o)]);
          const auto count = static_cast<size_t>(s_.vertical_->count(o));
          for (size_t k = 0; k < count; ++k)
            rows[k] = row(plane * s_.rows_in + s_.vertical_->place[first + k]);
          s_.blend(rows.data(), s_.weights_.data() + first, count, sum);
          if (!s_.vertical_->outside.empty() && s_.vertical_->outside[static_cast<size_t>(o)])
            std::fill_n(sum, n, s_.extrapolation);
        }
        for (const size_t i : s_.columns.outside) sum[i] = s_.extrapolation;
        if (write_.narrow) write_.narrow(sum, to, n);
      }
    }

   private:
    // Rows are read where they are.
    bool in_place() const { return s_.columns.same() && !read_.widen; }

    // Row `r` of the input, counted over all planes, mixed along itself.
    const float* row(int64_t r) {
      const size_t in = s_.columns.in;
      const std::byte* from = x_ + static_cast<size_t>(r) * in * size_of(s_.from);
      if (in_place()) return reinterpret_cast<const float*>(from);
      const auto slot = static_cast<size_t>(r % static_cast<int64_t>(kept_.size()));
      float* mixed = ring_.data() + slot * s_.columns.out;
      if (kept_[slot] == r) return mixed;
      kept_[slot] = r;
      if (s_.columns.same()) {
        read_.widen(from, mixed, in);
        return mixed;
      }
      if (read_.widen) {
        read_.widen(from, line_.data(), in);
        from = reinterpret_cast<const std::byte*>(line_.data());
      }
      s_.columns.mix(reinterpret_cast<const float*>(from), mixed);
      return mixed;
    }

    const Stage& s_;
    Conversion read_, write_;
    const std::byte* x_;
    std::byte* y_;
    std::vector<int64_t> kept_;  // which row each slot of the ring holds
    std::vector<float> ring_, line_, result_;
  };

  void blend(const float* const* rows, const float* weight, size_t count, float* y) const {
    if (count == 1 && *weight == 1)
      std::memcpy(y, rows[0], columns.out * sizeof(float));
    else
      resize_loops().blend(rows, weight, count, columns.out, y);
  }
};

struct ResizeKernel final : Kernel {
  std::vector<Stage> stages;

  void run(const RunContext& ctx) const override {
    std::vector<float> before, after;
    const void* x = ctx.in[0];
    for (size_t i = 0; i < stages.size(); ++i) {
      const bool last = i + 1 == stages.size();
      if (!last) after.resize(static_cast<size_t>(stages[i].result()));
      void* y = last ? ctx.out[0] : after.data();
      stages[i].run(x, y);
      before.swap(after);
      x = before.data();
    }
  }
};

// Stages for all axes that change, last ones first, two at a time where they are neighbours.
std::unique_ptr<Kernel> make_stages(const ResizePlan& plan, DType type, double extrapolation) {
  std::vector<size_t> changing;
  for (size_t a = 0; a < plan.taps.size(); ++a)
    if (!plan.taps[a].is_identity()) changing.push_back(a);
  auto kernel = std::make_unique<ResizeKernel>();
  ResizePlan now = plan;  // sizes as they are after the stages so far
  if (changing.empty()) {
    kernel->stages.emplace_back(1, nullptr, 1, nullptr, now.in.numel(), type, type);
    return kernel;
  }
  DType from = type;
  while (!changing.empty()) {
    const size_t last = changing.back();
    changing.pop_back();
    const bool pair = !changing.empty() && changing.back() + 1 == last;
    const size_t first = pair ? changing.back() : last;
    if (pair) changing.pop_back();
    const DType to = changing.empty() ? type : DType::f32;
    const int64_t inner = now.inner(last), outer = now.outer(first);
    const Taps& taps = plan.taps[last];
    if (pair)
      kernel->stages.emplace_back(outer, &plan.taps[first], now.in[first], &taps, inner, from, to);
    else if (inner > 1)
      kernel->stages.emplace_back(outer, &taps, taps.in, nullptr, inner, from, to);
    else
      kernel->stages.emplace_back(1, nullptr, outer, &taps, 1, from, to);
    kernel->stages.back().extrapolation = static_cast<float>(extrapolation);
    now.in[last] = taps.out;
    now.in[first] = plan.taps[first].out;
    from = to;
  }
  return kernel;
}

Prepared prepare(const PrepareContext& ctx, std::vector<Taps> taps, double extrapolation) {
  const TensorSpec& x = ctx.inputs[0];
  if (!Conversion(x.dtype).known)
    return refuse(fmt::format("only f32, f16, bf16, u8 and i8, not {}", name(x.dtype)));
  if (x.numel() == 0 || ctx.outputs[0].numel() == 0) return refuse("nothing to compute");
  const auto plan = plan_resize(x, ctx.outputs[0], taps);
  if (!plan) return refuse("x has gaps between its elements");
  for (size_t a = 0; a < plan->in.rank(); ++a)
    if (plan->in[a] * plan->inner(a) >= int64_t{1} << 31)
      return refuse("rows of 2^31 elements or more");
  return make_stages(*plan, x.dtype, extrapolation);
}

Prepared prepare_resize(const PrepareContext& ctx) {
  std::vector<Taps> taps = resize_rules::taps(ctx, ctx.inputs[0].shape, ctx.outputs[0].shape,
                                              resize_rules::lists_of(ctx.inputs, 1));
  if (ctx.s("mode") == "nearest" && std::ranges::all_of(taps, &Taps::is_selection))
    return refuse("mode nearest is a copy");
  return prepare(ctx, std::move(taps), ctx.f("extrapolation_value"));
}

Prepared prepare_resize_grad(const PrepareContext& ctx) {
  std::vector<Taps> taps = resize_rules::taps(ctx, ctx.outputs[0].shape, ctx.inputs[0].shape,
                                              resize_rules::lists_of(ctx.inputs, 2));
  for (Taps& along : taps) along = along.transposed();
  return prepare(ctx, std::move(taps), 0);
}

}  // namespace

constinit const KernelList resize{
    {&op::Resize, "cpu.resize", prepare_resize, Strides::any},
    {&op::Resize, "cpu.resize_of_copy", prepare_resize},
    {&op::ResizeGrad, "cpu.resize_grad", prepare_resize_grad, Strides::any},
    {&op::ResizeGrad, "cpu.resize_grad_of_copy", prepare_resize_grad},
};

}  // namespace tenon::cpu
