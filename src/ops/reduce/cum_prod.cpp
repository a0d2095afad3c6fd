// CumProd: running products along an axis.
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/cumulation.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

// With the axis last and of size n: row k of an n by n matrix is x with 1 in place of x[k], so its
// running products are those of y without x[k]; the ones that x[k] is part of are weighted by dy
// and summed. n times the memory, but exact where x has zeros, and differentiable again.
TensorList grad(const GradContext& ctx) {
  const size_t rank = ctx.dims(0).size();
  const int64_t axis = normalize_axis(ctx.ints_of(1).at(0), rank, "CumProd");
  const Dim& size = ctx.dims(0)[static_cast<size_t>(axis)];
  TENON_CHECK(size.is_const(), unsupported,
              "CumProd: its gradient needs the size of axis {} of {}; give the axis a fixed size",
              axis, str(ctx.dims(0)));
  const int64_t n = size.value();
  const auto last = static_cast<int64_t>(rank) - 1;
  tenon::Shape swapped(rank, 0);
  for (size_t i = 0; i < rank; ++i) swapped[i] = static_cast<int64_t>(i);
  std::swap(swapped[static_cast<size_t>(axis)], swapped[static_cast<size_t>(last)]);
  const auto to_rows = [&](const Tensor& tensor) {
    return Unsqueeze(Transpose(tensor, {{"perm", swapped}}), Tensor::ints({-2}));
  };

  const Tensor x = ctx.input(0);
  const Tensor one = constant_like(x, 1), zero = constant_like(x, 0);
  const Tensor square = Tensor::full({n, n}, 1, DType::boolean);
  const Tensor upper = Trilu(square), lower = Trilu(square, {{"upper", 0}});
  const bool reverse = ctx.i("reverse") != 0, exclusive = ctx.i("exclusive") != 0;
  const Tensor& after = reverse ? lower : upper;
  const Tensor part = exclusive ? Xor(after, And(upper, lower)) : after;
  const Tensor rows = Where(And(upper, lower), one, to_rows(x));
  const Tensor products = CumProd(rows, Tensor::from<int64_t>({-1}, {}), ctx.attrs);
  const Tensor weighted = Where(part, products * to_rows(ctx.grad()), zero);
  const Tensor dx = ReduceSum(weighted, Tensor::ints({-1}), {{"keepdims", 0}});
  return {Transpose(dx, {{"perm", swapped}}), {}};
}

}  // namespace

constinit const OpDef CumProd{
    .name = "CumProd",
    .doc =
        "The product of the elements up to each one along `axis`; without itself when exclusive.",
    .inputs = {{"x", "T"}, value("axis", "I")},
    .outputs = {{"y", "T"}},
    .types = {{"T", cumulation::kTypes}, {"I", kIndex}},
    .attrs = {attr_i("exclusive", 0), attr_i("reverse", 0)},
    .infer = cumulation::infer,
    .expand = primitive,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 26},
    .samples = cumulation::samples,
};

}  // namespace tenon::op
