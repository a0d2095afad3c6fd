// Cast between f32 and the 16-bit floats, row-major; the other types are copies (copy.cpp).
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/rows.h"
#include "base/threads.h"
#include "ops/math/catalog.h"

namespace tenon::cpu {

namespace {

struct CastKernel final : Kernel {
  ConvertFn convert;
  int64_t count, from_size, to_size;

  void run(const RunContext& ctx) const override {
    parallel_for(0, count, 32768, [&](int64_t begin, int64_t end) {
      convert(ctx.input<std::byte>(0) + begin * from_size,
              ctx.output<std::byte>(0) + begin * to_size, static_cast<size_t>(end - begin));
    });
  }
};

Prepared prepare(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  const DType to = ctx.outputs[0].dtype;
  auto kernel = std::make_unique<CastKernel>();
  kernel->convert = half_conversion(x.dtype, to);
  if (!kernel->convert)
    return refuse(fmt::format("only between f32 and f16 or bf16, not from {} to {}", name(x.dtype),
                              name(to)));
  if (!x.contiguous) return refuse("only row-major");
  kernel->count = x.numel();
  kernel->from_size = static_cast<int64_t>(size_of(x.dtype));
  kernel->to_size = static_cast<int64_t>(size_of(to));
  return kernel;
}

}  // namespace

constinit const KernelList cast{{&op::Cast, "cpu.cast", prepare, Strides::any}};

}  // namespace tenon::cpu
