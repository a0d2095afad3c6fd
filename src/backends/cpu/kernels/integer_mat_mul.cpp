// MatMulInteger and QLinearMatMul of 8-bit integers, exact whatever the signs.
#include <algorithm>
#include <array>
#include <vector>

#include "backends/cpu/integer_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/rows.h"
#include "base/threads.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::cpu {

namespace {

using integer_rules::ParameterWalk;
using product_rules::Sizes;

// Rows up to which packing the right matrix does not pay.
constexpr int64_t kFewRows = 8;

int64_t offset_of(const Shape& index, const Shape& strides) {
  int64_t offset = 0;
  for (size_t i = 0; i < index.rank(); ++i) offset += index[i] * strides[i];
  return offset;
}

Shape index_of(int64_t linear, const Shape& shape) {
  Shape index(shape.rank(), 0);
  for (size_t axis = shape.rank(); axis-- > 0; linear /= shape[axis])
    index[axis] = linear % shape[axis];
  return index;
}

// The zero points or scales of rows or columns; absent zero points are 0.
struct Parameters {
  DType type = DType::undefined;
  size_t port = 0;
  ParameterWalk walk;

  int64_t place(const Shape& batch, int64_t line) const {
    return offset_of(batch, walk.batch_strides) + line * walk.step;
  }
  int32_t zero_point(const RunContext& ctx, const Shape& batch, int64_t line) const {
    return type == DType::undefined ? 0 : byte_at(ctx.in[port], type, place(batch, line));
  }
};

// Scales of any float type as f32.
std::vector<float> scales(const RunContext& ctx, size_t port, DType type, int64_t count) {
  std::vector<float> list(static_cast<size_t>(count));
  if (const ConvertFn widen = half_conversion(type, DType::f32))
    widen(ctx.in[port], list.data(), list.size());
  else
    std::copy_n(ctx.input<float>(port), count, list.data());
  return list;
}

class IntegerMatMul : public Kernel {
 public:
  struct Ports {
    size_t a, b, a_zero, b_zero;
  };

  IntegerMatMul(const PrepareContext& ctx, Ports p)
      : ports_(p),
        a_type_(ctx.inputs[p.a].dtype),
        b_type_(ctx.inputs[p.b].dtype),
        sizes_(product_rules::sizes_of(ctx.inputs[p.a].shape, ctx.inputs[p.b].shape)),
        batch_(sizes_.batch.numel()),
        pairs_(static_cast<int64_t>(integer_pairs(static_cast<size_t>(sizes_.inner)))) {
    a_zero_ = parameters(ctx, p.a_zero, true);
    b_zero_ = parameters(ctx, p.b_zero, false);
    const auto width = static_cast<int64_t>(loops_.panel);
    panels_ = (sizes_.columns + width - 1) / width;
    one_right_ = batch_ == 1 || (ctx.inputs[p.b].numel() == sizes_.inner * sizes_.columns &&
                                 (!ctx.has_input(p.b_zero) || is_one(b_zero_.walk)));
    packs_ = sizes_.rows * (one_right_ ? batch_ : 1) > kFewRows;
    scratch_bytes = static_cast<size_t>(batch_ * sizes_.rows * pairs_) * sizeof(int32_t);
    if (packs_) {
      right_at_ = (scratch_bytes + 63) / 64 * 64;
      scratch_bytes =
          right_at_ + static_cast<size_t>((one_right_ ? 1 : batch_) * panels_ * width * pairs_) *
                          sizeof(int32_t);
    }
  }

 protected:
  Parameters parameters(const PrepareContext& ctx, size_t port, bool rows) const {
    Parameters made;
    made.port = port;
    made.walk.batch_strides = Shape(sizes_.batch.rank(), 0);
    if (!ctx.has_input(port)) return made;
    made.type = ctx.inputs[port].dtype;
    const Shape& shape = ctx.inputs[port].shape;
    made.walk =
        rows ? integer_rules::walk_rows(shape, sizes_) : integer_rules::walk_columns(shape, sizes_);
    return made;
  }
  static bool is_one(const ParameterWalk& walk) {
    return std::ranges::all_of(walk.batch_strides, [](int64_t stride) { return stride == 0; });
  }

