// Resize's coordinates and weights; formulas and names are those of ONNX's documentation.
#include "ops/image/resize_rules.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/shape/axes.h"

namespace tenon::resize_rules {

namespace {

// The longest axis that is made: there is a list of its elements' places.
constexpr int64_t kMostSize = int64_t{1} << 28;

bool is_given(const InferContext& ctx, size_t i) {
  return ctx.has_input(i) && !(product(ctx.dims(i)) == Dim(0));
}

std::vector<size_t> axes_of(const Call& call, size_t rank) {
  std::vector<size_t> axes;
  if (!call.has("axes")) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), size_t{0});
    return axes;
  }
  for (const int64_t axis : call.ints("axes"))
    axes.push_back(static_cast<size_t>(normalize_axis(axis, rank, call.op.name)));
  return axes;
}

// In f32, as ONNX's shape inference and ONNX Runtime compute it.
int64_t scaled_size(int64_t size, double scale) {
  return static_cast<int64_t>(std::floor(static_cast<float>(size) * static_cast<float>(scale)));
}

Dim scaled_dim(const Dim& size, double scale) {
  if (size.is_const()) return scaled_size(size.value(), scale);
  if (scale == std::floor(scale) && scale < 0x1p24) return size * Dim(static_cast<int64_t>(scale));
  int exponent = 0;
  if (scale < 1 && std::frexp(scale, &exponent) == 0.5 && exponent > -24)
    return size.floor_div(int64_t{1} << (1 - exponent));
  return Dim::unknown();
}

// The factor of all axes where sizes are bounds and not targets.
double common_scale(std::string_view policy, const std::vector<double>& scales) {
  return policy == "not_larger" ? *std::ranges::min_element(scales)
                                : *std::ranges::max_element(scales);
}
int64_t round_half_up(double value) { return static_cast<int64_t>(std::floor(value + 0.5)); }

void check_list(const InferContext& ctx, size_t i, size_t wanted, std::string_view per) {
  const Dim count = list_size(ctx, i);
  ctx.check(!count.is_const() || count == Dim(static_cast<int64_t>(wanted)),
            "{} has {} numbers for {} axes; give {}", ctx.op.inputs[i].name, count.str(),
            per == "two" ? wanted / 2 : wanted, per == "two" ? "two an axis" : "one an axis");
}

Dims from_scales(const InferContext& ctx, const Dims& x, const std::vector<size_t>& axes,
                 size_t at) {
  Dims y = x;
  const Tensor& scales = ctx.input(at).constant;
  if (!scales.defined()) {
    for (const size_t axis : axes) y[axis] = Dim::unknown();
    return y;
  }
  const auto factors = scales.to_vector<double>();
  for (size_t i = 0; i < axes.size(); ++i) {
    ctx.check(factors[i] > 0 && std::isfinite(factors[i]),
              "the scale of axis {} is {}; it must be above 0", axes[i], factors[i]);
    const Dim& size = x[axes[i]];
    ctx.check(!size.is_const() || static_cast<double>(size.value()) * factors[i] <= kMostSize,
              "axis {} of size {} times {} is too long; use {} elements at most", axes[i],
              size.str(), factors[i], kMostSize);
    y[axes[i]] = scaled_dim(size, factors[i]);
  }
  return y;
}

