// Shape: the sizes of a tensor as a tensor.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const auto rank = static_cast<int64_t>(ctx.rank(0));
  const auto place = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = place(ctx.i("start"));
  const int64_t end = std::max(start, ctx.has("end") ? place(ctx.i("end")) : rank);
  ctx.output(0, {end - start});
  ctx.output_values(0, {ctx.dims(0).begin() + start, ctx.dims(0).begin() + end});
}

void lowered(OnnxNode& node) {
  const AttrValue* start = node.attrs.find("start");
  TENON_CHECK((!start || std::get<int64_t>(*start) == 0) && !node.attrs.has("end"), unsupported,
              "Shape '{}': opset {} has no start and end; export at opset 15 or newer", node.name,
              node.opset);
  node.attrs = {};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4})});
  s.add({arg::any({2, 3, 4})}, {{"start", 1}});
  s.add({arg::any({2, 3, 4})}, {{"start", -2}, {"end", -1}});
  s.add({arg::any({2, 3})}, {{"start", 2}, {"end", 1}});
  s.add({arg::any({2, 3})}, {{"end", 9}});
  s.add({arg::any({0, 3})});
  s.add({arg::any({})});
  s.bad({arg::any({2})}, {{"axis", 0}}, "unknown attribute 'axis'");
}

}  // namespace

constinit const OpDef Shape{
    .name = "Shape",
    .doc = "The sizes of `data`, from axis `start` to before axis `end`.",
    .inputs = {{"data", "T"}},
    .outputs = {{"shape", "I"}},
    .types = {{"T", kAnyType | kStored}, {"I", kInt64}},
    .attrs = {attr_i("start", 0), attr("end", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("sizes do not change with the elements"),
    .onnx = {.since = 15, .older = {{1, upgrade::as_is}}, .lower = lowered},
    .samples = samples,
};

}  // namespace tenon::op
