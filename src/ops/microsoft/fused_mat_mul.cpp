// FusedMatMul: a product of stacks of matrices that are transposed first.
#include "ops/microsoft/fused_mat_mul.h"

#include <algorithm>

#include "ops/math/catalog.h"
#include "ops/math/product_rules.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/shape/catalog.h"

namespace tenon::microsoft {

namespace {

// Axes in the order in which MatMul takes them; empty where that is the order they have. With
// `batch` the rows are axis 0 and the batch follows: [rows, batch..., columns].
std::vector<int64_t> order(const Call& call, size_t rank, std::string_view trans,
                           std::string_view trans_batch) {
  const bool swap = call.i(trans) != 0;
  const bool batch = call.op.find_attr(trans_batch) && call.i(trans_batch) != 0;
  std::vector<int64_t> axes;
  if (rank < 2 || (!swap && !batch)) return axes;
  for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  if (batch) std::rotate(axes.begin(), axes.begin() + 1, axes.end() - 1);
  if (swap) std::swap(axes[rank - 1], axes[rank - 2]);
  return axes;
}

std::vector<int64_t> order_of(const Call& call, size_t i, size_t rank) {
  return i == 0 ? order(call, rank, "transA", "transBatchA")
                : order(call, rank, "transB", "transBatchB");
}

// A and B as MatMul takes them.
std::vector<TensorType> operands(const InferContext& ctx) {
  std::vector<TensorType> inputs{ctx.input(0), ctx.input(1)};
  for (size_t i = 0; i < 2; ++i) {
    const std::vector<int64_t> axes = order_of(ctx, i, ctx.rank(i));
    for (size_t k = 0; k < axes.size(); ++k)
      inputs[i].dims[k] = ctx.dims(i)[static_cast<size_t>(axes[k])];
  }
  return inputs;
}

}  // namespace

Dims infer_product(const InferContext& ctx) {
  return like(ctx, op::MatMul, {}, operands(ctx))[0].dims;
}

double product_flops(const InferContext& ctx) {
  const std::vector<TensorType> inputs = operands(ctx);
  return product_rules::flops(inputs[0].dims, inputs[1].dims);
}

Tensor product(const ExpandContext& ctx) {
  const auto operand = [&](size_t i) {
    const std::vector<int64_t> axes = order_of(ctx, i, ctx.input(i).rank());
    return axes.empty() ? ctx.input(i)
                        : op::Transpose(ctx.input(i), Attrs{{"perm", AttrValue(axes)}});
  };
  const Tensor y = op::MatMul(operand(0), operand(1));
  return ctx.f("alpha") == 1 ? y : y * ctx.f("alpha");
}

void product_samples(Samples& s, const OpDef& op) {
  s.add({arg::any({2, 3}), arg::any({3, 4})});
  s.add({arg::any({2, 3, 2}), arg::any({2, 4, 3})}, {{"transA", 1}, {"transB", 1}, {"alpha", 0.5}});
  s.add({arg::any({3}), arg::any({3, 2})}, {{"transA", 1}});
  if (op.find_attr("transBatchA")) {
    s.add({arg::any({4, 2, 3}), arg::any({2, 3, 5})}, {{"transBatchA", 1}});
    s.add({arg::any({2, 4, 3}), arg::any({5, 2, 3})}, {{"transBatchB", 1}, {"transB", 1}});
  }
  s.bad({arg::any({2, 3}), arg::any({2, 4})}, {}, std::string(op.name) + ": A is f32[2, 3] and B");
  s.bad({arg::any({2, 3}), arg::any({3, 4})}, {{"transA", 1}}, "A is f32[3, 2] and B");
}

}  // namespace tenon::microsoft

namespace tenon::op {

namespace {

void infer(InferContext& ctx) { ctx.output(0, microsoft::infer_product(ctx)); }
TensorList expand(const ExpandContext& ctx) { return {microsoft::product(ctx)}; }
void samples(Samples& s) { microsoft::product_samples(s, FusedMatMul); }

}  // namespace

constinit const OpDef FusedMatMul{
    .name = "FusedMatMul",
    .doc =
        "alpha * A * B, where transA and transB swap the last two axes and transBatchA and "
        "transBatchB take axis 0 for the rows.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1), attr_i("transA", 0), attr_i("transB", 0),
              attr_i("transBatchA", 0), attr_i("transBatchB", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .flops = microsoft::product_flops,
    .samples = samples,
};

}  // namespace tenon::op
