// MatMul: NumPy's matrix product: stacks of matrices broadcast, and a vector stands for a row on
// the left and for a column on the right.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

// The sizes of a product, vectors taken as matrices.
struct Sizes {
  Dim rows, inner, columns;
  Dims batch;
};

Dims batch_of(const Dims& dims) {
  return dims.size() <= 2 ? Dims() : Dims(dims.begin(), dims.end() - 2);
}

Sizes sizes_of(const Dims& a, const Dims& b) {
  return {a.size() == 1 ? Dim(1) : a[a.size() - 2], a.back(), b.size() == 1 ? Dim(1) : b.back(),
          broadcast(batch_of(a), batch_of(b))};
}

void infer_shape(InferContext& ctx) {
  const Dims& a = ctx.dims(0);
  const Dims& b = ctx.dims(1);
  for (size_t i = 0; i < 2; ++i)
    ctx.check(ctx.rank(i) > 0, "{} is {}; it needs one axis or more; multiply by a scalar with Mul",
              i == 0 ? "A" : "B", ctx.str(i));
  const Dim& left = a.back();
  const Dim& right = b.size() == 1 ? b[0] : b[b.size() - 2];
  ctx.check(left == right || !left.is_const() || !right.is_const(),
            "A is {} and B is {}; the last axis of A, {}, must be as long as the {} of B, {}",
            ctx.str(0), ctx.str(1), left.str(), b.size() == 1 ? "axis" : "last axis but one",
            right.str());
  Dims dims;
  try {
    dims = broadcast(batch_of(a), batch_of(b));
  } catch (const Error&) {
    ctx.fail(
        "the leading axes of A, {}, and B, {}, cannot be broadcast together; sizes must be equal "
        "or 1",
        ctx.str(0), ctx.str(1));
  }
  if (a.size() > 1) dims.push_back(a[a.size() - 2]);
  if (b.size() > 1) dims.push_back(b.back());
  ctx.output(0, std::move(dims));
}

bool is_positive(const Dim& dim) { return dim.is_const() && dim.value() > 0; }

// A stack of matrices as one long matrix.
Tensor as_rows(const Tensor& x, const Dim& columns) {
  const Dims dims = x.dims();
  const Dim rows = product(Dims(dims.begin(), dims.end() - 1));
  if (rows.is_const()) return reshape_to(x, {rows, columns}, x);
  return Reshape(x, Tensor::ints({-1, columns.value()}));
}

// Both as matrices: dA = dY B', dB = A' dY, summed over the axes that were broadcast.
TensorList grad(const GradContext& ctx) {
  const bool row = ctx.dims(0).size() == 1, column = ctx.dims(1).size() == 1;
  Tensor g = ctx.grad();
  if (column) g = Unsqueeze(g, Tensor::ints({-1}));
  if (row) g = Unsqueeze(g, Tensor::ints({-2}));

  TensorList grads = ctx.none();
  if (ctx.needs(0)) {
    const Tensor& b = ctx.input(1);
    const Tensor da = MatMul(g, column ? Unsqueeze(b, Tensor::ints({0})) : b.t());
    grads[0] = sum_to(row ? Squeeze(da, Tensor::ints({-2})) : da, ctx.dims(0));
  }
  if (ctx.needs(1)) {
    const Tensor& a = ctx.input(0);
    const Dim &inner = ctx.dims(0).back(), &columns = ctx.dims(1).back();
    if (ctx.dims(1).size() == 2 && ctx.dims(0).size() > 2 && is_positive(inner) &&
        is_positive(columns)) {
      // One matrix meets a stack: one long product instead of a stack to be summed.
      grads[1] = MatMul(as_rows(a, inner).t(), as_rows(g, columns));
    } else {
      const Tensor db = MatMul(row ? Unsqueeze(a, Tensor::ints({1})) : a.t(), g);
      grads[1] = sum_to(column ? Squeeze(db, Tensor::ints({-1})) : db, ctx.dims(1));
    }
  }
  return grads;
}

double flops(const InferContext& ctx) {
  const Sizes sizes = sizes_of(ctx.dims(0), ctx.dims(1));
  const Dim steps = product(sizes.batch) * sizes.rows * sizes.inner * sizes.columns;
  return steps.is_const() ? 2.0 * static_cast<double>(steps.value()) : 0;
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::any({3, 4})});
  s.add({arg::any({3}), arg::any({3})});
  s.add({arg::any({3}), arg::any({3, 4})});
  s.add({arg::any({2, 3}), arg::any({3})});
  s.add({arg::any({3}), arg::any({2, 3, 4})});
  s.add({arg::any({2, 2, 3}), arg::any({3})});
  s.add({arg::any({2, 2, 3}), arg::any({3, 4})});
  s.add({arg::any({2, 3}), arg::any({2, 3, 4})});
  s.add({arg::any({2, 1, 2, 3}), arg::any({3, 3, 2})});
  s.add({arg::any({1, 2, 3}), arg::any({2, 3, 1})});
  s.add({arg::any({0, 3}), arg::any({3, 4})});
  s.add({arg::any({2, 0}), arg::any({0, 4})});
  s.add({arg::any({0, 2, 3}), arg::any({3, 2})});
  s.bad({arg::any({2, 3}), arg::any({4, 5})}, {}, "the last axis of A, 3, must be as long as");
  s.bad({arg::any({2, 3}), arg::any({2})}, {}, "as the axis of B, 2");
  s.bad({arg::any({}), arg::any({3})}, {}, "A is f32[]; it needs one axis or more");
  s.bad({arg::any({2, 2, 3}), arg::any({4, 3, 2})}, {}, "cannot be broadcast together");
}

}  // namespace

constinit const OpDef MatMul{
    .name = "MatMul",
    .doc =
        "The matrix product of NumPy: leading axes broadcast, vectors stand for a row or a column.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats | types(DType::i32, DType::i64, DType::u32, DType::u64)}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 1},
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
