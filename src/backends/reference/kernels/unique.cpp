// Unique: slices sorted by their elements; equal ones are neighbours.
#include <algorithm>
#include <numeric>
#include <string>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/strided_copy.h"
#include "ops/shape/catalog.h"

namespace tenon::reference {

namespace {

// Slices along one axis; all elements are slices of their own without one.
struct Slices {
  DType type;
  Shape shape;
  size_t axis = 0;
  bool sorted;
  std::vector<int64_t> elements;  // offsets of a slice's elements from its first one

  explicit Slices(const PrepareContext& ctx)
      : type(ctx.inputs[0].dtype), shape{ctx.inputs[0].numel()}, sorted(ctx.i("sorted") != 0) {
    if (ctx.has("axis")) {
      shape = ctx.inputs[0].shape;
      axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), shape.rank(), ctx.op.name));
    }
    Shape one = shape;
    one[axis] = 1;
    const Shape strides = shape.row_major_strides();
    for_each_index(
        one, [&](const Shape& index, int64_t) { elements.push_back(offset_of(index, strides)); });
  }

  int64_t count() const { return shape[axis]; }
  int64_t stride() const { return shape.row_major_strides()[axis]; }
};

// Groups of equal slices by their first members, in the order of the output.
struct Groups {
  std::vector<int64_t> firsts, sizes, group_of;
};

// before(a, b) compares two elements by their places.
template <class Before>
Groups group(const Slices& slices, Before&& before) {
  const int64_t stride = slices.stride();
  const auto compare = [&](int64_t a, int64_t b) {
    for (const int64_t offset : slices.elements) {
      if (before(a * stride + offset, b * stride + offset)) return -1;
      if (before(b * stride + offset, a * stride + offset)) return 1;
    }
    return 0;
  };
  std::vector<int64_t> order(static_cast<size_t>(slices.count()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return compare(a, b) < 0; });

  std::vector<std::vector<int64_t>> members;  // in ascending order of the slices
  for (const int64_t slice : order) {
    if (members.empty() || compare(members.back().front(), slice) != 0) members.emplace_back();
    members.back().push_back(slice);
  }
  if (!slices.sorted)
    std::ranges::sort(members, [](const auto& a, const auto& b) { return a.front() < b.front(); });
  Groups groups;
  groups.group_of.resize(order.size());
  for (size_t g = 0; g < members.size(); ++g) {
    groups.firsts.push_back(members[g].front());
    groups.sizes.push_back(static_cast<int64_t>(members[g].size()));
    for (const int64_t slice : members[g])
      groups.group_of[static_cast<size_t>(slice)] = static_cast<int64_t>(g);
  }
  return groups;
}

Groups group(const Slices& slices, const void* x) {
  if (slices.type == DType::string) {
    const auto* strings = static_cast<const std::string*>(x);
    return group(slices, [=](int64_t a, int64_t b) { return strings[a] < strings[b]; });
  }
  return with_wide(slices.type, [&]<class Wide>() {
    const In<Wide> elements(slices.type, x);
    return group(slices, [=](int64_t a, int64_t b) { return less(elements[a], elements[b]); });
  });
}

Prepared prepare(const PrepareContext& ctx) {
  return make_kernel([slices = Slices(ctx), counts = ctx.wants_output(3),
                      inverse = ctx.wants_output(2),
                      indices = ctx.wants_output(1)](const RunContext& run) {
    const Groups groups = group(slices, run.in[0]);
    Shape out_shape = slices.shape, slice = slices.shape;
    out_shape[slices.axis] = static_cast<int64_t>(groups.firsts.size());
    slice[slices.axis] = 1;
    Tensor y = Tensor::empty(out_shape, slices.type);
    const Shape from = slices.shape.row_major_strides(), to = out_shape.row_major_strides();
    for (size_t g = 0; g < groups.firsts.size(); ++g)
      strided_copy(slices.type, slice, {y.raw(), static_cast<int64_t>(g) * to[slices.axis], to},
                   {run.in[0], groups.firsts[g] * from[slices.axis], from});
    run.outputs[0] = std::move(y);
    if (indices) run.outputs[1] = Tensor::ints(groups.firsts);
    if (inverse)
      std::ranges::copy(groups.group_of, run.output<int64_t>(2));  // as long as the input
    if (counts) run.outputs[3] = Tensor::ints(groups.sizes);
  });
}

}  // namespace

constinit const KernelList unique{{&op::Unique, "reference.unique", prepare}};

}  // namespace tenon::reference
