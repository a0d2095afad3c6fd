#include "backends/cpu/recurrent_call.h"

#include <oneapi/dnnl/dnnl.h>

#include <algorithm>

#include "ops/nn/sequence_lengths.h"

namespace tenon::cpu {

RecurrentCall::RecurrentCall(const PrepareContext& ctx, recurrent::Cell cell)
    : settings(recurrent::settings_of(ctx, cell)),
      sizes(recurrent::sizes_of(settings, ctx.inputs[0].shape, ctx.inputs[2].shape)),
      loops(recurrent_loops()),
      name(ctx.op.name),
      type(ctx.inputs[0].dtype) {
  for (size_t i = 0; i < ctx.inputs.size(); ++i)
    if (ctx.has_input(i)) counts[i] = ctx.inputs[i].numel();
}

const int32_t* RecurrentCall::lengths(const RunContext& ctx) const {
  if (!has(recurrent::kSequenceLens)) return nullptr;
  const auto* list = ctx.input<int32_t>(recurrent::kSequenceLens);
  check_lengths(name, "X", list, sizes.batch, sizes.steps);
  return list;
}

Floats::Floats(const RecurrentCall& call, const RunContext& ctx, uint32_t unread) {
  const ConvertFn widen = half_conversion(call.type, DType::f32);
  for (size_t i = 0; i < RecurrentCall::kMostInputs; ++i) {
    if (!call.has(i) || i == recurrent::kSequenceLens || (unread >> i & 1U) != 0) continue;
    if (!widen) {
      at_[i] = static_cast<const float*>(ctx.in[i]);
      continue;
    }
    copies_[i].resize(static_cast<size_t>(call.counts[i]));
    widen(ctx.in[i], copies_[i].data(), copies_[i].size());
    at_[i] = copies_[i].data();
  }
}

void matrix_product(bool transpose_a, bool transpose_b, int64_t rows, int64_t columns, int64_t k,
                    const float* a, const float* b, float* c, bool add) {
  if (rows == 0 || columns == 0) return;
  if (k == 0) {
    if (!add) std::fill_n(c, rows * columns, 0.0F);
    return;
  }
  const int64_t a_stride = transpose_a ? rows : k, b_stride = transpose_b ? k : columns;
  const dnnl_status_t status =
      dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', rows, columns, k, 1.0F, a,
                 a_stride, b, b_stride, add ? 1.0F : 0.0F, c, columns);
  TENON_BUG_IF(status != dnnl_success, "oneDNN failed to multiply matrices: status {}",
               static_cast<int>(status));
}

}  // namespace tenon::cpu
