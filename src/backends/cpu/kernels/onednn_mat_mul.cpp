// MatMul and Gemm by oneDNN, reading transposed and otherwise strided matrices as they are.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/through_f32.h"
#include "ops/math/catalog.h"

namespace tenon::cpu {

namespace {

using dnnl::memory;

// A stack of matrices: sizes and strides of [batch..., rows, columns].
struct Matrices {
  Shape shape, strides;

  explicit Matrices(const TensorSpec& spec) : shape(spec.shape), strides(spec.strides) {}
  // Sizes of 1 in front, up to `rank` axes.
  void lead(size_t rank) {
    while (shape.rank() < rank) {
      shape.insert(0, 1);
      strides.insert(0, shape.numel());
    }
  }
  void transpose() {
    const size_t r = shape.rank();
    std::swap(shape[r - 1], shape[r - 2]);
    std::swap(strides[r - 1], strides[r - 2]);
  }
  // oneDNN wants one of the last two axes dense and no element twice.
  bool fits() const {
    const size_t r = shape.rank();
    const bool rows_dense = strides[r - 1] == 1 || shape[r - 1] == 1;
    const bool columns_dense = strides[r - 2] == 1 || shape[r - 2] == 1;
    for (size_t i = 0; i < r; ++i)
      if (strides[i] <= 0 && shape[i] > 1) return false;
    return rows_dense || columns_dense;
  }
  // Strides of axes of size 1 mean nothing; they are set to what a dense matrix would have.
  memory::desc desc() const {
    Shape clean = strides;
    const size_t r = shape.rank();
    if (shape[r - 1] == 1) clean[r - 1] = 1;
    if (shape[r - 2] == 1)
      clean[r - 2] = strides[r - 1] == 1 || shape[r - 1] == 1 ? shape[r - 1] : 1;
    if (shape[r - 1] == 1 && shape[r - 2] > 1 && strides[r - 2] == 1) clean[r - 1] = shape[r - 2];
    for (size_t i = r - 2; i-- > 0;)
      if (shape[i] == 1) clean[i] = std::max<int64_t>(1, clean[i + 1] * shape[i + 1]);
    return desc_of(DType::f32, shape, clean);
  }
};

std::string refusal(const PrepareContext& ctx) {
  for (const TensorSpec& spec : ctx.inputs) {
    if (!spec.present()) continue;
    if (spec.dtype != DType::f32) return fmt::format("only f32; an input is {}", name(spec.dtype));
    if (spec.numel() == 0) return "nothing to compute";
  }
  return ctx.outputs[0].numel() == 0 ? "nothing to compute" : "";
}

struct Product {
  Matrices a, b;
  Shape result;       // [batch..., rows, columns]
  memory::desc bias;  // zero: none
  size_t bias_port = 2;
  float scale = 1;
  bool add_to_result = false;

