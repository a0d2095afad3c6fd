#include "backends/cpu/attention_loops.h"

#include <algorithm>
#include <array>
#include <limits>

#include "backends/cpu/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/attention_loops.cpp"
#include "backends/cpu/tile_product_inl.h"

#ifndef TENON_CPU_ATTENTION_BUFFERS
#define TENON_CPU_ATTENTION_BUFFERS
namespace tenon::cpu {
namespace {

constexpr auto kTile = static_cast<int64_t>(kTileRows);
constexpr float kLowest = -std::numeric_limits<float>::infinity();

int64_t whole_tiles(int64_t rows) { return (rows + kTile - 1) / kTile * kTile; }
// Rows of results have room for whole vectors of any width.
int64_t padded(int64_t columns) { return (columns + 63) / 64 * 64; }

// Where a unit of work keeps what it makes; rows past the last query are zeros.
struct Buffers {
  float *q, *keys, *values, *scores, *sums, *max, *total, *row;

  // Of the members, in order.
  static std::array<int64_t, 8> sizes(const AttentionShape& s) {
    const int64_t rows = whole_tiles(s.row_block), most = AttentionShape::kKeys;
    return {rows * s.size,
            s.size * most,
            most * padded(s.v_size),
            AttentionShape::kRows * most,
            rows * padded(s.v_size),
            rows,
            rows,
            std::max({4 * s.size, s.v_size, most})};
  }

  Buffers(const AttentionShape& s, float* work) {
    float** const members[] = {&q, &keys, &values, &scores, &sums, &max, &total, &row};
    const auto floats = sizes(s);
    for (size_t i = 0; i < floats.size(); ++i) {
      *members[i] = work;
      work += padded(floats[i]);
    }
  }
};

// Rows of the operands' type, read as f32.
struct Reader {
  DType type;
  ConvertFn widen;

  explicit Reader(DType t) : type(t), widen(half_conversion(t, DType::f32)) {}

  // Elements `at` to `at` + n: in place where they are f32, else in `buffer`.
  const float* read(const void* base, int64_t at, int64_t n, float* buffer) const {
    const auto* from =
        static_cast<const std::byte*>(base) + at * static_cast<int64_t>(size_of(type));
    if (!widen) return reinterpret_cast<const float*>(from);
    widen(from, buffer, static_cast<size_t>(n));
    return buffer;
  }
};

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
struct Copy {
  HWY_INLINE V operator()(V x, V) const { return x; }
};

// Four rows of four elements, turned over.
HWY_INLINE void turn_tile(const float* a, const float* b, const float* c, const float* e, float* to,
                          int64_t stride) {
  const hn::FixedTag<float, 4> d;
  const auto r0 = hn::LoadU(d, a), r1 = hn::LoadU(d, b), r2 = hn::LoadU(d, c), r3 = hn::LoadU(d, e);
  const auto low01 = hn::InterleaveLower(d, r0, r1), low23 = hn::InterleaveLower(d, r2, r3);
  const auto high01 = hn::InterleaveUpper(d, r0, r1), high23 = hn::InterleaveUpper(d, r2, r3);
  hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, to);
  hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, to + stride);
  hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, to + 2 * stride);
  hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, to + 3 * stride);
}

class Unit {
 public:
  Unit(const AttentionShape& shape, const AttentionData& data, int64_t unit, float* work)
      : s_(shape),
        data_(data),
        w_(shape, work),
        reader_(shape.type),
        masks_(shape.mask_type),
        head_(unit / shape.blocks() % shape.kv_heads),
        batch_(unit / shape.blocks() / shape.kv_heads),
        first_(unit % shape.blocks() * shape.row_block),
        rows_(std::min(shape.row_block, shape.rows() - first_)),
        v_padded_(padded(shape.v_size)),
        valid_(shape.keys),
        offset_(shape.causal_offset) {
    if (shape.mask_keys > 0) valid_ = std::min(valid_, shape.mask_keys);
    if (data.lengths) {
      valid_ = std::clamp<int64_t>(data.lengths[batch_], 0, valid_);
      offset_ = data.lengths[batch_] - shape.queries;
    }
  }

  void run() {
    read_queries();
    const int64_t all = whole_tiles(rows_);
    std::fill_n(w_.sums, all * v_padded_, 0.0F);
    std::fill_n(w_.max, all, kLowest);
    std::fill_n(w_.total, all, 0.0F);
    const int64_t most = most_of(0, rows_);
    for (int64_t j = 0; j < most; j += AttentionShape::kKeys) {
      const int64_t count = std::min(AttentionShape::kKeys, most - j);
      read_keys(j, count);
      const auto [values, stride] = read_values(j, count);
      for (int64_t r = 0; r < rows_; r += AttentionShape::kRows)
        add_rows(r, std::min(AttentionShape::kRows, rows_ - r), j, count, values, stride);
    }
    write();
  }

