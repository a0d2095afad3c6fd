// Where: chooses between two inputs.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/logic/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  const Shape shape = ctx.outputs[0].shape;
  const std::array strides{broadcast_strides(ctx.inputs[0].shape, shape),
                           broadcast_strides(ctx.inputs[1].shape, shape),
                           broadcast_strides(ctx.inputs[2].shape, shape)};
  const DType type = ctx.outputs[0].dtype;
  return make_kernel([=](const RunContext& run) {
    const In<uint64_t> condition(DType::boolean, run.in[0]);
    for_each_broadcast(shape, strides, [&](int64_t i, const auto& at) {
      const size_t chosen = condition[at[0]] != 0 ? 1 : 2;
      copy_element(type, run.out[0], i, run.in[chosen], at[chosen]);
    });
  });
}

}  // namespace

constinit const KernelList where{{&op::Where, "reference.where", prepare}};

}  // namespace tenon::reference
