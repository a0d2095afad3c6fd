// Functions of one quantised number as tables of 256: QLinearSigmoid, QLinearLeakyRelu, and
// QLinearConcat, whose parts are rescaled.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "backends/cpu/integer_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/microsoft/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::cpu {

namespace {

using Table = std::array<uint8_t, 256>;

// A scale and a zero point, as far as given.
struct Quantization {
  float scale;
  int32_t zero_point;
};
Quantization read(const RunContext& ctx, size_t scale, size_t zero, bool has_zero, DType type) {
  return {*ctx.input<float>(scale), has_zero ? byte_at(ctx.in[zero], type, 0) : 0};
}

// What each byte becomes: dequantised, through `fn`, quantised.
template <class Fn>
Table make_table(Quantization x, Quantization y, DType type, Fn&& fn) {
  Table table;
  for (int i = 0; i < 256; ++i) {
    const auto byte = static_cast<uint8_t>(i);
    const float value = static_cast<float>(byte_at(&byte, type, 0) - x.zero_point) * x.scale;
    table[static_cast<size_t>(i)] =
        static_cast<uint8_t>(integer_rules::quantized(fn(value) / y.scale, y.zero_point, type));
  }
  return table;
}

void look_up(const Table& table, const uint8_t* from, int64_t count, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = table[from[i]];
}

struct Lookup final : Kernel {
  bool sigmoid;
  float alpha = 0;
  DType type;
  bool has_x_zero, has_y_zero;
  int64_t count;

  void run(const RunContext& ctx) const override {
    const Quantization x = read(ctx, 1, 2, has_x_zero, type), y = read(ctx, 3, 4, has_y_zero, type);
    const Table table = make_table(x, y, type, [&](float value) {
      if (!sigmoid) return value < 0 ? value * alpha : value;
      return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(value))));
    });
    parallel_for(0, count, 65536, [&](int64_t begin, int64_t end) {
      look_up(table, ctx.input<uint8_t>(0) + begin, end - begin, ctx.output<uint8_t>(0) + begin);
    });
  }
};

Prepared prepare_lookup(const PrepareContext& ctx) {
  auto kernel = std::make_unique<Lookup>();
  kernel->sigmoid = &ctx.op == &op::QLinearSigmoid;
  if (!kernel->sigmoid) kernel->alpha = static_cast<float>(ctx.f("alpha"));
  kernel->type = ctx.inputs[0].dtype;
  kernel->has_x_zero = ctx.has_input(2);
  kernel->has_y_zero = ctx.has_input(4);
  kernel->count = ctx.inputs[0].numel();
  return kernel;
}

struct Concatenation final : Kernel {
  DType type;
  int64_t outer = 1;
  std::vector<int64_t> runs;  // elements of each part behind the outer axes

  void run(const RunContext& ctx) const override {
    const Quantization y = read(ctx, 0, 1, true, type);
    int64_t whole = 0;
    for (int64_t run : runs) whole += run;
    int64_t place = 0;
    for (size_t part = 0; part < runs.size(); ++part) {
      const size_t port = 2 + 3 * part;
      const Table table = make_table(read(ctx, port + 1, port + 2, true, type), y, type,
                                     [](float value) { return value; });
      const int64_t run = runs[part];
      parallel_for(0, outer, std::max<int64_t>(1, 65536 / (run + 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i)
                       look_up(table, ctx.input<uint8_t>(port) + i * run, run,
                               ctx.output<uint8_t>(0) + i * whole + place);
                   });
      place += run;
    }
  }
};

Prepared prepare_concat(const PrepareContext& ctx) {
  auto kernel = std::make_unique<Concatenation>();
  kernel->type = ctx.outputs[0].dtype;
  const size_t rank = ctx.outputs[0].rank();
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), rank, ctx.op.name));
  for (size_t i = 0; i < axis; ++i) kernel->outer *= ctx.outputs[0].shape[i];
  for (size_t port = 2; port < ctx.inputs.size(); port += 3) {
    int64_t run = 1;
    for (size_t i = axis; i < rank; ++i) run *= ctx.inputs[port].shape[i];
    kernel->runs.push_back(run);
  }
  return kernel;
}

}  // namespace

constinit const KernelList quantized_lookup{
    {&op::QLinearSigmoid, "cpu.q_linear_sigmoid", prepare_lookup},
    {&op::QLinearLeakyRelu, "cpu.q_linear_leaky_relu", prepare_lookup},
    {&op::QLinearConcat, "cpu.q_linear_concat", prepare_concat},
};

}  // namespace tenon::cpu