 private:
  // For a few queries, packing the keys would cost more than the products.
  bool is_few() const { return rows_ <= 2 * kTile; }
  int64_t head_of(int64_t r) const { return head_ * s_.group() + (first_ + r) / s_.queries; }
  int64_t query_of(int64_t r) const { return (first_ + r) % s_.queries; }
  // Keys that a query may see are the first of all.
  int64_t limit_of(int64_t r) const {
    return s_.causal ? std::clamp<int64_t>(query_of(r) + offset_ + 1, 0, valid_) : valid_;
  }
  int64_t most_of(int64_t r, int64_t rows) const {
    if (!s_.causal) return valid_;
    int64_t most = 0;
    for (int64_t i = r; i < r + rows; ++i) most = std::max(most, limit_of(i));
    return most;
  }
  int64_t place(const HeadLayout& x, int64_t head, int64_t row) const {
    return batch_ * x.batch + head * x.head + row * x.row;
  }

  HWY_INLINE void read_queries() {
    const Times scaled{hn::Set(D(), s_.scale)};
    for (int64_t r = 0; r < rows_; ++r) {
      const float* q = reader_.read(data_.q, place(s_.q, head_of(r), query_of(r)), s_.size, w_.row);
      row_map(q, q, w_.q + r * s_.size, static_cast<size_t>(s_.size), scaled);
    }
    std::fill_n(w_.q + rows_ * s_.size, (whole_tiles(rows_) - rows_) * s_.size, 0.0F);
  }

