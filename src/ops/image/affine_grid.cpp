// AffineGrid: the grid that reads an affinely transformed image (GridSample's other half).
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& theta = ctx.dims(0);
  ctx.check(theta.size() == 3, "theta is {}; it takes [N, 2, 3] or [N, 3, 4]", ctx.str(0));
  const Dim count = list_size(ctx, 1);
  ctx.check(!count.is_const() || count == Dim(4) || count == Dim(5),
            "size has {} numbers; give the image's N, C, H, W or N, C, D, H, W", count.str());
  for (size_t a : {size_t{1}, size_t{2}})
    ctx.check(!count.is_const() || !theta[a].is_const() ||
                  theta[a] == count - Dim(static_cast<int64_t>(3 - a)),
              "theta is {} for {} spatial axes; it must be [N, {}, {}]", ctx.str(0),
              (count - 2).str(), (count - 2).str(), (count - 1).str());
  if (!count.is_const()) return ctx.output_unranked(0);
  const auto spatial = static_cast<size_t>(count.value()) - 2;
  Dims y{theta[0]};
  for (size_t a = 0; a < spatial; ++a) {
    y.push_back(ctx.values(1) ? (*ctx.values(1))[a + 2] : Dim::unknown());
    ctx.check(!y.back().is_const() || y.back().value() >= 1,
              "size of spatial axis {} is {}; it must be at least 1", a, y.back().str());
  }
  if (const auto size = ctx.ints_of(1))
    ctx.check(!theta[0].is_const() || (*size)[0] == theta[0].value(),
              "size has a batch of {} and theta is {}; both must be the same", (*size)[0],
              ctx.str(0));
  y.emplace_back(static_cast<int64_t>(spatial));
  ctx.output(0, std::move(y));
}

// The normalised coordinates of an axis's pixels.
Tensor coordinates(const Tensor& size, bool align_corners, DType type) {
  const auto number = [](int64_t value) { return Tensor::from<int64_t>({value}, {}); };
  const Tensor pixels = Range(number(0), size, number(1)).to(type);
  const Tensor length = size.to(type);
  if (!align_corners) return (pixels * 2 + 1 - length) / length;
  return (pixels * 2 - (length - 1)) / Max(length - 1, constant_like(length, 1));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor &theta = ctx.input(0), &size = ctx.input(1);
  const Dims given = theta.dims();
  const Dim rows = given[1].is_const() ? given[1] : given[2] - 1;
  TENON_CHECK(rows.is_const(), unsupported,
              "AffineGrid: theta of shape {} does not say how many spatial axes there are; fix its "
              "sizes",
              str(given));
  const int64_t spatial = rows.value();
  // Row k of the transposed theta: what coordinate k (x first), and last what 1, adds to the grid.
  const Tensor columns = Transpose(theta, {{"perm", {0, 2, 1}}});
  std::vector<int64_t> between;
  for (int64_t a = 1; a <= spatial; ++a) between.push_back(a);
  const auto column = [&](int64_t k) {
    return Unsqueeze(Gather(columns, Tensor::from<int64_t>({k}, {}), {{"axis", 1}}),
                     Tensor::ints(between));
  };
  Tensor grid = column(spatial);
  for (int64_t k = spatial; k-- > 0;) {
    const int64_t axis = spatial - 1 - k;  // of the image: x is the last
    const Tensor length = Gather(size, Tensor::from<int64_t>({axis + 2}, {}));
    std::vector<int64_t> shape(static_cast<size_t>(spatial) + 2, 1);
    shape[static_cast<size_t>(axis) + 1] = -1;
    const Tensor along = Reshape(coordinates(length, ctx.i("align_corners") != 0, theta.dtype()),
                                 Tensor::ints(shape));
    grid = grid + column(k) * along;
  }
  return {grid};
}

void samples(Samples& s) {
  const Arg image = arg::ints({2, 3, 4, 5}), volume = arg::ints({1, 2, 2, 3, 4});
  for (const int align : {0, 1}) {
    s.add({arg::any({2, 2, 3}), image}, {{"align_corners", align}});
    s.add({arg::any({1, 3, 4}), volume}, {{"align_corners", align}});
    s.add({arg::any({1, 2, 3}), arg::ints({1, 1, 1, 3})}, {{"align_corners", align}});
  }
  s.add({arg::any({0, 2, 3}), arg::ints({0, 1, 2, 3})});
  s.bad({arg::any({2, 3}), image}, {}, "it takes [N, 2, 3] or [N, 3, 4]");
  s.bad({arg::any({2, 3, 4}), image}, {}, "it must be [N, 2, 3]");
  s.bad({arg::any({2, 2, 3}), arg::ints({2, 3, 4})}, {}, "size has 3 numbers");
  s.bad({arg::any({2, 2, 3}), arg::ints({1, 3, 4, 5})}, {}, "size has a batch of 1");
  s.bad({arg::any({2, 2, 3}), arg::ints({2, 3, 0, 5})}, {}, "it must be at least 1");
}

}  // namespace

constinit const OpDef AffineGrid{
    .name = "AffineGrid",
    .doc = "For each pixel of an image of this size, where theta times its place x, y (z), 1 lies.",
    .inputs = {{"theta", "T1"}, value("size", "T2")},
    .outputs = {{"grid", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kInt64}},
    .attrs = {attr_i("align_corners", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 20},
    .samples = samples,
};

}  // namespace tenon::op
