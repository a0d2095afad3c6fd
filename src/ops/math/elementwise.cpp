// Shape rules and samples of the element-wise operators.
#include "ops/math/elementwise.h"

#include <utility>

namespace tenon::op::elementwise {

std::optional<size_t> known_count(const InferContext& ctx) {
  size_t count = 1;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    if (!ctx.values(i) || ctx.rank(i) > 1) return std::nullopt;
    const size_t own = ctx.values(i)->size();
    if (own != 1) count = own;  // sizes are known to broadcast: 1 or one other size
  }
  return count;
}

void same_shape(InferContext& ctx, Dim (*fn)(const Dim&)) {
  infer_rules::same_shape(ctx);
  if (!ctx.values(0)) return;
  std::vector<Dim> values;
  for (const Dim& value : *ctx.values(0)) values.push_back(fn(value));
  ctx.output_values(0, std::move(values));
}

void broadcast(InferContext& ctx, Dim (*fn)(const Dim&, const Dim&)) {
  infer_rules::broadcast_all(ctx);
  const auto count = known_count(ctx);
  if (!count) return;
  std::vector<Dim> values;
  for (size_t i = 0; i < *count; ++i)
    values.push_back(fn(at(*ctx.values(0), i), at(*ctx.values(1), i)));
  ctx.output_values(0, std::move(values));
}

void variadic(InferContext& ctx) {
  ctx.check(ctx.input_count() > 0, "0 inputs given; it takes 1 or more");
  for (size_t i = 0; i < ctx.input_count(); ++i)
    ctx.check(ctx.has_input(i), "input {} is missing; leave none of them out", i);
  infer_rules::broadcast_all(ctx);
}

void variadic(InferContext& ctx, Dim (*fn)(const Dim&, const Dim&)) {
  variadic(ctx);
  const auto count = known_count(ctx);
  if (!count) return;
  std::vector<Dim> values;
  for (size_t k = 0; k < *count; ++k) {
    Dim value = at(*ctx.values(0), k);
    for (size_t i = 1; i < ctx.input_count(); ++i) value = fn(value, at(*ctx.values(i), k));
    values.push_back(std::move(value));
  }
  ctx.output_values(0, std::move(values));
}

void unary_samples(Samples& s, double low, double high, const Attrs& attrs) {
  s.add({arg::range({2, 3}, low, high)}, attrs);
  s.add({arg::range({}, low, high)}, attrs);
  s.add({arg::range({3, 1, 2}, low, high)}, attrs);
  s.add({arg::range({0, 3}, low, high)}, attrs);
  s.bad({arg::typed({2}, DType::boolean)}, attrs, "is bool[2]; it takes");
}

void kinked_samples(Samples& s, double kink, const Attrs& attrs) {
  s.add({arg::range({2, 3}, kink + 0.2, kink + 2)}, attrs);
  s.add({arg::range({2, 3}, kink - 2, kink - 0.2)}, attrs).types = {~kUnsignedInts.bits};
  s.add({arg::range({}, kink + 0.2, kink + 2)}, attrs);
  s.add({arg::range({0, 3}, kink + 0.2, kink + 2)}, attrs);
  s.add({arg::range({2, 8}, kink - 2, kink + 2)}, attrs).grad = false;
  s.bad({arg::typed({2}, DType::boolean)}, attrs, "is bool[2]; it takes");
}

void binary_samples(Samples& s, double low, double high, const Attrs& attrs, bool grad, DType bad) {
  const auto x = [&](const Shape& shape) { return arg::range(shape, low, high); };
  const std::pair<Shape, Shape> pairs[] = {{{2, 3}, {2, 3}}, {{2, 3}, {3}}, {{2, 1}, {1, 3}},
                                           {{}, {3}},        {{}, {}},      {{2, 1, 3}, {4, 1}},
                                           {{0, 3}, {1}}};
  for (const auto& [a, b] : pairs) s.add({x(a), x(b)}, attrs).grad = grad;
  const auto wrong = [&](const Shape& shape) { return arg::typed(shape, bad, low, high); };
  s.bad({wrong({2, 3}), wrong({2})}, attrs, "[2, 3] and [2] cannot be broadcast together");
  s.bad({wrong({2})}, attrs, "1 inputs given; it takes 2");
}

}  // namespace tenon::op::elementwise
