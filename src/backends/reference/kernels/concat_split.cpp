// Pieces along an axis, joined and cut.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/strided_copy.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

// Where the pieces lie in the whole.
struct Pieces {
  DType type;
  Shape strides;  // of the whole
  std::vector<TensorSpec> specs;
  std::vector<int64_t> offsets;  // of each piece's first element

  Pieces(const TensorSpec& whole, std::span<const TensorSpec> pieces, size_t axis)
      : type(whole.dtype), strides(whole.strides), specs(pieces.begin(), pieces.end()) {
    int64_t at = 0;
    for (const TensorSpec& piece : pieces) {
      offsets.push_back(at * whole.strides[axis]);
      at += piece.shape[axis];
    }
  }
};

size_t axis_of(const PrepareContext& ctx) {
  return static_cast<size_t>(normalize_axis(ctx.i("axis"), ctx.inputs[0].rank(), ctx.op.name));
}

Prepared prepare_concat(const PrepareContext& ctx) {
  return make_kernel(
      [pieces = Pieces(ctx.outputs[0], ctx.inputs, axis_of(ctx))](const RunContext& run) {
        for (size_t i = 0; i < pieces.specs.size(); ++i) {
          const TensorSpec& piece = pieces.specs[i];
          strided_copy(pieces.type, piece.shape, {run.out[0], pieces.offsets[i], pieces.strides},
                       {run.in[i], 0, piece.strides});
        }
      });
}

Prepared prepare_split(const PrepareContext& ctx) {
  return make_kernel(
      [pieces = Pieces(ctx.inputs[0], ctx.outputs, axis_of(ctx))](const RunContext& run) {
        for (size_t i = 0; i < pieces.specs.size(); ++i) {
          const TensorSpec& piece = pieces.specs[i];
          strided_copy(pieces.type, piece.shape, {run.out[i], 0, piece.strides},
                       {run.in[0], pieces.offsets[i], pieces.strides});
        }
      });
}

}  // namespace

constinit const KernelList concat_split{
    {&op::Concat, "reference.concat", prepare_concat},
    {&op::Split, "reference.split", prepare_split},
};

}  // namespace tenon::reference