  // Calls finish(matrix, index of the matrix, row, column, sums, count) for runs of each row.
  template <class Finish>
  void multiply(const RunContext& ctx, const Finish& finish) const {
    auto* left = static_cast<int32_t*>(ctx.scratch);
    auto* right = reinterpret_cast<int32_t*>(static_cast<std::byte*>(ctx.scratch) + right_at_);
    pack_left(ctx, left);
    if (packs_) pack_right(ctx, right);
    // Blocks of rows times panels, panels first, so that neighbouring blocks share rows.
    const auto step = static_cast<int64_t>(loops_.max_rows);
    const int64_t blocks = (sizes_.rows + step - 1) / step;
    const int64_t work = std::max<int64_t>(1, step * pairs_ * static_cast<int64_t>(loops_.panel));
    parallel_for(0, batch_ * blocks * panels_, std::max<int64_t>(1, 262144 / work),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t at = begin; at < end; ++at) {
                     // Within a matrix all rows of one panel follow each other.
                     const int64_t matrix = at / (blocks * panels_);
                     const int64_t panel = at / blocks % panels_, block = at % blocks;
                     block_of(ctx, left, right, matrix, panel, block * step, finish);
                   }
                 });
  }

 private:
  void pack_left(const RunContext& ctx, int32_t* left) const {
    const int64_t rows = batch_ * sizes_.rows;
    parallel_for(0, rows, std::max<int64_t>(1, 65536 / (pairs_ + 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t at = begin; at < end; ++at) {
                     const Shape batch = index_of(at / sizes_.rows, sizes_.batch);
                     const int64_t row = at % sizes_.rows;
                     const int64_t from = offset_of(batch, sizes_.a_strides) + row * sizes_.inner;
                     loops_.pack_row(ctx.input<std::byte>(ports_.a) + from, a_type_,
                                     static_cast<size_t>(sizes_.inner),
                                     a_zero_.zero_point(ctx, batch, row), left + at * pairs_);
                   }
                 });
  }

  int64_t panel_size() const { return static_cast<int64_t>(loops_.panel) * pairs_; }
  int64_t columns_of(int64_t panel) const {
    const auto width = static_cast<int64_t>(loops_.panel);
    return std::min(width, sizes_.columns - panel * width);
  }

  // The zero points of a panel's columns.
  void zero_points(const RunContext& ctx, const Shape& batch, int64_t panel, int32_t* list) const {
    const auto width = static_cast<int64_t>(loops_.panel);
    for (int64_t j = 0; j < width; ++j)
      list[j] = j < columns_of(panel) ? b_zero_.zero_point(ctx, batch, panel * width + j) : 0;
  }

  void pack_panel(const RunContext& ctx, const Shape& batch, int64_t panel, int32_t* to) const {
    std::array<int32_t, kMaxIntegerPanel> zeros;
    zero_points(ctx, batch, panel, zeros.data());
    const int64_t from =
        offset_of(batch, sizes_.b_strides) + panel * static_cast<int64_t>(loops_.panel);
    loops_.pack_panel(ctx.input<std::byte>(ports_.b) + from, b_type_,
                      static_cast<size_t>(sizes_.columns), static_cast<size_t>(sizes_.inner),
                      static_cast<size_t>(columns_of(panel)), zeros.data(), to);
  }

  void pack_right(const RunContext& ctx, int32_t* right) const {
    const int64_t count = (one_right_ ? 1 : batch_) * panels_;
    parallel_for(0, count, std::max<int64_t>(1, 65536 / (panel_size() + 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t at = begin; at < end; ++at)
                     pack_panel(ctx, index_of(at / panels_, sizes_.batch), at % panels_,
                                right + at * panel_size());
                 });
  }

  template <class Finish>
  void block_of(const RunContext& ctx, const int32_t* left, const int32_t* right, int64_t matrix,
                int64_t panel, int64_t first, const Finish& finish) const {
    const Shape batch = index_of(matrix, sizes_.batch);
    const int64_t count = std::min(static_cast<int64_t>(loops_.max_rows), sizes_.rows - first);
    const int64_t columns = columns_of(panel), width = static_cast<int64_t>(loops_.panel);
    const int32_t* rows = left + (matrix * sizes_.rows + first) * pairs_;
    const auto stride = static_cast<size_t>(pairs_), row_count = static_cast<size_t>(count);
    alignas(64) int32_t sums[kMaxIntegerRows * kMaxIntegerPanel];
    if (packs_) {
      const int64_t at = (one_right_ ? 0 : matrix * panels_) + panel;
      loops_.tile(rows, stride, row_count, right + at * panel_size(), stride, sums);
    } else if (columns == width) {
      std::array<int32_t, kMaxIntegerPanel> zeros;
      zero_points(ctx, batch, panel, zeros.data());
      const int64_t from = offset_of(batch, sizes_.b_strides) + panel * width;
      loops_.tile_unpacked(rows, stride, row_count, ctx.input<std::byte>(ports_.b) + from, b_type_,
                           static_cast<size_t>(sizes_.columns), static_cast<size_t>(sizes_.inner),
                           zeros.data(), sums);
    } else {
      std::vector<int32_t> packed(static_cast<size_t>(panel_size()));
      pack_panel(ctx, batch, panel, packed.data());
      loops_.tile(rows, stride, row_count, packed.data(), stride, sums);
    }
    for (int64_t r = 0; r < count; ++r)
      finish(matrix, batch, first + r, panel * width, sums + r * width, columns);
  }

 protected:
  const IntegerLoops& loops_ = integer_loops();
  Ports ports_;
  DType a_type_, b_type_;
  Sizes sizes_;
  int64_t batch_, pairs_, panels_ = 0;

 private:
  Parameters a_zero_, b_zero_;
  bool one_right_ = false;  // all matrices of the batch meet the same right one
  bool packs_ = false;
  size_t right_at_ = 0;  // of the packed right matrices, in the scratch
};

