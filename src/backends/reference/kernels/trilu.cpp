// Triangles of matrices.
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

Prepared prepare(const PrepareContext& ctx) {
  return make_kernel([x = ctx.inputs[0], upper = ctx.i("upper") != 0,
                      has_k = ctx.has_input(1)](const RunContext& run) {
    const int64_t k = has_k ? *run.input<int64_t>(1) : 0;
    for_each_index(x.shape, [&](const Shape& index, int64_t i) {
      // From the k-th diagonal; k itself may be of any size.
      const int64_t right = index.back() - index[index.rank() - 2];
      if (upper ? right >= k : right <= k)
        copy_element(x.dtype, run.out[0], i, run.in[0], i);
      else
        clear_elements(x.dtype, run.out[0], i, 1);
    });
  });
}

}  // namespace

constinit const KernelList trilu{{&op::Trilu, "reference.trilu", prepare}};

}  // namespace tenon::reference
