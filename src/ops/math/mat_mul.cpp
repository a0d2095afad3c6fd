// MatMul: NumPy's matrix product: stacks of matrices broadcast, and a vector stands for a row on
// the left and for a column on the right.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/product_rules.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) { ctx.output(0, product_rules::output(ctx, 0, 1)); }

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

double flops(const InferContext& ctx) { return product_rules::flops(ctx.dims(0), ctx.dims(1)); }

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
