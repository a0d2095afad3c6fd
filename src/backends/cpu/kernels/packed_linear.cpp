// Products with constant weights that were packed into panels, and what follows them: the sums stay
// in registers until bias and residual are added, the activation finds them in the nearest cache.
#include "backends/cpu/packed_linear.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/packed_matrix.h"
#include "backends/cpu/through_f32.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::cpu {

namespace {

constexpr size_t kNone = SIZE_MAX;

struct PackedLinear final : Kernel {
  PackedMatrix matrix;
  ActivationLoop activation;
  int64_t rows = 0;
  float scale = 1;
  size_t bias = kNone;  // ports
  size_t add = kNone;

  void run(const RunContext& ctx) const override {
    LinearProduct product;
    product.x = ctx.input<float>(0);
    product.rows = rows;
    product.x_stride = matrix.k;
    product.scale = scale;
    if (bias != kNone) product.bias = ctx.input<float>(bias);
    if (add != kNone) product.add = ctx.input<float>(add);
    product.add_stride = matrix.columns;
    product.y = ctx.output<float>(0);
    product.y_stride = matrix.columns;
    multiply(matrix, product, activation);
  }
};

// Why a call is not taken; empty when it is.
std::string refusal(const PrepareContext& ctx) {
  if (!ctx.is_constant(1)) return "the weights may change between runs";
  for (const TensorSpec& spec : ctx.inputs) {
    if (!spec.present()) continue;
    if (spec.dtype != DType::f32) return fmt::format("only f32; an input is {}", name(spec.dtype));
    if (spec.numel() == 0) return "nothing to compute";
  }
  if (ctx.inputs[1].rank() != 2)
    return fmt::format("the weights have {} axes, not 2", ctx.inputs[1].rank());
  return "";
}

std::unique_ptr<PackedLinear> new_kernel(const PrepareContext& ctx, bool transposed) {
  const Shape& w = ctx.inputs[1].shape;
  MatrixView view;
  view.data = static_cast<const float*>(ctx.inputs[1].constant);
  view.k = w[transposed ? 1 : 0];
  view.columns = w[transposed ? 0 : 1];
  view.k_stride = transposed ? 1 : w[1];
  view.column_stride = transposed ? w[1] : 1;
  auto kernel = std::make_unique<PackedLinear>();
  kernel->matrix = pack_matrix(*ctx.packed, view);
  kernel->rows = ctx.inputs[0].numel() / view.k;
  return kernel;
}

}  // namespace

Prepared prepare_packed_mat_mul(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  return new_kernel(ctx, false);
}

Prepared prepare_packed_linear(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  const auto parameters = ctx.floats("activation_params");
  const auto loop = activation_loop({ctx.s("activation"), {parameters.begin(), parameters.end()}});
  if (!loop) return refuse(fmt::format("no loop for activation {}", ctx.s("activation")));
  const bool transposed = ctx.i("transW") != 0;
  if (ctx.has_input(2) && ctx.inputs[2].numel() != ctx.inputs[1].shape[transposed ? 0 : 1])
    return refuse("B is a scalar");
  auto kernel = new_kernel(ctx, transposed);
  kernel->activation = *loop;
  kernel->scale = static_cast<float>(ctx.f("alpha"));
  if (ctx.has_input(2)) kernel->bias = 2;
  if (ctx.has_input(3)) {
    kernel->add = 3;
    kernel->in_place = 1U << 3U;
  }
  return kernel;
}

Prepared prepare_packed_gemm(const PrepareContext& ctx) {
  if (std::string why = refusal(ctx); !why.empty()) return refuse(std::move(why));
  if (ctx.i("transA") != 0) return refuse("A is transposed");
  const bool has_c = ctx.has_input(2) && ctx.f("beta") != 0;
  const Shape& y = ctx.outputs[0].shape;
  bool is_row = false;
  if (has_c) {
    if (ctx.f("beta") != 1) return refuse(fmt::format("beta is {}, not 1", ctx.f("beta")));
    const Shape& c = ctx.inputs[2].shape;
    is_row = ctx.inputs[2].numel() == y[1] && c.rank() > 0 && c.back() == y[1];
    if (!is_row && c != y) return refuse("C is neither a row nor of the result's shape");
  }
  auto kernel = new_kernel(ctx, ctx.i("transB") != 0);
  kernel->scale = static_cast<float>(ctx.f("alpha"));
  if (is_row) {
    kernel->bias = 2;
  } else if (has_c) {
    kernel->add = 2;
    kernel->in_place = 1U << 2U;
  }
  return kernel;
}

constinit const KernelList packed_linear{
    {&op::FusedLinear, "cpu.packed_linear", prepare_packed_linear, Strides::contiguous, true},
    {&op::FusedLinear, "cpu.packed_linear_half", through_f32<prepare_packed_linear>,
     Strides::contiguous, true},
    {&op::MatMul, "cpu.packed_mat_mul", prepare_packed_mat_mul, Strides::contiguous, true},
    {&op::MatMul, "cpu.packed_mat_mul_half", through_f32<prepare_packed_mat_mul>,
     Strides::contiguous, true},
    {&op::Gemm, "cpu.packed_gemm", prepare_packed_gemm, Strides::contiguous, true},
    {&op::Gemm, "cpu.packed_gemm_half", through_f32<prepare_packed_gemm>, Strides::contiguous,
     true},
};

}  // namespace tenon::cpu
