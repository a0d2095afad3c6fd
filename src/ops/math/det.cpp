// Det: determinants of square matrices.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() >= 2, "X is {}; give matrices, with two axes or more", ctx.str(0));
  const Dim &rows = x[x.size() - 2], &columns = x.back();
  ctx.check(!rows.is_const() || !columns.is_const() || rows == columns,
            "X is {}; its last two axes must be equal, for square matrices", ctx.str(0));
  ctx.output(0, Dims(x.begin(), x.end() - 2));
}

// Jacobi: d det(X) / dX = det(X) * transpose of inverse(X).
TensorList grad(const GradContext& ctx) {
  const Tensor scale = Unsqueeze(ctx.grad() * ctx.output(0), Tensor::ints({-2, -1}));
  return {scale * Inverse(ctx.input(0)).t()};
}

void samples(Samples& s) {
  s.add({arg::range({1, 1}, 1, 2)});
  s.add({arg::fixed(Tensor::from<float>({1, 2, 3, 4}, {2, 2}))});
  s.add({arg::fixed(Tensor::from<double>({0, 2, 1, 3, 0, 4, 1, 5, 6}, {3, 3}))});
  s.add({arg::fixed(Tensor::from<float>({1, 2, 2, 4}, {2, 2}))});  // singular
  s.add({arg::any({2, 3, 3})}).types = types(DType::f32, DType::f64);
  s.add({arg::any({1, 2, 2, 2})}).types = types(DType::f32, DType::f64);
  s.add({arg::range({2, 2, 2}, 1, 1.5)}).grad = false;
  s.add({arg::any({0, 3, 3})});
  s.add({arg::any({2, 0, 0})});
  s.bad({arg::any({3})}, {}, "give matrices, with two axes or more");
  s.bad({arg::any({2, 3})}, {}, "its last two axes must be equal");
}

}  // namespace

constinit const OpDef Det{
    .name = "Det",
    .doc = "The determinants of matrices in the last two axes; 1 for a matrix without elements.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(0) | saves::output(0)},
    .onnx = {.since = 11},
    .samples = samples,
};

}  // namespace tenon::op
