// DeformConv: a convolution whose kernel reads where offsets say, weighted by a mask (Deformable
// ConvNets v2).
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/sampling.h"
#include "ops/math/catalog.h"
#include "ops/nn/windows.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

Dims kernel_of(const Dims& weights) { return Dims(weights.begin() + 2, weights.end()); }

void check_dims(const InferContext& ctx, size_t i, const Dims& wanted, std::string_view meaning) {
  bool same = ctx.rank(i) == wanted.size();
  for (size_t a = 0; same && a < wanted.size(); ++a) same = !differ(ctx.dims(i)[a], wanted[a]);
  ctx.check(same, "{} is {}; it must be {}, {}", ctx.op.inputs[i].name, ctx.str(i), str(wanted),
            meaning);
}

void infer(InferContext& ctx) {
  const Dims &x = ctx.dims(0), &w = ctx.dims(1);
  ctx.check(x.size() >= 3 && w.size() == x.size(),
            "X is {} and W is {}; give [N, C, spatial...] and [M, C / group, kernel...]",
            ctx.str(0), ctx.str(1));
  ctx.check(x.size() <= 5, "X is {}; it has more than 3 spatial axes", ctx.str(0));
  const int64_t group = ctx.i("group"), offset_group = ctx.i("offset_group");
  ctx.check(group >= 1 && offset_group >= 1, "group is {} and offset_group {}; use 1 or more",
            group, offset_group);
  ctx.check(!differ(x[1], w[1] * group), "X is {} and W is {}; with group {} X has {} channels",
            ctx.str(0), ctx.str(1), group, (w[1] * group).str());
  for (const auto& [size, parts, what] :
       {std::tuple(w[0], group, "W's maps"), std::tuple(x[1], offset_group, "X's channels")})
    ctx.check(!size.is_const() || size.value() % parts == 0, "{} {} do not split into {} groups",
              size.str(), what, parts);
  const Dims kernel = kernel_of(w);
  if (const auto given = ctx.ints("kernel_shape"); !given.empty()) {
    bool same = given.size() == kernel.size();
    for (size_t a = 0; same && a < kernel.size(); ++a) same = !differ(kernel[a], given[a]);
    ctx.check(same, "kernel_shape is {} and W is {}; both must be the same",
              str(Dims(given.begin(), given.end())), ctx.str(1));
  }
  Dims y{x[0], w[0]};
  for (Dim& size : WindowAttrs(ctx, kernel.size()).output(spatial_dims(x), kernel))
    y.push_back(std::move(size));
  const Dim taps = product(kernel) * offset_group;
  Dims wanted = y;
  wanted[1] = taps * static_cast<int64_t>(kernel.size());
  check_dims(ctx, 2, wanted, "one coordinate an axis for each element of the kernel");
  wanted[1] = taps;
  if (ctx.has_input(3)) check_dims(ctx, 3, {w[0]}, "a number for each map");
  if (ctx.has_input(4)) check_dims(ctx, 4, wanted, "a factor for each element of the kernel");
  ctx.output(0, std::move(y));
}