  // As columns of [size, kKeys], zeros up to a whole vector; one behind the other where that is not
  // worth it and they must be widened.
  HWY_INLINE void read_keys(int64_t j, int64_t count) {
    if (is_few()) {
      few_keys_ = static_cast<const float*>(data_.k) + place(s_.k, head_, j);
      few_stride_ = s_.k.row;
      if (!reader_.widen) return;
      for (int64_t i = 0; i < count; ++i)
        reader_.read(data_.k, place(s_.k, head_, j + i), s_.size, w_.keys + i * s_.size);
      few_keys_ = w_.keys;
      few_stride_ = s_.size;
      return;
    }
    const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
    const int64_t width = (count + lanes - 1) / lanes * lanes;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
      const float* rows[4];
      for (int64_t n = 0; n < 4; ++n)
        rows[n] =
            reader_.read(data_.k, place(s_.k, head_, j + i + n), s_.size, w_.row + n * s_.size);
      int64_t c = 0;
      for (; c + 4 <= s_.size; c += 4)
        turn_tile(rows[0] + c, rows[1] + c, rows[2] + c, rows[3] + c,
                  w_.keys + c * AttentionShape::kKeys + i, AttentionShape::kKeys);
      for (; c < s_.size; ++c)
        for (int64_t n = 0; n < 4; ++n) w_.keys[c * AttentionShape::kKeys + i + n] = rows[n][c];
    }
    for (; i < count; ++i) {
      const float* row = reader_.read(data_.k, place(s_.k, head_, j + i), s_.size, w_.row);
      for (int64_t c = 0; c < s_.size; ++c) w_.keys[c * AttentionShape::kKeys + i] = row[c];
    }
    for (int64_t c = 0; c < s_.size && count < width; ++c)
      std::fill_n(w_.keys + c * AttentionShape::kKeys + count, width - count, 0.0F);
  }

  // Side by side: rows far apart would share few places of the cache.
  struct Values {
    const float* rows;
    int64_t stride;
  };
  HWY_INLINE Values read_values(int64_t j, int64_t count) {
    if (is_few() && !reader_.widen)
      return {static_cast<const float*>(data_.v) + place(s_.v, head_, j), s_.v.row};
    for (int64_t i = 0; i < count; ++i) {
      float* to = w_.values + i * v_padded_;
      const float* from = reader_.read(data_.v, place(s_.v, head_, j + i), s_.v_size, to);
      if (from != to) row_map(from, from, to, static_cast<size_t>(s_.v_size), Copy{});
    }
    return {w_.values, v_padded_};
  }

  // What `rows` queries from r on get from `count` keys from j on.
  HWY_INLINE void add_rows(int64_t r, int64_t rows, int64_t j, int64_t count, const float* values,
                           int64_t stride) {
    count = std::min(count, most_of(r, rows) - j);
    if (count <= 0) return;
    const int64_t all = whole_tiles(rows);
    make_scores(r, rows, count);
    for (int64_t i = 0; i < all; ++i) {
      float* scores = w_.scores + i * AttentionShape::kKeys;
      const int64_t seen = i < rows ? std::clamp<int64_t>(limit_of(r + i) - j, 0, count) : 0;
      if (seen > 0) {
        if (s_.softcap > 0)
          row_map(scores, scores, scores, static_cast<size_t>(seen),
                  SoftCap{hn::Set(D(), s_.softcap), hn::Set(D(), 1 / s_.softcap)});
        if (s_.mask_keys > 0) mask(r + i, j, scores, seen);
        weigh(r + i, scores, seen);
      }
      std::fill(scores + seen, scores + count, 0.0F);
    }
    add_product(w_.scores, AttentionShape::kKeys, static_cast<size_t>(all), values,
                static_cast<size_t>(stride), w_.sums + r * v_padded_,
                static_cast<size_t>(v_padded_), static_cast<size_t>(s_.v_size),
                static_cast<size_t>(count));
  }

  HWY_INLINE void make_scores(int64_t r, int64_t rows, int64_t count) {
    const float* q = w_.q + r * s_.size;
    const auto size = static_cast<size_t>(s_.size);
    if (is_few()) {
      if (rows == 1)
        return dot_products<1>(q, size, few_keys_, few_stride_, count, w_.scores,
                               AttentionShape::kKeys);
      for (int64_t i = 0; i < rows; i += kTile)
        dot_products<kTileRows>(q + i * s_.size, size, few_keys_, few_stride_, count,
                                w_.scores + i * AttentionShape::kKeys, AttentionShape::kKeys);
      return;
    }
    const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
    const int64_t width = (count + lanes - 1) / lanes * lanes;
    set_product(q, size, static_cast<size_t>(whole_tiles(rows)), w_.keys, AttentionShape::kKeys,
                w_.scores, AttentionShape::kKeys, static_cast<size_t>(width), size);
  }

  HWY_INLINE void mask(int64_t r, int64_t j, float* scores, int64_t count) {
    const int64_t at =
        batch_ * s_.mask_batch + head_of(r) * s_.mask_head + query_of(r) * s_.mask_row + j;
    if (s_.mask_type == DType::boolean) {
      const auto* seen = static_cast<const uint8_t*>(data_.mask) + at;
      for (int64_t i = 0; i < count; ++i) scores[i] = seen[i] != 0 ? scores[i] : kLowest;
      return;
    }
    const float* added = masks_.read(data_.mask, at, count, w_.row);
    row_map(scores, added, scores, static_cast<size_t>(count), Plus{});
  }

  // Scores of one query become weights relative to its running maximum. A NaN among them makes the
  // sum NaN, and so the result.
  HWY_INLINE void weigh(int64_t r, float* scores, int64_t count) {
    const D d;
    const size_t lanes = hn::Lanes(d), n = static_cast<size_t>(count);
    const V lowest = hn::Set(d, kLowest);
    V a = hn::Set(d, w_.max[r]), b = lowest;
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
    const float before = w_.max[r];
    const float now = hn::GetLane(hn::MaxOfLanes(d, hn::Max(a, b)));
    if (now == kLowest) {
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
    w_.max[r] = now;
    // Nothing was added before: there is nothing to bring down.
    if (before == kLowest || before == now) {
      w_.total[r] += sum;
      return;
    }
    const V kept = exp_nonpositive(d, hn::Sub(hn::Set(d, before), max));
    w_.total[r] = w_.total[r] * hn::GetLane(kept) + sum;
    float* sums = w_.sums + r * v_padded_;
    row_map(sums, sums, sums, static_cast<size_t>(s_.v_size), Times{kept});
  }

  HWY_INLINE void write() {
    const ConvertFn narrow = half_conversion(DType::f32, s_.type);
    const auto n = static_cast<size_t>(s_.v_size);
    for (int64_t r = 0; r < rows_; ++r) {
      auto* y = static_cast<std::byte*>(data_.y) +
                place(s_.y, head_of(r), query_of(r)) * static_cast<int64_t>(size_of(s_.type));
      const float* sums = w_.sums + r * v_padded_;
      const float inverse = w_.total[r] == 0 ? 0 : 1 / w_.total[r];
      float* to = narrow ? w_.row : reinterpret_cast<float*>(y);
      row_map(sums, sums, to, n, Times{hn::Set(D(), inverse)});
      if (narrow) narrow(to, y, n);
    }
  }

  const AttentionShape& s_;
  const AttentionData& data_;
  const Buffers w_;
  const Reader reader_, masks_;
  int64_t head_, batch_, first_, rows_, v_padded_;
  int64_t valid_, offset_;
  const float* few_keys_ = nullptr;
  int64_t few_stride_ = 0;
};

void attend(const AttentionShape& shape, const AttentionData& data, int64_t unit, float* work) {
  Unit(shape, data, unit, work).run();
}

AttendFn find_attend() { return attend; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

HWY_EXPORT(find_attend);

AttendFn attend_loop() { return HWY_DYNAMIC_DISPATCH(find_attend)(); }

int64_t AttentionShape::work_floats() const {
  int64_t floats = 0;
  for (const int64_t size_of_one : Buffers::sizes(*this)) floats += padded(size_of_one);
  return floats;
}

}  // namespace tenon::cpu
#endif