Dims from_sizes(const InferContext& ctx, const Dims& x, const std::vector<size_t>& axes,
                size_t at) {
  Dims y = x;
  const std::string_view policy = ctx.s("keep_aspect_ratio_policy");
  const auto wanted = ctx.ints_of(at);
  if (wanted)
    for (size_t i = 0; i < axes.size(); ++i)
      ctx.check((*wanted)[i] >= 0 && (*wanted)[i] <= kMostSize,
                "the size of axis {} is to be {}; use 0 to {}", axes[i], (*wanted)[i], kMostSize);
  if (policy == "stretch") {
    for (size_t i = 0; i < axes.size(); ++i)
      y[axes[i]] = ctx.values(at) ? (*ctx.values(at))[i] : Dim::unknown();
    return y;
  }
  std::vector<double> scales;
  for (const size_t axis : axes)
    ctx.check(!(x[axis] == Dim(0)), "axis {} of X is empty; its aspect ratio cannot be kept", axis);
  for (size_t i = 0; wanted && i < axes.size() && x[axes[i]].is_const(); ++i)
    scales.push_back(static_cast<double>((*wanted)[i]) / static_cast<double>(x[axes[i]].value()));
  const bool known = scales.size() == axes.size() && !scales.empty();
  const double scale = known ? common_scale(policy, scales) : 0;
  for (const size_t axis : axes)
    ctx.check(!known || scale * static_cast<double>(x[axis].value()) <= kMostSize,
              "axis {} of size {} times {} is too long; use {} elements at most", axis,
              x[axis].str(), scale, kMostSize);
  for (const size_t axis : axes)
    y[axis] =
        known ? Dim(round_half_up(scale * static_cast<double>(x[axis].value()))) : Dim::unknown();
  return y;
}

// -- Coordinates ------------------------------------------------------------------------------

struct Axis {
  int64_t in, out;
  double scale = 1, roi_begin = 0, roi_end = 1;
};

std::vector<Axis> axes_with_scales(const Call& call, const Shape& x, const Shape& y,
                                   const Lists& lists) {
  std::vector<Axis> all;
  for (size_t a = 0; a < x.rank(); ++a) all.push_back({x[a], y[a]});
  const std::vector<size_t> axes = axes_of(call, x.rank());
  std::vector<double> scales = lists.scales;
  if (!lists.sizes.empty()) {
    scales.clear();
    for (size_t i = 0; i < axes.size(); ++i)
      scales.push_back(static_cast<double>(lists.sizes[i]) / static_cast<double>(x[axes[i]]));
    const std::string_view policy = call.s("keep_aspect_ratio_policy");
    if (policy != "stretch" && !scales.empty())
      scales.assign(scales.size(), common_scale(policy, scales));
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    Axis& axis = all[axes[i]];
    axis.scale = scales[i];
    if (lists.roi.size() != 2 * axes.size()) continue;
    axis.roi_begin = lists.roi[i];
    axis.roi_end = lists.roi[i + axes.size()];
  }
  return all;
}

double coordinate(std::string_view mode, const Axis& axis, int64_t o) {
  const auto at = static_cast<double>(o), in = static_cast<double>(axis.in);
  const double out = axis.scale * in;  // not rounded
  if (mode == "asymmetric") return at / axis.scale;
  if (mode == "align_corners") return out == 1 ? 0 : at * (in - 1) / (out - 1);
  if (mode == "tf_half_pixel_for_nn") return (at + 0.5) / axis.scale;
  if (mode == "tf_crop_and_resize") {
    const double span = axis.roi_end - axis.roi_begin;
    const double inside = out == 1 ? span * (in - 1) / 2 : at * span * (in - 1) / (out - 1);
    return inside + axis.roi_begin * (in - 1);
  }
  if (mode == "pytorch_half_pixel" && axis.out <= 1) return 0;
  const double half_pixel = (at + 0.5) / axis.scale - 0.5;
  if (mode != "half_pixel_symmetric") return half_pixel;
  return in / 2 * (1 - static_cast<double>(axis.out) / out) + half_pixel;
}

// Keys' cubic convolution at distance x (IEEE ASSP 29(6), 1981).
double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

int64_t nearest(std::string_view how, double x) {
  const double below = std::floor(x), part = x - below;
  const auto floor = static_cast<int64_t>(below);
  if (part == 0 || how == "floor") return floor;
  if (how == "ceil") return floor + 1;
  return floor + (how == "round_prefer_floor" ? part > 0.5 : part >= 0.5);
}

// The element at `start` and those behind it, with their weights; places may lie outside the input.
struct Mix {
  int64_t start = 0;
  std::vector<double> weights;
};

