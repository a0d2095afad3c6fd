// QLinearAdd and QLinearMul: the operations of their expansions, in one pass over bytes.
#include <algorithm>
#include <array>
#include <optional>

#include "backends/cpu/integer_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/strided.h"
#include "base/threads.h"
#include "ops/microsoft/catalog.h"
#include "ops/quant/integer_rules.h"
#include "tensor/strided_copy.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/quantized_binary.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

struct AddOf {  // (a * p0 + p2) + b * p1
  Vector p0, p1, p2;
  explicit AddOf(const float* p)
      : p0(hn::Set(Floats(), p[0])), p1(hn::Set(Floats(), p[1])), p2(hn::Set(Floats(), p[2])) {}
  HWY_INLINE Vector operator()(Vector a, Vector b) const {
    return hn::Add(hn::Add(hn::Mul(a, p0), p2), hn::Mul(b, p1));
  }
};
struct MulOf {  // (a - p0) * (b - p1) * p2 + p3
  Vector p0, p1, p2, p3;
  explicit MulOf(const float* p)
      : p0(hn::Set(Floats(), p[0])),
        p1(hn::Set(Floats(), p[1])),
        p2(hn::Set(Floats(), p[2])),
        p3(hn::Set(Floats(), p[3])) {}
  HWY_INLINE Vector operator()(Vector a, Vector b) const {
    return hn::Add(hn::Mul(hn::Mul(hn::Sub(a, p0), hn::Sub(b, p1)), p2), p3);
  }
};

template <class T>
HWY_INLINE Vector load_bytes(const T* from) {
  const hn::Rebind<int32_t, Floats> wide;
  return hn::ConvertTo(Floats(), hn::PromoteTo(wide, hn::LoadU(hn::Rebind<T, Floats>(), from)));
}

template <class T>
HWY_INLINE void store_bytes(Vector x, T* to) {
  const Floats d;
  const hn::Rebind<T, Floats> narrow;
  const auto low = hn::Set(d, static_cast<float>(hwy::LimitsMin<T>()));
  const auto high = hn::Set(d, static_cast<float>(hwy::LimitsMax<T>()));
  const auto above = hn::IfThenElse(hn::Gt(x, low), x, low);
  const auto clamped = hn::IfThenElse(hn::Lt(above, high), above, high);
  hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(clamped)), narrow, to);
}

// n elements; an operand that `one_*` says is one element that all use.
template <class Op, class T>
void row_of(const void* a_data, const void* b_data, size_t n, bool one_a, bool one_b,
            const float* parameters, void* y_data) {
  const auto* a = static_cast<const T*>(a_data);
  const auto* b = static_cast<const T*>(b_data);
  auto* y = static_cast<T*>(y_data);
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  const Op op(parameters);
  const Vector all_a = hn::Set(d, static_cast<float>(*a));
  const Vector all_b = hn::Set(d, static_cast<float>(*b));
  size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    store_bytes(op(one_a ? all_a : load_bytes(a + i), one_b ? all_b : load_bytes(b + i)), y + i);
  if (i == n) return;
  T left[hn::MaxLanes(Floats())] = {}, right[hn::MaxLanes(Floats())] = {};
  for (size_t k = 0; i + k < n; ++k) {
    left[k] = a[one_a ? 0 : i + k];
    right[k] = b[one_b ? 0 : i + k];
  }
  store_bytes(op(load_bytes(left), load_bytes(right)), left);
  for (size_t k = 0; i + k < n; ++k) y[i + k] = left[k];
}

using RowFn = void (*)(const void*, const void*, size_t, bool, bool, const float*, void*);

RowFn find_quantized_row(bool add, DType type) {
  if (add) return type == DType::i8 ? row_of<AddOf, int8_t> : row_of<AddOf, uint8_t>;
  return type == DType::i8 ? row_of<MulOf, int8_t> : row_of<MulOf, uint8_t>;
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_quantized_row);

struct QuantizedBinary final : Kernel {
  bool add;
  DType type;
  bool has_zero[3];
  Walk walk;
  std::optional<StridedCopy> reorder;  // of operand `reordered`, into the scratch
  size_t reordered = 0;
  void (*row)(const void* a, const void* b, size_t n, bool one_a, bool one_b,
              const float* parameters, void* y);

