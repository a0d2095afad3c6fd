// The Reduce operators: for each element of the output, a walk over the elements it stands for.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::reference {

namespace {

// The input's shape and strides with only the axes that stay, and only those that go.
struct Walk {
  DType type;
  Shape kept, kept_strides, gone, gone_strides;

  explicit Walk(const PrepareContext& ctx) : type(ctx.inputs[0].dtype) {
    const TensorSpec& x = ctx.inputs[0];
    const std::vector<int64_t> axes =
        ctx.has_input(1) ? ctx.inputs[1].constant_ints() : std::vector<int64_t>();
    const std::vector<size_t> reduced = reduction::reduced_axes(ctx, axes, x.rank());
    for (size_t a = 0; a < x.rank(); ++a) {
      const bool goes = std::ranges::find(reduced, a) != reduced.end();
      (goes ? gone : kept).push_back(x.shape[a]);
      (goes ? gone_strides : kept_strides).push_back(x.strides[a]);
    }
  }
};

// The elements that one output element stands for.
template <class Wide>
struct Elements {
  const Walk& walk;
  In<Wide> x;
  int64_t base;

  int64_t count() const { return walk.gone.numel(); }
  template <class Fn>
  void each(Fn&& fn) const {
    for_each_index(walk.gone, [&](const Shape& index, int64_t) {
      fn(x[base + offset_of(index, walk.gone_strides)]);
    });
  }
  template <class Fn>
  Wide fold(Wide result, Fn&& fn) const {
    each([&](Wide value) { result = fn(result, value); });
    return result;
  }
  Wide sum() const { return fold(0, add<Wide>); }
  Wide sum_of_squares() const {
    return fold(0, [](Wide sum, Wide value) { return add(sum, multiply(value, value)); });
  }
};

// What a maximum starts from: below everything, and a minimum: above everything.
template <class Wide>
Wide lowest(DType type) {
  if constexpr (std::is_floating_point_v<Wide>) return -std::numeric_limits<Wide>::infinity();
  if (!is_signed_int(type)) return 0;
  return from_double<Wide>(-std::ldexp(1.0, static_cast<int>(8 * size_of(type)) - 1));
}
template <class Wide>
Wide highest(DType type) {
  if constexpr (std::is_floating_point_v<Wide>) return std::numeric_limits<Wide>::infinity();
  if (type == DType::boolean) return 1;
  const auto bits = static_cast<unsigned>(8 * size_of(type));
  return static_cast<Wide>(~uint64_t{0} >> (is_signed_int(type) ? 65 - bits : 64 - bits));
}

struct Sum {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return elements.sum();
  }
};
struct Mean {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return elements.sum() /
           static_cast<Wide>(elements.count());  // integers of nothing: refused by infer
  }
};
struct Prod {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return elements.fold(1, multiply<Wide>);
  }
};
struct Max {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return elements.fold(lowest<Wide>(elements.walk.type), greater_of<Wide>);
  }
};
struct Min {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return elements.fold(highest<Wide>(elements.walk.type), lesser_of<Wide>);
  }
};
struct L1 {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return elements.fold(0, [](Wide sum, Wide value) {
      return add(sum, value < 0 ? multiply(value, static_cast<Wide>(-1)) : value);
    });
  }
};
struct L2 {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return from_double<Wide>(std::sqrt(static_cast<double>(elements.sum_of_squares())));
  }
};
struct SumSquare {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return elements.sum_of_squares();
  }
};
struct LogSum {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    return from_double<Wide>(std::log(static_cast<double>(elements.sum())));
  }
};
// max + log(sum(exp(x - max))), where exp cannot overflow.
struct LogSumExp {
  template <class Wide>
  static Wide of(const Elements<Wide>& elements) {
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    elements.each([&](Wide value) { most = std::max(most, static_cast<double>(value)); });
    if (std::isinf(most)) most = 0;
    elements.each([&](Wide value) { sum += std::exp(static_cast<double>(value) - most); });
    return from_double<Wide>(most + std::log(sum));
  }
};

template <class Rule>
Prepared prepare(const PrepareContext& ctx) {
  return make_kernel([walk = Walk(ctx)](const RunContext& run) {
    with_wide(walk.type, [&]<class Wide>() {
      const Out<Wide> y(walk.type, run.out[0]);
      for_each_index(walk.kept, [&](const Shape& index, int64_t i) {
        y.set(i, Rule::of(Elements<Wide>{
                     walk, {walk.type, run.in[0]}, offset_of(index, walk.kept_strides)}));
      });
    });
  });
}

}  // namespace

constinit const KernelList reduce{
    {&op::ReduceSum, "reference.reduce_sum", prepare<Sum>},
    {&op::ReduceMean, "reference.reduce_mean", prepare<Mean>},
    {&op::ReduceProd, "reference.reduce_prod", prepare<Prod>},
    {&op::ReduceMax, "reference.reduce_max", prepare<Max>},
    {&op::ReduceMin, "reference.reduce_min", prepare<Min>},
    {&op::ReduceL1, "reference.reduce_l1", prepare<L1>},
    {&op::ReduceL2, "reference.reduce_l2", prepare<L2>},
    {&op::ReduceSumSquare, "reference.reduce_sum_square", prepare<SumSquare>},
    {&op::ReduceLogSum, "reference.reduce_log_sum", prepare<LogSum>},
    {&op::ReduceLogSumExp, "reference.reduce_log_sum_exp", prepare<LogSumExp>},
};

}  // namespace tenon::reference