class Mixer {
 public:
  explicit Mixer(const Call& call)
      : mode_(call.s("mode")),
        how_(call.s("nearest_mode")),
        a_(call.f("cubic_coeff_a")),
        antialias_(call.i("antialias") != 0) {}

  Mix at(double x, double scale) const {
    if (mode_ == "nearest") return {nearest(how_, x), {1}};
    // Antialiasing widens the filter where the input is denser than the output.
    const double shrink = antialias_ ? std::min(scale, 1.0) : 1;
    const double reach = (mode_ == "cubic" ? 2 : 1) / shrink;
    Mix mix{static_cast<int64_t>(std::floor(x - reach)) + 1, {}};
    for (int64_t place = mix.start; static_cast<double>(place) < x + reach; ++place) {
      const double distance = (static_cast<double>(place) - x) * shrink;
      mix.weights.push_back(mode_ == "cubic" ? cubic(distance, a_)
                                             : std::max(0.0, 1 - std::abs(distance)));
    }
    if (shrink < 1) normalize(mix.weights);
    return mix;
  }
  static void normalize(std::vector<double>& weights) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (sum != 0)
      for (double& weight : weights) weight /= sum;
  }

 private:
  std::string_view mode_, how_;
  double a_;
  bool antialias_;
};

Taps taps_of(const Call& call, const Axis& axis) {
  const std::string_view mode = call.s("coordinate_transformation_mode");
  const bool exclude = call.i("exclude_outside") != 0 && call.s("mode") != "nearest";
  const Mixer mixer(call);
  Taps taps{axis.in, axis.out, {0}, {}, {}, {}};
  const int64_t last = axis.in - 1;
  for (int64_t o = 0; o < axis.out; ++o) {
    const double x = coordinate(mode, axis, o);
    if (mode == "tf_crop_and_resize" && !(x >= 0 && x <= static_cast<double>(last))) {
      if (taps.outside.empty()) taps.outside.resize(static_cast<size_t>(axis.out));
      taps.outside[static_cast<size_t>(o)] = true;
      taps.place.push_back(0);
      taps.weight.push_back(0);
      taps.first.push_back(static_cast<int64_t>(taps.place.size()));
      continue;
    }
    Mix mix = mixer.at(x, axis.scale);
    if (exclude) {
      for (size_t k = 0; k < mix.weights.size(); ++k) {
        const int64_t place = mix.start + static_cast<int64_t>(k);
        if (place < 0 || place > last) mix.weights[k] = 0;
      }
      Mixer::normalize(mix.weights);
    }
    // What lies outside reads the border, whose weights add up.
    const auto begin = static_cast<size_t>(taps.first.back());
    for (size_t k = 0; k < mix.weights.size(); ++k) {
      const int64_t place =
          std::clamp<int64_t>(mix.start + static_cast<int64_t>(k), 0, std::max<int64_t>(last, 0));
      if (taps.place.size() > begin && taps.place.back() == place) {
        taps.weight.back() += mix.weights[k];
      } else if (mix.weights[k] != 0 || mix.weights.size() == 1) {
        taps.place.push_back(place);
        taps.weight.push_back(mix.weights[k]);
      }
    }
    taps.first.push_back(static_cast<int64_t>(taps.place.size()));
  }
  return taps;
}

}  // namespace

