// Matrix products by oneDNN, reading transposed and otherwise strided matrices as they are.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/onednn_activation.h"
#include "backends/cpu/through_f32.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"

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
  memory::desc desc(DType type) const {
    Shape clean = strides;
    const size_t r = shape.rank();
    if (shape[r - 1] == 1) clean[r - 1] = 1;
    if (shape[r - 2] == 1)
      clean[r - 2] = strides[r - 1] == 1 || shape[r - 1] == 1 ? shape[r - 1] : 1;
    if (shape[r - 1] == 1 && shape[r - 2] > 1 && strides[r - 2] == 1) clean[r - 1] = shape[r - 2];
    for (size_t i = r - 2; i-- > 0;)
      if (shape[i] == 1) clean[i] = std::max<int64_t>(1, clean[i + 1] * shape[i + 1]);
    return desc_of(type, shape, clean);
  }
};

std::string refusal(const PrepareContext& ctx, DType type) {
  if (type == DType::bf16 && !has_bf16_products()) return "the processor has no products of bf16";
  for (const TensorSpec& spec : ctx.inputs) {
    if (!spec.present()) continue;
    if (spec.dtype != type)
      return fmt::format("only {}; an input is {}", name(type), name(spec.dtype));
    if (spec.numel() == 0) return "nothing to compute";
  }
  return ctx.outputs[0].numel() == 0 ? "nothing to compute" : "";
}

bool is_plain(const memory::desc& desc) {
  return desc.data.format_kind == dnnl_blocked && desc.data.format_desc.blocking.inner_nblks == 0;
}
bool is_reference(const dnnl::matmul::primitive_desc& pd) {
  return std::string_view(pd.impl_info_str()).starts_with("ref");
}

// result = activation(scale * a * b + row + addend)
struct Product {
  static constexpr size_t kNone = SIZE_MAX;

  DType type;  // of all tensors
  Matrices a, b;
  Shape result;  // [batch..., rows, columns]
  float scale = 1;
  size_t row = kNone;     // the port of a row as long as the result's
  size_t addend = kNone;  // the port of a row-major tensor of the result's shape
  microsoft::Activation activation{};
  bool add_to_result = false;

  Prepared kernel(const PrepareContext& ctx) const {
    const memory::desc left = a.desc(type), given = b.desc(type);
    const memory::desc out = desc_of(type, result, result.row_major_strides());
    Shape row_shape(result.rank(), 1);
    row_shape[result.rank() - 1] = result.back();
    const memory::desc row_desc = desc_of(type, row_shape, row_shape.row_major_strides());

    // oneDNN scales its own bias too.
    const bool own_bias = row != kNone && scale == 1;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops ops;
    struct Operand {
      int at;
      size_t port;
      memory::desc desc;
    };
    std::vector<Operand> operands;
    const auto add = [&](size_t port, const memory::desc& desc) {
      operands.push_back({ops.len(), port, desc});
      ops.append_binary(dnnl::algorithm::binary_add, desc);
    };
    if (scale != 1) attr.set_output_scales(0, {scale});
    if (row != kNone && !own_bias) add(row, row_desc);
    if (add_to_result) ops.append_sum(1.0F);
    if (addend != kNone) add(addend, out);
    if (!append_activation(ops, activation.name, activation.parameters))
      return refuse(fmt::format("oneDNN has no activation {}", activation.name));
    attr.set_post_ops(ops);

    const auto describe = [&](const memory::desc& weights) {
      const dnnl::matmul::desc desc = own_bias ? dnnl::matmul::desc(left, weights, row_desc, out)
                                               : dnnl::matmul::desc(left, weights, out);
      return dnnl::matmul::primitive_desc(desc, attr, onednn_engine());
    };
    dnnl::matmul::primitive_desc pd = describe(given);
    if (ctx.is_constant(1)) {
      // Packed where oneDNN has a layout for it; turning a plain matrix wins nothing.
      const auto free =
          describe(memory::desc(dims_of(b.shape), onednn_type(type), memory::format_tag::any));
      if (!is_reference(free) && !is_plain(free.weights_desc())) pd = free;
    }
    if (ops.len() > 0 && !add_to_result && is_reference(pd))
      return refuse("oneDNN has only its reference for such a product with what follows it");

    auto made = std::make_unique<OneDnnKernel>();
    OneDnnKernel::Arguments args{{DNNL_ARG_SRC, made->input(0, left)},
                                 {DNNL_ARG_WEIGHTS, made->packed(ctx, 1, given, pd.weights_desc())},
                                 {DNNL_ARG_DST, made->output(0, out)}};
    if (own_bias) args.emplace_back(DNNL_ARG_BIAS, made->input(row, row_desc));
    for (const Operand& operand : operands)
      args.emplace_back(DNNL_ARG_ATTR_MULTIPLE_POST_OP(operand.at) | DNNL_ARG_SRC_1,
                        made->input(operand.port, operand.desc));
    made->add(dnnl::matmul(pd), pd.scratchpad_desc(), std::move(args));
    return made;
  }
};