class MatMulIntegerKernel final : public IntegerMatMul {
 public:
  explicit MatMulIntegerKernel(const PrepareContext& ctx) : IntegerMatMul(ctx, {0, 1, 2, 3}) {}

  void run(const RunContext& ctx) const override {
    auto* y = ctx.output<int32_t>(0);
    multiply(ctx, [&](int64_t matrix, const Shape&, int64_t row, int64_t column,
                      const int32_t* sums, int64_t count) {
      std::copy_n(sums, count, y + (matrix * sizes_.rows + row) * sizes_.columns + column);
    });
  }
};

class QLinearMatMulKernel final : public IntegerMatMul {
 public:
  explicit QLinearMatMulKernel(const PrepareContext& ctx)
      : IntegerMatMul(ctx, {0, 3, 2, 5}),
        a_scale_(parameters(ctx, 1, true)),
        b_scale_(parameters(ctx, 4, false)),
        a_scales_(ctx.inputs[1].numel()),
        b_scales_(ctx.inputs[4].numel()),
        type_(ctx.outputs[0].dtype) {}

  void run(const RunContext& ctx) const override {
    const std::vector<float> a = scales(ctx, 1, a_scale_.type, a_scales_);
    const std::vector<float> b = scales(ctx, 4, b_scale_.type, b_scales_);
    const float y_scale = scales(ctx, 6, a_scale_.type, 1)[0];
    auto* y = ctx.output<std::byte>(0);
    multiply(ctx, [&](int64_t matrix, const Shape& batch, int64_t row, int64_t column,
                      const int32_t* sums, int64_t count) {
      std::array<float, kMaxIntegerPanel> scale;
      const float of_row = a[static_cast<size_t>(a_scale_.place(batch, row))];
      Requantization how;
      how.one_scale = b_scale_.walk.step == 0;
      for (int64_t j = 0; j < (how.one_scale ? 1 : count); ++j)
        scale[static_cast<size_t>(j)] =
            of_row * b[static_cast<size_t>(b_scale_.place(batch, column + j))] / y_scale;
      how.scale = scale.data();
      how.type = type_;
      how.zero_point = byte_at(ctx.in[7], type_, 0);
      loops_.requantize(sums, static_cast<size_t>(count), how,
                        y + (matrix * sizes_.rows + row) * sizes_.columns + column);
    });
  }

 private:
  Parameters a_scale_, b_scale_;
  int64_t a_scales_, b_scales_;
  DType type_;
};

Prepared prepare_mat_mul_integer(const PrepareContext& ctx) {
  return std::make_unique<MatMulIntegerKernel>(ctx);
}

Prepared prepare_q_linear_mat_mul(const PrepareContext& ctx) {
  for (size_t port : {0, 3, 7})
    if (!integer_rules::kBytes.has(ctx.inputs[port].dtype))
      return refuse(fmt::format("only i8 and u8; {} is {}", ctx.op.inputs[port].name,
                                name(ctx.inputs[port].dtype)));
  return std::make_unique<QLinearMatMulKernel>(ctx);
}

}  // namespace

constinit const KernelList integer_mat_mul{
    {&op::MatMulInteger, "cpu.mat_mul_integer", prepare_mat_mul_integer},
    {&op::QLinearMatMul, "cpu.q_linear_mat_mul", prepare_q_linear_mat_mul},
};

}  // namespace tenon::cpu