Dims output(const InferContext& ctx, const Dims& x, DType type, size_t roi) {
  const size_t scales = roi + 1, sizes = roi + 2;
  const std::string_view mode = ctx.s("mode");
  const std::string_view transformation = ctx.s("coordinate_transformation_mode");
  ctx.check(is_given(ctx, scales) != is_given(ctx, sizes),
            "scales and sizes are {}; give one of them",
            is_given(ctx, scales) ? "both given" : "both absent");
  ctx.check(mode == "nearest" || kNumeric.has(type),
            "mode {} computes with numbers, and X is {}; use mode nearest", mode, name(type));
  ctx.check(ctx.i("antialias") == 0 || mode != "nearest",
            "antialias has no meaning in mode nearest; use linear or cubic");
  const std::vector<size_t> axes =
      ctx.has("axes") ? distinct_axes(ctx, ctx.ints("axes"), x.size()) : axes_of(ctx, x.size());
  if (transformation == "tf_crop_and_resize") {
    ctx.check(is_given(ctx, roi),
              "coordinate_transformation_mode is {}, but roi is absent; give it", transformation);
    check_list(ctx, roi, 2 * axes.size(), "two");
    ctx.check(kNumeric.has(type), "{} fills with a number, and X is {}; use another mode",
              transformation, name(type));
  }
  const size_t by = is_given(ctx, scales) ? scales : sizes;
  check_list(ctx, by, axes.size(), "one");
  Dims y = by == scales ? from_scales(ctx, x, axes, by) : from_sizes(ctx, x, axes, by);
  for (size_t a = 0; a < x.size(); ++a)
    ctx.check(!(x[a] == Dim(0)) || !y[a].is_const() || y[a] == Dim(0),
              "axis {} of X is empty and is to have {} elements; there is nothing to resize", a,
              y[a].str());
  return y;
}

int64_t Taps::most() const {
  int64_t most = 0;
  for (int64_t o = 0; o < out; ++o) most = std::max(most, count(o));
  return most;
}

bool Taps::is_selection() const {
  return outside.empty() && most() <= 1 &&
         std::ranges::all_of(weight, [](double w) { return w == 1; }) &&
         static_cast<int64_t>(place.size()) == out;
}

bool Taps::is_identity() const {
  if (in != out || !is_selection()) return false;
  for (size_t o = 0; o < place.size(); ++o)
    if (place[o] != static_cast<int64_t>(o)) return false;
  return true;
}

Taps Taps::transposed() const {
  Taps back{out, in, std::vector<int64_t>(static_cast<size_t>(in) + 1), {}, {}, {}};
  const auto mixes = [&](int64_t o) { return outside.empty() || !outside[static_cast<size_t>(o)]; };
  for (int64_t o = 0; o < out; ++o)
    for (int64_t t = first[static_cast<size_t>(o)];
         mixes(o) && t < first[static_cast<size_t>(o) + 1]; ++t)
      ++back.first[static_cast<size_t>(place[static_cast<size_t>(t)]) + 1];
  std::partial_sum(back.first.begin(), back.first.end(), back.first.begin());
  back.place.resize(static_cast<size_t>(back.first.back()));
  back.weight.resize(back.place.size());
  std::vector<int64_t> next(back.first.begin(), back.first.end() - 1);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t t = first[static_cast<size_t>(o)];
         mixes(o) && t < first[static_cast<size_t>(o) + 1]; ++t) {
      const auto at =
          static_cast<size_t>(next[static_cast<size_t>(place[static_cast<size_t>(t)])]++);
      back.place[at] = o;
      back.weight[at] = weight[static_cast<size_t>(t)];
    }
  return back;
}

std::vector<Taps> taps(const Call& call, const Shape& x, const Shape& y, const Lists& lists) {
  const std::vector<Axis> axes = axes_with_scales(call, x, y, lists);
  const std::vector<size_t> named = axes_of(call, x.rank());
  std::vector<Taps> all;
  for (size_t a = 0; a < axes.size(); ++a) {
    if (std::ranges::find(named, a) != named.end()) {
      all.push_back(taps_of(call, axes[a]));
      continue;
    }
    Taps same{axes[a].in, axes[a].out, {}, {}, {}, {}};
    same.first.resize(static_cast<size_t>(axes[a].in) + 1);
    std::iota(same.first.begin(), same.first.end(), int64_t{0});
    same.place.assign(same.first.begin(), same.first.end() - 1);
    same.weight.assign(same.place.size(), 1);
    all.push_back(std::move(same));
  }
  return all;
}

}  // namespace tenon::resize_rules
