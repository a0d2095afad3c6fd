// ReverseSequence.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/nn/sequence_lengths.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare_reverse_sequence(const PrepareContext& ctx) {
  const Shape& shape = ctx.inputs[0].shape;
  const auto time = static_cast<size_t>(ctx.i("time_axis"));
  return make_kernel([shape, time, type = ctx.inputs[0].dtype](const RunContext& run) {
    const auto* lengths = run.input<int64_t>(1);
    check_lengths("ReverseSequence", "input", lengths, shape[1 - time], shape[time]);
    const Shape strides = shape.row_major_strides();
    for_each_index(shape, [&](const Shape& at, int64_t linear) {
      const int64_t length = lengths[at[1 - time]], step = at[time];
      const int64_t from = step < length ? length - 1 - step : step;
      copy_element(type, run.out[0], linear, run.in[0], linear + (from - step) * strides[time]);
    });
  });
}

}  // namespace

constinit const KernelList reverse_sequence{
    {&op::ReverseSequence, "reference.reverse_sequence", prepare_reverse_sequence},
};

}  // namespace tenon::reference