  std::unique_ptr<OneDnnKernel> kernel() const {
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (scale != 1) attr.set_output_scales(0, {scale});
    if (add_to_result) {
      dnnl::post_ops ops;
      ops.append_sum(1.0F);
      attr.set_post_ops(ops);
    }
    const memory::desc left = a.desc(), right = b.desc();
    const memory::desc out = desc_of(DType::f32, result, result.row_major_strides());
    const dnnl::matmul::desc desc = bias.is_zero() ? dnnl::matmul::desc(left, right, out)
                                                   : dnnl::matmul::desc(left, right, bias, out);
    const dnnl::matmul::primitive_desc pd(desc, attr, onednn_engine());
    auto made = std::make_unique<OneDnnKernel>();
    OneDnnKernel::Arguments args{{DNNL_ARG_SRC, made->input(0, left)},
                                 {DNNL_ARG_WEIGHTS, made->input(1, right)},
                                 {DNNL_ARG_DST, made->output(0, out)}};
    if (!bias.is_zero()) args.emplace_back(DNNL_ARG_BIAS, made->input(bias_port, bias));
    made->add(dnnl::matmul(pd), pd.scratchpad_desc(), std::move(args));
    return made;
  }
};

Prepared prepare_mat_mul(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  Matrices a(ctx.inputs[0]), b(ctx.inputs[1]);
  // A vector is a row on the left and a column on the right.
  if (a.shape.rank() == 1) a.lead(2);
  if (b.shape.rank() == 1) {
    b.lead(2);
    b.transpose();
  }
  const size_t rank = std::max(a.shape.rank(), b.shape.rank());
  // Stacks of rows against one matrix are one tall matrix.
  if (rank > 2 && b.shape.rank() == 2 && ctx.inputs[0].contiguous) {
    const int64_t columns = a.shape.back();
    a.shape = Shape{a.shape.numel() / columns, columns};
    a.strides = a.shape.row_major_strides();
  }
  const size_t axes = std::max(a.shape.rank(), b.shape.rank());
  if (axes > 6) return refuse(fmt::format("at most 6 axes; there are {}", axes));
  a.lead(axes);
  b.lead(axes);
  if (!a.fits() || !b.fits()) return refuse("a matrix is strided along both axes");
  Shape result = a.shape;
  for (size_t i = 0; i + 2 < axes; ++i) result[i] = std::max(a.shape[i], b.shape[i]);
  result[axes - 1] = b.shape[axes - 1];
  return with_onednn([&]() -> Prepared { return Product{a, b, result, {}}.kernel(); });
}

// out = beta * C, broadcast; then the product is added to it.
class OverC final : public Kernel {
 public:
  OverC(std::unique_ptr<OneDnnKernel> product, const TensorSpec& c, const Shape& result, float beta)
      : product_(std::move(product)), rows_(result[0]), columns_(result[1]), beta_(beta) {
    const size_t r = c.rank();
    column_stride_ = r >= 1 && c.shape[r - 1] != 1 ? c.strides[r - 1] : 0;
    row_stride_ = r == 2 && c.shape[0] != 1 ? c.strides[0] : 0;
    scratch_bytes = product_->scratch_bytes;
  }
  void run(const RunContext& ctx) const override {
    const auto* c = ctx.input<float>(2);
    auto* out = ctx.output<float>(0);
    for (int64_t i = 0; i < rows_; ++i)
      for (int64_t j = 0; j < columns_; ++j)
        out[i * columns_ + j] = beta_ * c[i * row_stride_ + j * column_stride_];
    product_->run(ctx);
  }

 private:
  std::unique_ptr<OneDnnKernel> product_;
  int64_t rows_, columns_, row_stride_ = 0, column_stride_ = 0;
  float beta_;
};

Prepared prepare_gemm(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  Matrices a(ctx.inputs[0]), b(ctx.inputs[1]);
  if (ctx.i("transA")) a.transpose();
  if (ctx.i("transB")) b.transpose();
  if (!a.fits() || !b.fits()) return refuse("a matrix is strided along both axes");
  Product product{a, b, ctx.outputs[0].shape, {}};
  product.scale = static_cast<float>(ctx.f("alpha"));
  const auto beta = static_cast<float>(ctx.f("beta"));
  const bool has_c = ctx.has_input(2) && beta != 0;
  return with_onednn([&]() -> Prepared {
    if (!has_c) return product.kernel();
    const TensorSpec& c = ctx.inputs[2];
    const int64_t columns = product.result[1];
    const bool is_row = c.contiguous && c.numel() == columns && (c.rank() == 1 || c.shape[0] == 1);
    if (is_row && product.scale == 1 && beta == 1) {
      product.bias = memory::desc({1, columns}, memory::data_type::f32, memory::format_tag::ab);
      return product.kernel();
    }
    product.add_to_result = true;
    return std::make_unique<OverC>(product.kernel(), c, product.result, beta);
  });
}

}  // namespace

constinit const KernelList onednn_mat_mul{
    {&op::MatMul, "cpu.onednn_mat_mul", prepare_mat_mul, Strides::any},
    {&op::MatMul, "cpu.onednn_mat_mul_dense", prepare_mat_mul},
    {&op::MatMul, "cpu.onednn_mat_mul_half", through_f32<prepare_mat_mul>, Strides::any},
    {&op::MatMul, "cpu.onednn_mat_mul_half_dense", through_f32<prepare_mat_mul>},
    {&op::Gemm, "cpu.onednn_gemm", prepare_gemm, Strides::any},
    {&op::Gemm, "cpu.onednn_gemm_dense", prepare_gemm},
    {&op::Gemm, "cpu.onednn_gemm_half", through_f32<prepare_gemm>, Strides::any},
    {&op::Gemm, "cpu.onednn_gemm_half_dense", through_f32<prepare_gemm>},
};

}  // namespace tenon::cpu
