// TensorScatter: rows of a cache written over, from a place of each sample's own on.
#include "ops/shape/tensor_scatter.h"

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon {

TensorScatterPlan::TensorScatterPlan(const Call& call, const Shape& cache, const Shape& update)
    : circular(call.s("mode") == "circular") {
  const auto axis = static_cast<size_t>(normalize_axis(call.i("axis"), cache.rank(), call.op.name));
  batch = cache[0];
  for (size_t i = 1; i < axis; ++i) outer *= cache[i];
  size = cache[axis];
  count = update[axis];
  for (size_t i = axis + 1; i < cache.rank(); ++i) inner *= cache[i];
}

int64_t TensorScatterPlan::start(int64_t sample, int64_t place) const {
  if (circular) return (place % size + size) % size;
  TENON_CHECK(place >= 0 && place <= size - count, usage,
              "TensorScatter: write_indices[{}] is {}: rows {} to {} are past the {} of the cache; "
              "use 0 to {}",
              sample, place, place, place + count - 1, size, size - count);
  return place;
}

}  // namespace tenon

namespace tenon::op {

namespace {

bool unequal(const Dim& a, const Dim& b) { return a.is_const() && b.is_const() && !(a == b); }

void infer(InferContext& ctx) {
  const Dims& cache = ctx.dims(0);
  const Dims& update = ctx.dims(1);
  ctx.check(cache.size() >= 2, "past_cache is {}; it must have a batch and a sequence axis",
            ctx.str(0));
  const size_t axis = ctx.axis(ctx.i("axis"), cache.size());
  ctx.check(axis > 0, "axis is {}, the batch; name the sequence's", ctx.i("axis"));
  bool fits = update.size() == cache.size();
  for (size_t i = 0; fits && i < cache.size(); ++i) {
    if (i != axis)
      fits = !unequal(update[i], cache[i]);
    else if (update[i].is_const() && cache[i].is_const())
      fits = update[i].value() <= cache[i].value();
  }
  ctx.check(fits,
            "update is {}; beside past_cache {} it may differ on axis {} only, and be shorter",
            ctx.str(1), ctx.str(0), axis);
  if (ctx.has_input(2))
    ctx.check(ctx.rank(2) == 1 && !unequal(ctx.dims(2)[0], cache[0]),
              "write_indices is {}; it must have shape [{}]", ctx.str(2), cache[0].str());
  ctx.output(0, cache);
}

// Where each element of `update` goes along the axis, in the shape of `update`.
Tensor places(const GradContext& ctx, size_t axis) {
  const size_t rank = ctx.dims(0).size();
  const auto at = static_cast<int64_t>(axis);
  const auto size_of = [&](size_t i, int64_t along) {
    return Gather(ctx.shape_of(i), Tensor::from<int64_t>({along}, {}), {{"axis", 0}});
  };
  const Tensor zero = Tensor::from<int64_t>({0}, {}), one = Tensor::from<int64_t>({1}, {});
  std::vector<int64_t> along(rank, 1), batch(rank, 1);
  along[axis] = batch[0] = -1;
  Tensor place = Range(zero, size_of(1, at), one).view(along);
  if (ctx.has_input(2)) place = place + ctx.input(2).view(batch);
  if (ctx.s("mode") == "circular") place = Mod(place, size_of(0, at));
  return Expand(place, ctx.shape_of(1));
}

TensorList grad(const GradContext& ctx) {
  const size_t axis =
      static_cast<size_t>(normalize_axis(ctx.i("axis"), ctx.dims(0).size(), ctx.op.name));
  TensorList grads = ctx.none();
  if (ctx.needs(0)) {
    const Tensor nothing = Expand(constant_like(ctx.grad(), 0), ctx.shape_of(1));
    grads[0] = TensorScatter.all({ctx.grad(), nothing, ctx.input(2)}, ctx.attrs)[0];
  }
  if (ctx.needs(1))
    grads[1] =
        GatherElements(ctx.grad(), places(ctx, axis), {{"axis", static_cast<int64_t>(axis)}});
  return grads;
}

void samples(Samples& s) {
  s.add({arg::any({2, 4, 3}), arg::any({2, 2, 3}), arg::ints({1, 2})});
  s.add({arg::any({2, 2, 4, 2}), arg::any({2, 2, 1, 2})});
  s.add({arg::any({2, 4, 2}), arg::any({2, 3, 2}), arg::ints({2, 3})},
        {{"axis", 1}, {"mode", "circular"}});
  s.add({arg::any({3, 2, 5}), arg::any({3, 2, 2}), arg::ints({0, 3, 1})}, {{"axis", -1}});
  s.add({arg::any({2, 4}), arg::any({2, 0}), arg::ints({0, 0})}, {{"axis", 1}});
  s.bad({arg::any({4}), arg::any({2})}, {}, "TensorScatter: past_cache is");
  s.bad({arg::any({2, 4, 3}), arg::any({2, 5, 3})}, {}, "it may differ on axis 1 only");
  s.bad({arg::any({2, 4, 3}), arg::any({2, 2, 2})}, {}, "update is");
  s.bad({arg::any({2, 4, 3}), arg::any({2, 2, 3})}, {{"axis", 0}}, "axis is 0, the batch");
  s.bad({arg::any({2, 4, 3}), arg::any({2, 2, 3}), arg::ints({1})}, {},
        "write_indices is i64[1]; it must have shape [2]");
  s.bad({arg::any({2, 4, 3}), arg::any({2, 2, 3}), arg::ints({1, 3})}, {},
        "write_indices[1] is 3: rows 3 to 4 are past the 4 of the cache");
  s.bad({arg::any({2, 4, 3}), arg::any({2, 2, 3})}, {{"mode", "ring"}},
        "mode is 'ring'; use one of linear, circular");
}

}  // namespace

constinit const OpDef TensorScatter{
    .name = "TensorScatter",
    .doc =
        "past_cache with `update` written along `axis` from write_indices[batch] on; circular mode "
        "goes on at the start.",
    .inputs = {{"past_cache", "T"}, {"update", "T"}, optional("write_indices", "I")},
    .outputs = {{"present_cache", "T"}},
    .types = {{"T", kAnyType | kStored}, {"I", kInt64}},
    .attrs = {attr_i("axis", -2), attr_s("mode", "linear", "linear|circular")},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(2)},
    .onnx = {.since = 24},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
