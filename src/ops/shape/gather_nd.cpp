// GatherND: slices of a tensor picked by places on its leading axes.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims &data = ctx.dims(0), &indices = ctx.dims(1);
  const int64_t batch = ctx.i("batch_dims");
  ctx.check(!data.empty() && !indices.empty(), "data is {} and indices is {}; both need an axis",
            ctx.str(0), ctx.str(1));
  const auto least = static_cast<int64_t>(std::min(data.size(), indices.size()));
  ctx.check(batch >= 0 && batch < least, "batch_dims={} for data {} and indices {}; use 0 to {}",
            batch, ctx.str(0), ctx.str(1), least - 1);
  const auto shared = static_cast<size_t>(batch);
  for (size_t a = 0; a < shared; ++a)
    ctx.check(!data[a].is_const() || !indices[a].is_const() || data[a] == indices[a],
              "data {} and indices {} differ on the batch axis {}; make the first {} sizes equal",
              ctx.str(0), ctx.str(1), a, batch);
  const Dim& depth = indices.back();
  if (!depth.is_const()) return ctx.output_unranked(0);
  const auto most = static_cast<int64_t>(data.size() - shared);
  ctx.check(depth.value() >= 1 && depth.value() <= most,
            "indices {} name {} axes of data {} behind its {} batch axes; name 1 to {}", ctx.str(1),
            depth.value(), ctx.str(0), batch, most);
  Dims out(indices.begin(), indices.end() - 1);
  const size_t used = shared + static_cast<size_t>(depth.value());
  out.insert(out.end(), data.begin() + static_cast<std::ptrdiff_t>(used), data.end());
  ctx.check(out.size() <= kMaxRank,
            "data {} with indices {} gives {} axes, a tensor has {} at most; use fewer", ctx.str(0),
            ctx.str(1), out.size(), kMaxRank);
  ctx.output(0, std::move(out));
}

// The number of a place on axis `a`, for all places of `indices` but its last axis, which gets
// size 1.
Tensor place_on_axis(const Tensor& indices, const Tensor& shape, size_t a) {
  const auto rank = static_cast<int64_t>(indices.rank());
  const auto axis = static_cast<int64_t>(a);
  const Tensor count = Gather(shape, Tensor::from<int64_t>({axis}, {}));
  const Tensor numbers = Range(Tensor::scalar(0, DType::i64), count, Tensor::scalar(1, DType::i64));
  std::vector<int64_t> around;
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis) around.push_back(i);
  const Tensor column = ScatterElements(shape, Tensor::ints({rank - 1}), Tensor::ints({1}));
  return Expand(Unsqueeze(numbers, Tensor::ints(around)), column);
}

TensorList grad(const GradContext& ctx) {
  TensorList columns;
  const Tensor& indices = ctx.input(1);
  for (size_t a = 0; a < static_cast<size_t>(ctx.i("batch_dims")); ++a)
    columns.push_back(place_on_axis(indices, ctx.shape_of(1), a));
  columns.push_back(indices);
  const Tensor places = columns.size() == 1 ? indices : Concat.all(columns, {{"axis", -1}})[0];
  const Tensor zeros = Expand(constant_like(ctx.grad(), 0), ctx.shape_of(0));
  return {ScatterND(zeros, places, ctx.grad(), {{"reduction", "add"}}), {}};
}

void lowered(OnnxNode& node) {
  const AttrValue* batch = node.attrs.find("batch_dims");
  TENON_CHECK(!batch || std::get<int64_t>(*batch) == 0, unsupported,
              "GatherND '{}': opset {} has no batch_dims; export at opset 12 or newer", node.name,
              node.opset);
  node.attrs = node.attrs.without("batch_dims");
}

void samples(Samples& s) {
  const auto places = [](std::initializer_list<int64_t> values, const tenon::Shape& shape) {
    return arg::fixed(Tensor::from<int64_t>(values, shape));
  };
  s.add({arg::any({2, 3}), places({0, 0, 1, -1}, {2, 2})});
  s.add({arg::any({3, 2}), places({2, 0, 2}, {3, 1})});
  s.add({arg::any({2, 3, 2}), places({1, 0}, {2, 1})}, {{"batch_dims", 1}});
  s.add({arg::any({2, 2, 3}), places({2, 0, -1, 1}, {2, 2, 1})}, {{"batch_dims", 2}});
  s.add({arg::any({3, 2}), places({1}, {1})});
  s.add({arg::any({2, 3}), places({}, {0, 1})});
  s.bad({arg::any({2, 3}), places({0, 0, 0}, {1, 3})}, {}, "name 3 axes of data");
  s.bad({arg::any({2, 3}), places({0}, {1})}, {{"batch_dims", 1}}, "use 0 to 0");
  s.bad({arg::any({2, 3}), places({0, 0, 0}, {3, 1})}, {{"batch_dims", 1}},
        "differ on the batch axis 0");
  s.bad({arg::any({2, 3}), places({0, 3}, {1, 2})}, {}, "index 3 is outside axis 1 of size 3");
}

}  // namespace

constinit const OpDef GatherND{
    .name = "GatherND",
    .doc = "For each vector along the last axis of `indices`, the slice of `data` at that place.",
    .inputs = {{"data", "T"}, {"indices", "I"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .attrs = {attr_i("batch_dims", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 12, .older = {{11, upgrade::as_is}}, .lower = lowered},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
