// Interpolation written in operators, so that it can be differentiated as often as one likes.
#include "ops/image/sampling.h"

#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::sampling {

namespace {

Tensor less(const Tensor& a, const Tensor& b) { return op::Less(a, b); }

// Positions between low and high, by turning back at both as often as needed.
Tensor reflected(const Tensor& x, const Tensor& low, const Tensor& high) {
  const Tensor span = high - low;
  const Tensor distance = op::Abs(x - low);
  const Tensor turns = op::Floor(distance / span);
  const Tensor rest = distance - turns * span;
  const Tensor is_odd = less(constant_like(x, 0.5), turns - op::Floor(turns * 0.5) * 2);
  return op::Where(is_odd, high - rest, low + rest);
}

// What one axis contributes: places and weights of its taps, [N, Q] each.
struct Axis {
  TensorList place, weight;
};

Axis axis_of(const Rules& rules, const Tensor& position, const Tensor& size) {
  using Mode = Rules::Mode;
  using Padding = Rules::Padding;
  Tensor x = position;
  const Tensor zero = constant_like(x, 0), half = constant_like(x, 0.5);
  if (rules.mode == Mode::nearest) x = op::Round(x);
  const Tensor last = op::Cast(size, {{"to", static_cast<int64_t>(x.dtype())}}) - 1;
  const Tensor low = rules.align_corners ? zero : op::Neg(half), high = last - low;
  const auto between = [&](const Tensor& at) { return op::Min(op::Max(at, zero), last); };
  const auto is_outside = [&](const Tensor& at) { return op::Or(less(at, low), less(high, at)); };
  if (rules.padding == Padding::border) x = op::Where(is_outside(x), between(x), x);
  if (rules.padding == Padding::reflection)
    x = op::Where(is_outside(x), reflected(x, low, high), x);

  const Tensor base = op::Floor(x), part = x - base;
  Axis axis;
  double first = 0;
  if (rules.mode == Mode::nearest) {
    axis.weight = {part * 0 + 1};
  } else if (rules.mode == Mode::linear) {
    axis.weight = {1 - part, part};
  } else {
    constexpr double a = -0.75;
    const auto near = [&](const Tensor& t) { return (t * (a + 2) - (a + 3)) * t * t + 1; };
    const auto far = [&](const Tensor& t) { return ((t * a - 5 * a) * t + 8 * a) * t - 4 * a; };
    axis.weight = {far(part + 1), near(part), near(1 - part), far(2 - part)};
    first = -1;
  }
  for (size_t k = 0; k < axis.weight.size(); ++k) {
    Tensor place = base + (first + static_cast<double>(k));
    if (rules.padding == Padding::zeros)
      axis.weight[k] =
          op::Where(op::Or(less(place, zero), less(last, place)), zero, axis.weight[k]);
    if (rules.padding == Padding::reflection)
      place = op::Where(is_outside(place), reflected(place, low, high), place);
    axis.place.push_back(op::Cast(between(place), {{"to", static_cast<int64_t>(DType::i64)}}));
  }
  return axis;
}

}  // namespace

Rules Rules::of(const Call& call, size_t rank) {
  const std::string_view mode = call.s("mode"), padding = call.s("padding_mode");
  return {mode == "nearest"  ? Mode::nearest
          : mode == "linear" ? Mode::linear
                             : Mode::cubic,
          padding == "zeros"    ? Padding::zeros
          : padding == "border" ? Padding::border
                                : Padding::reflection,
          call.i("align_corners") != 0, rank};
}

Tensor size_of_axis(const Tensor& x, size_t axis) {
  const Dim size = x.dims()[axis];
  if (size.is_const()) return Tensor::from<int64_t>({size.value()}, {});
  return op::Gather(op::Shape(x), Tensor::from<int64_t>({static_cast<int64_t>(axis)}, {}));
}

Tensor denormalized(const Tensor& n, const Tensor& x, size_t axis, bool align_corners) {
  const Tensor size = op::Cast(size_of_axis(x, axis), {{"to", static_cast<int64_t>(n.dtype())}});
  return align_corners ? (n + 1) / 2 * (size - 1) : ((n + 1) * size - 1) / 2;
}

Tensor interpolate(const Rules& rules, const Tensor& x, const TensorList& at) {
  std::vector<Axis> axes;
  TensorList sizes;
  for (size_t a = 0; a < rules.rank; ++a) {
    sizes.push_back(size_of_axis(x, a + 2));
    axes.push_back(axis_of(rules, at[a], sizes[a]));
  }
  const Tensor one = Tensor::ints({1});
  const auto vector = [&](const Tensor& number) { return op::Reshape(number, one); };
  Tensor pixels = sizes[0];
  for (size_t a = 1; a < rules.rank; ++a) pixels = op::Mul(pixels, sizes[a]);
  const Tensor channels = size_of_axis(x, 1);
  const Tensor planes =
      op::Reshape(x,
                  op::Concat.all({vector(size_of_axis(x, 0)), vector(channels), vector(pixels)},
                                 {{"axis", 0}})[0],
                  {{"allowzero", 1}});
  const Tensor each_channel = op::Concat.all({one, vector(channels), one}, {{"axis", 0}})[0];

  Tensor sum;
  const auto taps = static_cast<size_t>(rules.taps());
  size_t combinations = 1;
  for (size_t a = 0; a < rules.rank; ++a) combinations *= taps;
  for (size_t c = 0; c < combinations; ++c) {
    size_t rest = c;
    Tensor place, weight;
    for (size_t a = 0; a < rules.rank; ++a, rest /= taps) {
      const Axis& axis = axes[a];
      const size_t k = rest % taps;
      place = place ? op::Add(op::Mul(place, sizes[a]), axis.place[k]) : axis.place[k];
      weight = weight ? weight * axis.weight[k] : axis.weight[k];
    }
    const Tensor index = op::Expand(op::Unsqueeze(place, one), each_channel);
    const Tensor read = op::GatherElements(planes, index, {{"axis", 2}});
    const Tensor factor = op::Unsqueeze(weight, one);
    if (rules.mode == Rules::Mode::nearest) {
      const Tensor nothing =
          x.dtype() == DType::string ? Tensor::strings({""}, {}) : Tensor::full({}, 0, x.dtype());
      return op::Where(less(constant_like(factor, 0.5), factor), read, nothing);
    }
    const Tensor part = read * factor.to(x.dtype());
    sum = sum ? sum + part : part;
  }
  return sum;
}

}  // namespace tenon::sampling