// The product of inputs 0 and 1 as NumPy takes it: a vector is a row on the left and a column on
// the right.
std::variant<Product, Refusal> product_of(const PrepareContext& ctx, DType type, bool transpose_a,
                                          bool transpose_b) {
  if (std::string why = refusal(ctx, type); !why.empty()) return refuse(std::move(why));
  Matrices a(ctx.inputs[0]), b(ctx.inputs[1]);
  if (a.shape.rank() == 1)
    a.lead(2);
  else if (transpose_a)
    a.transpose();
  if (b.shape.rank() == 1) {
    b.lead(2);
    b.transpose();
  } else if (transpose_b) {
    b.transpose();
  }
  const size_t rank = std::max(a.shape.rank(), b.shape.rank());
  // Stacks of rows against one matrix are one tall matrix.
  if (rank > 2 && b.shape.rank() == 2 && ctx.inputs[0].contiguous && !transpose_a) {
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
  return Product{type, a, b, result};
}

// Makes a kernel of the product after `complete` has said what follows it ("" or why not).
template <class Complete>
Prepared prepare_product(const PrepareContext& ctx, DType type, bool transpose_a, bool transpose_b,
                         Complete&& complete) {
  std::variant<Product, Refusal> found = product_of(ctx, type, transpose_a, transpose_b);
  if (auto* why = std::get_if<Refusal>(&found)) return std::move(*why);
  Product& product = std::get<Product>(found);
  if (std::string why = complete(product); !why.empty()) return refuse(std::move(why));
  return with_onednn([&]() -> Prepared { return product.kernel(ctx); });
}

template <DType type = DType::f32>
Prepared prepare_mat_mul(const PrepareContext& ctx) {
  return prepare_product(ctx, type, false, false, [](Product&) { return std::string(); });
}

// FusedMatMul and TransposeMatMul.
template <DType type = DType::f32>
Prepared prepare_scaled(const PrepareContext& ctx) {
  for (const char* attr : {"transBatchA", "transBatchB"})
    if (ctx.op.find_attr(attr) && ctx.i(attr) != 0) return refuse(fmt::format("{} is set", attr));
  return prepare_product(ctx, type, ctx.i("transA") != 0, ctx.i("transB") != 0,
                         [&](Product& product) {
                           product.scale = static_cast<float>(ctx.f("alpha"));
                           return std::string();
                         });
}

template <DType type = DType::f32>
Prepared prepare_linear(const PrepareContext& ctx) {
  return prepare_product(ctx, type, false, ctx.i("transW") != 0, [&](Product& product) {
    const auto parameters = ctx.floats("activation_params");
    product.scale = static_cast<float>(ctx.f("alpha"));
    product.activation = {ctx.s("activation"), {parameters.begin(), parameters.end()}};
    if (ctx.has_input(2)) {
      if (!ctx.inputs[2].contiguous) return std::string("B is strided");
      if (ctx.inputs[2].numel() != product.result.back()) return std::string("B is a scalar");
      product.row = 2;
    }
    if (ctx.has_input(3)) {
      if (!ctx.inputs[3].contiguous) return std::string("Z is strided");
      product.addend = 3;
    }
    return std::string();
  });
}

// out = beta * C, broadcast; then the product is added to it.
class OverC final : public Kernel {
 public:
  OverC(std::unique_ptr<Kernel> product, const TensorSpec& c, const Shape& result, float beta)
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
  std::unique_ptr<Kernel> product_;
  int64_t rows_, columns_, row_stride_ = 0, column_stride_ = 0;
  float beta_;
};

template <DType type = DType::f32>
Prepared prepare_gemm(const PrepareContext& ctx) {
  std::variant<Product, Refusal> found =
      product_of(ctx, type, ctx.i("transA") != 0, ctx.i("transB") != 0);
  if (auto* why = std::get_if<Refusal>(&found)) return std::move(*why);
  Product& product = std::get<Product>(found);
  product.scale = static_cast<float>(ctx.f("alpha"));
  const auto beta = static_cast<float>(ctx.f("beta"));
  const bool has_c = ctx.has_input(2) && beta != 0;
  return with_onednn([&]() -> Prepared {
    if (!has_c) return product.kernel(ctx);
    const TensorSpec& c = ctx.inputs[2];
    const int64_t columns = product.result[1];
    const bool is_row = c.contiguous && c.numel() == columns && (c.rank() == 1 || c.shape[0] == 1);
    if (is_row && product.scale == 1 && beta == 1) {
      product.row = 2;
      return product.kernel(ctx);
    }
    if (c.contiguous && c.shape == product.result && beta == 1) {
      Product fused = product;
      fused.addend = 2;
      Prepared made = with_onednn([&] { return fused.kernel(ctx); });
      if (!std::holds_alternative<Refusal>(made)) return made;
    }
    if (type != DType::f32) return refuse("C is neither a row nor of the result's shape");
    product.add_to_result = true;
    Prepared made = product.kernel(ctx);
    if (std::holds_alternative<Refusal>(made)) return made;
    return std::make_unique<OverC>(std::move(std::get<std::unique_ptr<Kernel>>(made)), c,
                                   product.result, beta);
  });
}

}  // namespace

