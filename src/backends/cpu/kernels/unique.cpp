// Unique of numbers that are not grouped along an axis: sorted by value, equal ones are neighbours.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/ordered_bits.h"
#include "ops/shape/catalog.h"

namespace tenon::cpu {

namespace {

// The elements of one value: the first of them, how many, and the place of the value in the output.
struct Group {
  int64_t first, size, place;
};

template <class T>
struct UniqueKernel final : Kernel {
  using Bits = decltype(ordered_bits(T{}));
  struct Element {
    Bits bits;
    int64_t at;
  };

  int64_t count;
  bool sorted, indices, inverse, counts;

  explicit UniqueKernel(const PrepareContext& ctx)
      : count(ctx.inputs[0].numel()),
        sorted(ctx.i("sorted") != 0),
        indices(ctx.wants_output(1)),
        inverse(ctx.wants_output(2)),
        counts(ctx.wants_output(3)) {}

  void run(const RunContext& ctx) const override {
    const T* x = ctx.input<T>(0);
    std::vector<Element> elements(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) elements[static_cast<size_t>(i)] = {ordered_bits(x[i]), i};
    std::ranges::sort(elements, [](const Element& a, const Element& b) {
      return a.bits != b.bits ? a.bits < b.bits : a.at < b.at;
    });
    std::vector<Group> groups;
    for (size_t i = 0; i < elements.size(); ++i) {
      if (i == 0 || elements[i].bits != elements[i - 1].bits)
        groups.push_back({elements[i].at, 0, static_cast<int64_t>(groups.size())});
      ++groups.back().size;
    }
    write(ctx, x, elements, groups);
  }

  void write(const RunContext& ctx, const T* x, const std::vector<Element>& elements,
             std::vector<Group>& groups) const {
    // Groups in the order of the output.
    std::vector<Group*> order;
    for (Group& group : groups) order.push_back(&group);
    if (!sorted)
      std::ranges::sort(order, [](const Group* a, const Group* b) { return a->first < b->first; });
    const Shape shape{static_cast<int64_t>(groups.size())};
    Tensor y = Tensor::empty(shape, dtype_of<T>);
    std::vector<int64_t> firsts, sizes;
    for (size_t place = 0; place < order.size(); ++place) {
      Group& group = *order[place];
      group.place = static_cast<int64_t>(place);
      static_cast<T*>(y.raw())[place] = x[group.first];
      firsts.push_back(group.first);
      sizes.push_back(group.size);
    }
    ctx.outputs[0] = std::move(y);
    if (indices) ctx.outputs[1] = Tensor::ints(firsts);
    if (inverse) {
      size_t group = 0;
      for (size_t i = 0; i < elements.size(); ++i) {
        if (i > 0 && elements[i].bits != elements[i - 1].bits) ++group;
        ctx.output<int64_t>(2)[elements[i].at] = groups[group].place;
      }
    }
    if (counts) ctx.outputs[3] = Tensor::ints(sizes);
  }
};

Prepared prepare(const PrepareContext& ctx) {
  if (ctx.has("axis") && ctx.inputs[0].rank() != 1) return refuse("only without an axis");
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return std::make_unique<UniqueKernel<float>>(ctx);
    case DType::f64: return std::make_unique<UniqueKernel<double>>(ctx);
    case DType::i32: return std::make_unique<UniqueKernel<int32_t>>(ctx);
    case DType::i64: return std::make_unique<UniqueKernel<int64_t>>(ctx);
    case DType::u8: return std::make_unique<UniqueKernel<uint8_t>>(ctx);
    default:
      return refuse(fmt::format("only f32, f64, i32, i64, u8; X is {}", name(ctx.inputs[0].dtype)));
  }
}

}  // namespace

constinit const KernelList unique{{&op::Unique, "cpu.unique", prepare}};

}  // namespace tenon::cpu
