// MatMul and Gemm of f64, which oneDNN lacks: both matrices packed, the right one in panels of two
// vectors of columns, and multiplied four rows at a time.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/math/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/mat_mul_f64.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

// Rows [inner][4] times a panel [inner][2 vectors]: out[4][2 vectors]. The loop of a tile.
void multiply_tile(const double* rows, const double* panel, size_t inner, double* out) {
  const hn::ScalableTag<double> d;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<hn::ScalableTag<double>> sums[4][2];
  for (auto& row : sums) row[0] = row[1] = hn::Zero(d);
  for (size_t k = 0; k < inner; ++k) {
    const auto left = hn::LoadU(d, panel + 2 * k * lanes);
    const auto right = hn::LoadU(d, panel + (2 * k + 1) * lanes);
    for (size_t r = 0; r < 4; ++r) {
      const auto a = hn::Set(d, rows[4 * k + r]);
      sums[r][0] = hn::MulAdd(a, left, sums[r][0]);
      sums[r][1] = hn::MulAdd(a, right, sums[r][1]);
    }
  }
  for (size_t r = 0; r < 4; ++r) {
    hn::StoreU(sums[r][0], d, out + 2 * r * lanes);
    hn::StoreU(sums[r][1], d, out + (2 * r + 1) * lanes);
  }
}

size_t panel_width() { return 2 * hn::Lanes(hn::ScalableTag<double>()); }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(multiply_tile);
HWY_EXPORT(panel_width);

constexpr int64_t kRows = 4;
constexpr int64_t kMaxPanel = 64;

// A stack of matrices anywhere in memory.
struct Stack {
  int64_t rows, columns, row_stride, column_stride;
  Shape batch, batch_strides;

  explicit Stack(const TensorSpec& spec, bool left) {
    Shape shape = spec.shape, strides = spec.strides;
    if (shape.rank() == 1) {
      shape.insert(left ? 0 : 1, 1);
      strides.insert(left ? 0 : 1, 0);
    }
    const size_t r = shape.rank();
    rows = shape[r - 2];
    columns = shape[r - 1];
    row_stride = strides[r - 2];
    column_stride = strides[r - 1];
    for (size_t i = 0; i + 2 < r; ++i) {
      batch.push_back(shape[i]);
      batch_strides.push_back(shape[i] == 1 ? 0 : strides[i]);
    }
  }
  void transpose() {
    std::swap(rows, columns);
    std::swap(row_stride, column_stride);
  }
  // Where matrix `index` of the batch `whole` begins.
  int64_t start(int64_t index, const Shape& whole) const {
    const size_t lead = whole.rank() - batch.rank();
    int64_t offset = 0;
    for (size_t axis = whole.rank(); axis-- > 0; index /= whole[axis])
      if (axis >= lead) offset += index % whole[axis] * batch_strides[axis - lead];
    return offset;
  }
};

struct MatMulF64 final : Kernel {
  Stack a, b;
  Shape batch;
  double alpha = 1, beta = 0;
  int64_t c_row = 0, c_column = 0;  // strides of C
  bool has_c = false;
  int64_t width = 0, panels = 0;
  void (*tile)(const double* rows, const double* panel, size_t inner, double* out);

  MatMulF64(Stack left, Stack right, const Shape& whole)
      : a(std::move(left)), b(std::move(right)), batch(whole) {
    width = static_cast<int64_t>(HWY_DYNAMIC_DISPATCH(panel_width)());
    tile = HWY_DYNAMIC_DISPATCH(multiply_tile);
    panels = (b.columns + width - 1) / width;
    scratch_bytes = static_cast<size_t>(panels * width * b.rows) * sizeof(double);
  }

