// Selections whose size only the data decides: the kernel allocates its output.
#include <functional>
#include <string>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/strided_copy.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

// The data seen as slices along one axis (all elements, without one), kept where the condition
// holds.
Prepared prepare_compress(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const bool flat = !ctx.has("axis");
  const Shape shape = flat ? Shape{x.numel()} : x.shape;
  const auto axis =
      flat ? size_t{0} : static_cast<size_t>(normalize_axis(ctx.i("axis"), x.rank(), ctx.op.name));
  return make_kernel(
      [type = x.dtype, shape, axis, length = ctx.inputs[1].numel()](const RunContext& run) {
        const bool* condition = run.input<bool>(1);
        std::vector<int64_t> kept;
        for (int64_t i = 0; i < length; ++i)
          if (condition[i]) kept.push_back(i);
        Shape out_shape = shape, slice = shape;
        out_shape[axis] = static_cast<int64_t>(kept.size());
        slice[axis] = 1;
        Tensor out = Tensor::empty(out_shape, type);
        const Shape from = shape.row_major_strides(), to = out_shape.row_major_strides();
        for (size_t i = 0; i < kept.size(); ++i)
          strided_copy(type, slice, {out.raw(), static_cast<int64_t>(i) * to[axis], to},
                       {run.in[0], kept[i] * from[axis], from});
        run.outputs[0] = std::move(out);
      });
}

// Whether an element of any type is not zero, false or empty.
std::function<bool(int64_t)> non_zero(DType type, const void* x) {
  const auto pairs = [](const auto* parts) {  // complex numbers
    return [=](int64_t i) { return parts[2 * i] != 0 || parts[2 * i + 1] != 0; };
  };
  switch (type) {
    case DType::string:
      return [x](int64_t i) { return !static_cast<const std::string*>(x)[i].empty(); };
    case DType::c64: return pairs(static_cast<const float*>(x));
    case DType::c128: return pairs(static_cast<const double*>(x));
    // Through double nothing becomes zero that is not; wide integers do not need to be exact.
    default: return [elements = In<double>(type, x)](int64_t i) { return elements[i] != 0; };
  }
}

Prepared prepare_non_zero(const PrepareContext& ctx) {
  return make_kernel([x = ctx.inputs[0]](const RunContext& run) {
    std::vector<Shape> found;
    const auto keeps = non_zero(x.dtype, run.in[0]);
    for_each_index(x.shape, [&](const Shape& index, int64_t i) {
      if (keeps(i)) found.push_back(index);
    });
    const auto count = static_cast<int64_t>(found.size());
    Tensor out = Tensor::empty({static_cast<int64_t>(x.rank()), count}, DType::i64);
    auto* y = out.data<int64_t>();
    for (size_t a = 0; a < x.rank(); ++a)
      for (const Shape& index : found) *y++ = index[a];
    run.outputs[0] = std::move(out);
  });
}

}  // namespace

constinit const KernelList compress{
    {&op::Compress, "reference.compress", prepare_compress},
    {&op::NonZero, "reference.non_zero", prepare_non_zero},
};

}  // namespace tenon::reference