  // The numbers that the loops want, by the formulas of the expansions.
  std::array<float, 4> parameters(const RunContext& ctx) const {
    const auto zero = [&](size_t i, size_t port) {
      return has_zero[i] ? static_cast<float>(byte_at(ctx.in[port], type, 0)) : 0.0F;
    };
    const float a = *ctx.input<float>(1), b = *ctx.input<float>(4), c = *ctx.input<float>(6);
    const float za = zero(0, 2), zb = zero(1, 5), zc = zero(2, 7);
    if (!add) return {za, zb, a * b / c, zc};
    const float a_ratio = a / c, b_ratio = b / c;
    return {a_ratio, b_ratio, zc - (a_ratio * za + b_ratio * zb), 0};
  }

  void run(const RunContext& ctx) const override {
    const std::array<float, 4> numbers = parameters(ctx);
    const size_t last = walk.rank() - 1;
    const int64_t length = walk.dims[last];
    const int64_t a_step = walk.strides[0][last], b_step = walk.strides[1][last];
    const auto* a = ctx.input<std::byte>(0);
    const auto* b = ctx.input<std::byte>(3);
    if (reorder) {
      const std::byte*& operand = reordered == 0 ? a : b;
      reorder->run(operand, ctx.scratch);
      operand = static_cast<const std::byte*>(ctx.scratch);
    }
    auto* y = ctx.output<std::byte>(0);
    parallel_for(0, walk.dims.numel(), 32768, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end;) {
        const int64_t first = at % length, n = std::min(length - first, end - at);
        int64_t rest = at / length, a_at = first * a_step, b_at = first * b_step;
        for (size_t axis = last; axis-- > 0; rest /= walk.dims[axis]) {
          a_at += rest % walk.dims[axis] * walk.strides[0][axis];
          b_at += rest % walk.dims[axis] * walk.strides[1][axis];
        }
        row(a + a_at, b + b_at, static_cast<size_t>(n), a_step == 0, b_step == 0, numbers.data(),
            y + at);
        at += n;
      }
    });
  }
};

Prepared prepare(const PrepareContext& ctx) {
  TensorSpec& out = ctx.outputs[0];
  if (out.numel() == 0) return refuse("nothing to compute");
  Shape strides[] = {broadcast_strides(ctx.inputs[0], out.shape),
                     broadcast_strides(ctx.inputs[3], out.shape)};
  auto kernel = std::make_unique<QuantizedBinary>();
  Shape dims = out.shape;
  const Shape row_major = out.shape.row_major_strides();
  Shape common = common_strides(out.shape, strides);
  // Of two orders the one that is not row-major wins, since an image is channels-last for a reason;
  // the other operand is brought into it first.
  for (size_t i = 0; i < 2 && common == row_major; ++i) {
    const Shape own = common_strides(out.shape, std::span(&strides[i], 1));
    if (own == row_major || ctx.inputs[3 * (1 - i)].numel() != out.numel()) continue;
    common = own;
    const TensorSpec& other = ctx.inputs[3 * (1 - i)];
    kernel->reordered = 1 - i;
    kernel->reorder.emplace(out.shape, other.dtype, strides[1 - i], other.dtype, common);
    kernel->scratch_bytes = static_cast<size_t>(out.numel());
    strides[1 - i] = common;
  }
  if (common != row_major) {
    out.strides = common;
    out.contiguous = false;
    const Shape order = memory_order(out.shape, common);
    dims = permuted(dims, order);
    for (Shape& each : strides) each = permuted(each, order);
  }
  const Walk walk = collapse(dims, strides);
  for (size_t i = 0; i < 2; ++i)
    if (const int64_t step = walk.strides[i].back(); step != 0 && step != 1)
      return refuse(fmt::format("elements {} apart", step));
  kernel->add = &ctx.op == &op::QLinearAdd;
  kernel->type = out.dtype;
  for (size_t i = 0; i < 3; ++i) kernel->has_zero[i] = ctx.has_input(i == 2 ? 7 : 2 + 3 * i);
  kernel->row = HWY_DYNAMIC_DISPATCH(find_quantized_row)(kernel->add, out.dtype);
  kernel->walk = walk;
  const size_t ports[] = {0, 3};
  for (size_t port : ports)
    if (ctx.inputs[port].shape == out.shape && ctx.inputs[port].strides == out.strides)
      kernel->in_place |= 1U << port;
  return kernel;
}

}  // namespace

constinit const KernelList quantized_binary{
    {&op::QLinearAdd, "cpu.q_linear_add", prepare, Strides::any},
    {&op::QLinearAdd, "cpu.q_linear_add_dense", prepare},
    {&op::QLinearMul, "cpu.q_linear_mul", prepare, Strides::any},
    {&op::QLinearMul, "cpu.q_linear_mul_dense", prepare},
};

}  // namespace tenon::cpu
#endif