  void run(const RunContext& ctx) const override {
    auto* packed = static_cast<double*>(ctx.scratch);
    const int64_t blocks = (a.rows + kRows - 1) / kRows;
    const int64_t grain =
        std::max<int64_t>(1, 65536 / std::max<int64_t>(1, kRows * a.columns * b.columns));
    int64_t packed_from = -1;
    for (int64_t m = 0; m < batch.numel(); ++m) {
      const int64_t from = b.start(m, batch);
      if (from != packed_from) pack(ctx.input<double>(1) + from, packed);
      packed_from = from;
      const double* rows = ctx.input<double>(0) + a.start(m, batch);
      double* out = ctx.output<double>(0) + m * a.rows * b.columns;
      parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
        std::vector<double> block(static_cast<size_t>(kRows * a.columns));
        for (int64_t at = begin; at < end; ++at)
          multiply(ctx, rows, at * kRows, packed, block.data(), out);
      });
    }
  }

  void pack(const double* from, double* to) const {
    parallel_for(0, panels, std::max<int64_t>(1, 16384 / (width * b.rows + 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t p = begin; p < end; ++p)
                     for (int64_t k = 0; k < b.rows; ++k)
                       for (int64_t j = 0; j < width; ++j) {
                         const int64_t column = p * width + j;
                         to[(p * b.rows + k) * width + j] =
                             column < b.columns ? from[k * b.row_stride + column * b.column_stride]
                                                : 0;
                       }
                 });
  }

  void multiply(const RunContext& ctx, const double* from, int64_t first, const double* packed,
                double* block, double* out) const {
    const int64_t count = std::min(kRows, a.rows - first);
    for (int64_t k = 0; k < a.columns; ++k)
      for (int64_t r = 0; r < kRows; ++r)
        block[k * kRows + r] =
            r < count ? from[(first + r) * a.row_stride + k * a.column_stride] : 0;
    alignas(64) double sums[kRows * kMaxPanel];
    for (int64_t p = 0; p < panels; ++p) {
      tile(block, packed + p * b.rows * width, static_cast<size_t>(a.columns), sums);
      const int64_t columns = std::min(width, b.columns - p * width);
      for (int64_t r = 0; r < count; ++r)
        for (int64_t j = 0; j < columns; ++j) {
          const int64_t row = first + r, column = p * width + j;
          double value = alpha * sums[r * width + j];
          if (has_c) value += beta * ctx.input<double>(2)[row * c_row + column * c_column];
          out[row * b.columns + column] = value;
        }
    }
  }
};

Prepared prepare_mat_mul(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f64)
    return refuse(fmt::format("only f64; A is {}", name(ctx.inputs[0].dtype)));
  Shape batch = ctx.outputs[0].shape;
  for (size_t i = 0; i < 2; ++i)
    if (ctx.inputs[i].rank() > 1) batch.erase(batch.rank() - 1);
  return std::make_unique<MatMulF64>(Stack(ctx.inputs[0], true), Stack(ctx.inputs[1], false),
                                     batch);
}

Prepared prepare_gemm(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f64)
    return refuse(fmt::format("only f64; A is {}", name(ctx.inputs[0].dtype)));
  Stack a(ctx.inputs[0], true), b(ctx.inputs[1], false);
  if (ctx.i("transA")) a.transpose();
  if (ctx.i("transB")) b.transpose();
  auto kernel = std::make_unique<MatMulF64>(a, b, Shape{});
  kernel->alpha = ctx.f("alpha");
  kernel->beta = ctx.f("beta");
  kernel->has_c = ctx.has_input(2);
  if (kernel->has_c) {
    const TensorSpec& c = ctx.inputs[2];
    const size_t r = c.rank();
    if (r >= 1 && c.shape[r - 1] != 1) kernel->c_column = c.strides[r - 1];
    if (r == 2 && c.shape[0] != 1) kernel->c_row = c.strides[0];
  }
  return kernel;
}

}  // namespace

constinit const KernelList mat_mul_f64{
    {&op::MatMul, "cpu.mat_mul_f64", prepare_mat_mul, Strides::any},
    {&op::Gemm, "cpu.gemm_f64", prepare_gemm, Strides::any},
};

}  // namespace tenon::cpu
#endif