constinit const KernelList onednn_mat_mul{
    {&op::MatMul, "cpu.onednn_mat_mul", prepare_mat_mul<>, Strides::any},
    {&op::MatMul, "cpu.onednn_mat_mul_dense", prepare_mat_mul<>},
    {&op::MatMul, "cpu.onednn_mat_mul_bf16", prepare_mat_mul<DType::bf16>, Strides::any},
    {&op::MatMul, "cpu.onednn_mat_mul_bf16_dense", prepare_mat_mul<DType::bf16>},
    {&op::MatMul, "cpu.onednn_mat_mul_half", through_f32<prepare_mat_mul<>>, Strides::any},
    {&op::MatMul, "cpu.onednn_mat_mul_half_dense", through_f32<prepare_mat_mul<>>},
    {&op::Gemm, "cpu.onednn_gemm", prepare_gemm<>, Strides::any},
    {&op::Gemm, "cpu.onednn_gemm_dense", prepare_gemm<>},
    {&op::Gemm, "cpu.onednn_gemm_bf16", prepare_gemm<DType::bf16>, Strides::any},
    {&op::Gemm, "cpu.onednn_gemm_bf16_dense", prepare_gemm<DType::bf16>},
    {&op::Gemm, "cpu.onednn_gemm_half", through_f32<prepare_gemm<>>, Strides::any},
    {&op::Gemm, "cpu.onednn_gemm_half_dense", through_f32<prepare_gemm<>>},
    {&op::FusedLinear, "cpu.onednn_linear", prepare_linear<>, Strides::any},
    {&op::FusedLinear, "cpu.onednn_linear_dense", prepare_linear<>},
    {&op::FusedLinear, "cpu.onednn_linear_bf16", prepare_linear<DType::bf16>, Strides::any},
    {&op::FusedLinear, "cpu.onednn_linear_bf16_dense", prepare_linear<DType::bf16>},
    {&op::FusedLinear, "cpu.onednn_linear_half", through_f32<prepare_linear<>>, Strides::any},
    {&op::FusedLinear, "cpu.onednn_linear_half_dense", through_f32<prepare_linear<>>},
    {&op::FusedMatMul, "cpu.onednn_fused_mat_mul", prepare_scaled<>, Strides::any},
    {&op::FusedMatMul, "cpu.onednn_fused_mat_mul_dense", prepare_scaled<>},
    {&op::FusedMatMul, "cpu.onednn_fused_mat_mul_bf16", prepare_scaled<DType::bf16>, Strides::any},
    {&op::FusedMatMul, "cpu.onednn_fused_mat_mul_bf16_dense", prepare_scaled<DType::bf16>},
    {&op::FusedMatMul, "cpu.onednn_fused_mat_mul_half", through_f32<prepare_scaled<>>,
     Strides::any},
    {&op::FusedMatMul, "cpu.onednn_fused_mat_mul_half_dense", through_f32<prepare_scaled<>>},
    {&op::TransposeMatMul, "cpu.onednn_transpose_mat_mul", prepare_scaled<>, Strides::any},
    {&op::TransposeMatMul, "cpu.onednn_transpose_mat_mul_dense", prepare_scaled<>},
};

}  // namespace tenon::cpu