// Where the elements of the kernel lie without offsets along one axis, [kernel elements, windows].
Tensor lattice(const Windows& windows, size_t axis, DType type) {
  const auto part = [](const tenon::Shape& sizes, size_t a, int64_t at) {
    for (size_t i = sizes.rank(); --i > a;) at /= sizes[i];
    return at % sizes[a];
  };
  const int64_t taps = windows.kernel.numel(), count = windows.output.numel();
  Tensor places = Tensor::empty({taps, count}, DType::f64);
  for (int64_t k = 0; k < taps; ++k)
    for (int64_t o = 0; o < count; ++o)
      places.data<double>()[k * count + o] =
          static_cast<double>(windows.start(axis, part(windows.output, axis, o)) +
                              part(windows.kernel, axis, k) * windows.dilations[axis]);
  return places.to(type);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor &x = ctx.input(0), &w = ctx.input(1);
  const auto weights = to_shape(w.dims());
  TENON_CHECK(weights, unsupported, "DeformConv: W of shape {} has symbolic sizes; fix them",
              str(w.dims()));
  const tenon::Shape kernel = spatial_shape(*weights);
  const tenon::Shape image = known_spatial("DeformConv", "X", x.dims());
  const Windows windows = resolve_windows(ctx, kernel, image);
  const auto rank = static_cast<int64_t>(kernel.rank());
  const int64_t group = ctx.i("group"), offset_group = ctx.i("offset_group");
  const int64_t taps = kernel.numel(), count = windows.output.numel();
  const int64_t channels = (*weights)[1] * group, maps = (*weights)[0];
  const auto reshaped = [](const Tensor& t, std::vector<int64_t> shape) {
    return Reshape(t, Tensor::ints(shape));
  };

  // Each group of offsets reads its channels of each image at taps * count places.
  std::vector<int64_t> planes{-1, channels / offset_group};
  planes.insert(planes.end(), image.begin(), image.end());
  const Tensor offsets = reshaped(ctx.input(2), {-1, taps, rank, count});
  TensorList at;
  for (int64_t a = 0; a < rank; ++a) {
    const Tensor moved = Gather(offsets, Tensor::from<int64_t>({a}, {}), {{"axis", 2}}) +
                         lattice(windows, static_cast<size_t>(a), x.dtype());
    at.push_back(reshaped(moved, {-1, taps * count}));
  }
  const sampling::Rules rules{sampling::Rules::Mode::linear, sampling::Rules::Padding::zeros, true,
                              static_cast<size_t>(rank)};
  Tensor read = sampling::interpolate(rules, reshaped(x, planes), at);
  if (ctx.has_input(4)) read = read * reshaped(ctx.input(4), {-1, 1, taps * count});

  const Tensor columns = reshaped(read, {-1, group, channels / group * taps, count});
  const Tensor rows = reshaped(w, {group, maps / group, channels / group * taps});
  std::vector<int64_t> shape{-1, maps};
  shape.insert(shape.end(), windows.output.begin(), windows.output.end());
  Tensor y = reshaped(MatMul(rows, columns), shape);
  if (ctx.has_input(3)) {
    std::vector<int64_t> bias(static_cast<size_t>(rank) + 1, 1);
    bias[0] = maps;
    y = y + reshaped(ctx.input(3), bias);
  }
  return {y};
}

void samples(Samples& s) {
  const auto moves = [](const tenon::Shape& shape) { return arg::range(shape, -0.9, 0.9); };
  s.add({arg::any({1, 1, 3, 3}), arg::any({1, 1, 2, 2}), moves({1, 8, 2, 2})});
  s.add({arg::any({1, 2, 3, 3}), arg::any({2, 1, 2, 2}), moves({1, 16, 2, 2}), arg::any({2}),
         arg::any({1, 8, 2, 2})},
        {{"group", 2}, {"offset_group", 2}});
  Sample& padded =
      s.add({arg::any({2, 1, 3, 4}), arg::any({2, 1, 3, 2}), moves({2, 12, 2, 2}), arg::any({2})},
            {{"pads", {1, 1, 1, 0}},
             {"strides", {2, 2}},
             {"dilations", {1, 2}},
             {"kernel_shape", {3, 2}}});
  padded.grad = false;
  s.add({arg::any({1, 1, 4}), arg::any({1, 1, 2}), moves({1, 2, 3})});
  s.bad({arg::any({1, 1, 3, 3}), arg::any({1, 1, 2, 2}), arg::any({1, 4, 2, 2})}, {},
        "offset is f32[1, 4, 2, 2]; it must be [1, 8, 2, 2]");
  s.bad({arg::any({1, 3, 3, 3}), arg::any({1, 1, 2, 2}), arg::any({1, 8, 2, 2})}, {},
        "X has 1 channels");
  s.bad({arg::any({1, 1, 3, 3}), arg::any({1, 1, 2, 2}), arg::any({1, 8, 2, 2}), arg::any({2})}, {},
        "B is f32[2]; it must be [1]");
  s.bad({arg::any({1, 1, 3, 3}), arg::any({1, 1, 2, 2}), arg::any({1, 8, 2, 2})},
        {{"kernel_shape", {3, 3}}}, "kernel_shape is [3, 3]");
  s.bad({arg::any({1, 1, 3, 3}), arg::any({1, 1, 2, 2}), arg::any({1, 8, 2, 2})},
        {{"offset_group", 2}}, "do not split into 2 groups");
}

}  // namespace

constinit const OpDef DeformConv{
    .name = "DeformConv",
    .doc = "A convolution whose kernel's elements read X where offset moves them, times mask.",
    .inputs = {{"X", "T"}, {"W", "T"}, {"offset", "T"}, optional("B", "T"), optional("mask", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr("dilations", AttrType::ints), attr_i("group", 1),
              attr("kernel_shape", AttrType::ints), attr_i("offset_group", 1),
              attr("pads", AttrType::ints), attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 19},
    .samples = samples,
};

}  // namespace tenon::op
