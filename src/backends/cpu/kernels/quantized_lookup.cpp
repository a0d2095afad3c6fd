// Functions of one quantised number as tables of 256: QLinearSigmoid, QLinearLeakyRelu, and
// QLinearConcat, whose parts are rescaled.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "backends/cpu/integer_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/strided.h"
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
  bool operator==(const Quantization&) const = default;
};
Quantization read(const void* scale, const void* zero, bool has_zero, DType type) {
  return {*static_cast<const float*>(scale), has_zero ? byte_at(zero, type, 0) : 0};
}
// Of the inputs `scale` and `zero` of a call.
Quantization read(const RunContext& ctx, size_t scale, size_t zero, bool has_zero, DType type) {
  return read(ctx.in[scale], has_zero ? ctx.in[zero] : nullptr, has_zero, type);
}
// Where they are constants.
std::optional<Quantization> known(const PrepareContext& ctx, size_t scale, size_t zero) {
  const bool has_zero = ctx.has_input(zero);
  if (!ctx.is_constant(scale) || (has_zero && !ctx.is_constant(zero))) return std::nullopt;
  return read(ctx.inputs[scale].constant, has_zero ? ctx.inputs[zero].constant : nullptr, has_zero,
              has_zero ? ctx.inputs[zero].dtype : DType::u8);
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
  std::optional<Table> table;  // where scales and zero points are constants

  Table table_of(Quantization x, Quantization y) const {
    return make_table(x, y, type, [&](float value) {
      if (!sigmoid) return value < 0 ? value * alpha : value;
      return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(value))));
    });
  }
  void run(const RunContext& ctx) const override {
    const Table now =
        table ? *table
              : table_of(read(ctx, 1, 2, has_x_zero, type), read(ctx, 3, 4, has_y_zero, type));
    parallel_for(0, count, 65536, [&](int64_t begin, int64_t end) {
      look_up(now, ctx.input<uint8_t>(0) + begin, end - begin, ctx.output<uint8_t>(0) + begin);
    });
  }
};

Prepared prepare_lookup(const PrepareContext& ctx) {
  if (!take_order(ctx.inputs[0], ctx.outputs[0])) return refuse("only dense elements");
  auto kernel = std::make_unique<Lookup>();
  kernel->sigmoid = &ctx.op == &op::QLinearSigmoid;
  if (!kernel->sigmoid) kernel->alpha = static_cast<float>(ctx.f("alpha"));
  kernel->type = ctx.inputs[0].dtype;
  kernel->has_x_zero = ctx.has_input(2);
  kernel->has_y_zero = ctx.has_input(4);
  kernel->count = ctx.inputs[0].numel();
  const auto x = known(ctx, 1, 2), y = known(ctx, 3, 4);
  if (x && y) kernel->table = kernel->table_of(*x, *y);
  kernel->in_place = 1;
  return kernel;
}

struct Concatenation final : Kernel {
  struct Part {
    int64_t run;                 // elements behind the outer axes
    std::optional<Table> table;  // where scales and zero points are constants
    bool copies = false;         // and equal to the result's
  };
  DType type;
  int64_t outer = 1;
  std::vector<Part> parts;

  void run(const RunContext& ctx) const override {
    const Quantization y = read(ctx, 0, 1, true, type);
    int64_t whole = 0;
    for (const Part& part : parts) whole += part.run;
    int64_t place = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const size_t port = 2 + 3 * i;
      const Part& part = parts[i];
      const Table table = part.table ? *part.table
                                     : make_table(read(ctx, port + 1, port + 2, true, type), y,
                                                  type, [](float value) { return value; });
      const auto* from = ctx.input<uint8_t>(port);
      auto* to = ctx.output<uint8_t>(0) + place;
      parallel_for(
          0, outer, std::max<int64_t>(1, 65536 / (part.run + 1)), [&](int64_t begin, int64_t end) {
            for (int64_t n = begin; n < end; ++n)
              if (part.copies)
                std::memcpy(to + n * whole, from + n * part.run, static_cast<size_t>(part.run));
              else
                look_up(table, from + n * part.run, part.run, to + n * whole);
          });
      place += part.run;
    }
  }
};

// Of parts that all lie in memory in one order, which the result takes.
Prepared prepare_concat(const PrepareContext& ctx) {
  TensorSpec& y = ctx.outputs[0];
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), y.rank(), ctx.op.name));
  const Shape order = memory_order(ctx.inputs[2].shape, ctx.inputs[2].strides);
  for (size_t port = 2; port < ctx.inputs.size(); port += 3) {
    const TensorSpec& part = ctx.inputs[port];
    int64_t inside = 1;
    for (size_t i = order.rank(); i-- > 0;) {
      const auto at = static_cast<size_t>(order[i]);
      if (part.shape[at] != 1 && part.strides[at] != inside && part.numel() != 0)
        return refuse("the parts lie in memory in different orders");
      inside *= part.shape[at];
    }
  }
  auto kernel = std::make_unique<Concatenation>();
  kernel->type = y.dtype;
  size_t from = 0;  // of the axes in memory order, the one they are joined along
  for (; static_cast<size_t>(order[from]) != axis; ++from)
    kernel->outer *= y.shape[static_cast<size_t>(order[from])];
  const std::optional<Quantization> whole = known(ctx, 0, 1);
  for (size_t port = 2; port < ctx.inputs.size(); port += 3) {
    Concatenation::Part part;
    part.run = 1;
    for (size_t i = from; i < order.rank(); ++i)
      part.run *= ctx.inputs[port].shape[static_cast<size_t>(order[i])];
    if (const auto own = known(ctx, port + 1, port + 2); own && whole) {
      part.table = make_table(*own, *whole, kernel->type, [](float value) { return value; });
      part.copies = *own == *whole;
    }
    kernel->parts.push_back(part);
  }
  int64_t inside = 1;
  for (size_t i = order.rank(); i-- > 0;) {
    const auto at = static_cast<size_t>(order[i]);
    y.strides[at] = inside;
    inside *= y.shape[at];
  }
  y.contiguous = y.strides == y.shape.row_major_strides();
  return kernel;
}

}  // namespace

constinit const KernelList quantized_lookup{
    {&op::QLinearSigmoid, "cpu.q_linear_sigmoid", prepare_lookup, Strides::any},
    {&op::QLinearSigmoid, "cpu.q_linear_sigmoid_dense", prepare_lookup},
    {&op::QLinearLeakyRelu, "cpu.q_linear_leaky_relu", prepare_lookup, Strides::any},
    {&op::QLinearLeakyRelu, "cpu.q_linear_leaky_relu_dense", prepare_lookup},
    {&op::QLinearConcat, "cpu.q_linear_concat", prepare_concat, Strides::any},
    {&op::QLinearConcat, "cpu.q_linear_concat_dense", prepare_concat},
};

}  // namespace tenon::cpu
