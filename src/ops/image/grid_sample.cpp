// GridSample: an image read at the places that a grid names.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/sampling.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims &x = ctx.dims(0), &grid = ctx.dims(1);
  ctx.check(x.size() == 4 || x.size() == 5, "X is {}; it takes [N, C, H, W] or [N, C, D, H, W]",
            ctx.str(0));
  ctx.check(grid.size() == x.size(), "grid is {} and X is {}; both must have the same rank",
            ctx.str(1), ctx.str(0));
  const auto spatial = static_cast<int64_t>(x.size()) - 2;
  ctx.check(!grid.back().is_const() || grid.back() == Dim(spatial),
            "grid is {}; its last axis must hold {} coordinates", ctx.str(1), spatial);
  ctx.check(!x[0].is_const() || !grid[0].is_const() || x[0] == grid[0],
            "grid is {} and X is {}; both must have the same batch", ctx.str(1), ctx.str(0));
  for (size_t a = 2; a < x.size(); ++a)
    ctx.check(!(x[a] == Dim(0)), "X is {}; it has no pixels to read", ctx.str(0));
  ctx.check(ctx.s("mode") == "nearest" || kNumeric.has(ctx.dtype(0)),
            "mode {} computes with numbers, and X is {}; use mode nearest", ctx.s("mode"),
            ctx.str(0));
  Dims y{x[0], x[1]};
  y.insert(y.end(), grid.begin() + 1, grid.end() - 1);
  ctx.output(0, std::move(y));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor &x = ctx.input(0), &grid = ctx.input(1);
  const size_t rank = x.rank() - 2;
  const auto sampled = sampling::Rules::of(ctx, rank);
  const Tensor one = Tensor::ints({1});
  const auto axes_of = [&](const Tensor& t, size_t begin, size_t end) {
    TensorList sizes;
    for (size_t a = begin; a < end; ++a)
      sizes.push_back(Reshape(sampling::size_of_axis(t, a), one));
    return Concat.all(sizes, {{"axis", 0}})[0];
  };
  Tensor points = sampling::size_of_axis(grid, 1);
  for (size_t a = 2; a <= rank; ++a) points = Mul(points, sampling::size_of_axis(grid, a));
  const Tensor lines = Reshape(grid,
                               Concat.all({axes_of(grid, 0, 1), Reshape(points, one),
                                           Tensor::ints({static_cast<int64_t>(rank)})},
                                          {{"axis", 0}})[0],
                               {{"allowzero", 1}});
  TensorList at;
  for (size_t a = 0; a < rank; ++a) {
    const Tensor which = Tensor::from<int64_t>({static_cast<int64_t>(rank - 1 - a)}, {});
    at.push_back(sampling::denormalized(Gather(lines, which, {{"axis", 2}}), x, a + 2,
                                        sampled.align_corners));
  }
  const Tensor y = sampling::interpolate(sampled, x, at);
  const Tensor shape = Concat.all({axes_of(x, 0, 2), axes_of(grid, 1, rank + 1)}, {{"axis", 0}})[0];
  return {Reshape(y, shape, {{"allowzero", 1}})};
}

// Opset 16 names the modes after their two-dimensional forms.
using Names = std::initializer_list<std::pair<const char*, const char*>>;
std::string renamed(const Attrs& attrs, Names names) {
  const AttrValue* given = attrs.find("mode");
  const std::string mode = given ? std::get<std::string>(*given) : "";
  for (const auto& [from, to] : names)
    if (mode == from || mode.empty()) return to;
  return mode;
}
TensorList from_16(const OnnxNode& node) {
  const std::string mode = renamed(node.attrs, {{"bilinear", "linear"}, {"bicubic", "cubic"}});
  return GridSample.all(node.inputs, node.attrs.with({"mode", mode}));
}
void lowered(OnnxNode& node) {
  TENON_CHECK(node.opset >= 16 && node.inputs[0].rank() == 4, unsupported,
              "GridSample '{}': opset {} has none for X of rank {}; export at opset 20 or newer",
              node.name, node.opset, node.inputs[0].rank());
  node.attrs = node.attrs.with(
      {"mode", renamed(node.attrs, {{"linear", "bilinear"}, {"cubic", "bicubic"}})});
}

void samples(Samples& s) {
  // Beyond the image on all sides. Small ones in f64, for gradients, and larger ones for kernels.
  const Arg x = arg::any({2, 2, 3, 4}), grid = arg::range({2, 2, 3, 2}, -1.7, 1.7);
  const TypeSet real = types(DType::f32, DType::f64);
  const auto wide = [](const tenon::Shape& shape) {
    return arg::typed(shape, DType::f64, -1.7, 1.7);
  };
  for (const char* mode : {"linear", "nearest", "cubic"})
    for (const char* padding : {"zeros", "border", "reflection"})
      for (const int align : {0, 1}) {
        const Attrs attrs{{"mode", mode}, {"padding_mode", padding}, {"align_corners", align}};
        s.add({arg::any({1, 1, 2, 3}), wide({1, 2, 1, 2})}, attrs).types = types(DType::f64);
        Sample& large = s.add({x, grid}, attrs);
        large.types = real;
        large.grad = false;
      }
  s.add({x, arg::range({2, 1, 5, 2}, -1.2, 1.2)}, {{"mode", "nearest"}}).grad = false;
  s.add({x, arg::range({2, 1, 5, 2}, -1.2, 1.2)}).types = kFloats;
  const Arg volume = arg::any({1, 2, 2, 3, 2}), places = wide({1, 2, 1, 1, 3});
  s.add({volume, places}).types = real;
  s.add({volume, places}, {{"mode", "nearest"}, {"padding_mode", "border"}}).types = real;
  s.add({volume, places}, {{"padding_mode", "reflection"}, {"align_corners", 1}}).types = real;
  Sample& cube = s.add({arg::any({1, 1, 1, 2, 2}), wide({1, 1, 1, 2, 3})}, {{"mode", "cubic"}});
  cube.types = real;
  cube.grad = false;
  s.add({arg::any({0, 2, 3, 4}), arg::any({0, 2, 3, 2})}).types = kFloats;
  s.add({x, arg::any({2, 0, 3, 2})}).types = kFloats;
  s.bad({arg::any({2, 3, 4}), arg::any({2, 3, 1})}, {}, "it takes [N, C, H, W] or");
  s.bad({x, arg::any({2, 3, 2})}, {}, "both must have the same rank");
  s.bad({x, arg::any({2, 2, 3, 3})}, {}, "its last axis must hold 2 coordinates");
  s.bad({x, arg::any({1, 2, 3, 2})}, {}, "both must have the same batch");
  s.bad({x, grid}, {{"mode", "bilinear"}}, "use one of linear, nearest, cubic");
  s.bad({arg::any({2, 2, 0, 4}), grid}, {}, "it has no pixels to read");
  s.bad({arg::typed({2, 2, 3, 4}, DType::boolean), grid}, {}, "use mode nearest");
}

}  // namespace

constinit const OpDef GridSample{
    .name = "GridSample",
    .doc =
        "X read at the places of grid: x, y (and z) from -1 to 1 across the image. Integers are "
        "rounded to nearest.",
    .inputs = {{"X", "T1"}, {"grid", "T2"}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", kAnyType}, {"T2", kFloats}},
    .attrs = {attr_i("align_corners", 0), attr_s("mode", "linear", "linear|nearest|cubic"),
              attr_s("padding_mode", "zeros", "zeros|border|reflection")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 20, .older = {{16, from_16}}, .lower = lowered},
    .samples = samples,
};

}  // namespace tenon::op
