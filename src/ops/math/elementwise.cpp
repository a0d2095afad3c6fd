// Shape rules and samples of the element-wise operators.
#include "ops/math/elementwise.h"

#include <cstdint>
#include <utility>

namespace tenon::op::elementwise {

namespace {

constexpr TypeSet kFollowed = kIndex | kBool;

bool known(const InferContext& ctx, size_t i) {
  return ctx.values(i) && ctx.rank(i) <= 1 && kFollowed.has(ctx.dtype(i));
}

// Runs `fn`; what overflows 64 bits or the type is not known, as kernels wrap around.
template <class Fn>
Dim held(DType type, Fn fn) {
  try {
    const Dim value = fn();
    const bool fits = type == DType::i64 || !value.is_const() ||
                      (value.value() >= INT32_MIN && value.value() <= INT32_MAX);
    return fits ? value : Dim::unknown();
  } catch (const Error&) {
    return Dim::unknown();
  }
}

// Sets the output's elements, folded from those of the inputs.
void fold(InferContext& ctx, Dim (*fn)(const Dim&, const Dim&)) {
  const auto count = known_count(ctx);
  if (!count) return;
  std::vector<Dim> values;
  for (size_t k = 0; k < *count; ++k) {
    Dim value = at(*ctx.values(0), k);
    for (size_t i = 1; i < ctx.input_count(); ++i)
      value = held(ctx.dtype(i), [&] { return fn(value, at(*ctx.values(i), k)); });
    values.push_back(std::move(value));
  }
  ctx.output_values(0, std::move(values));
}

}  // namespace

std::optional<size_t> known_count(const InferContext& ctx) {
  size_t count = 1;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    if (!known(ctx, i)) return std::nullopt;
    const size_t own = ctx.values(i)->size();
    if (own != 1) count = own;  // sizes are known to broadcast: 1 or one other size
  }
  return count;
}

void same_shape(InferContext& ctx, Dim (*fn)(const Dim&)) {
  infer_rules::same_shape(ctx);
  if (!known(ctx, 0)) return;
  std::vector<Dim> values;
  for (const Dim& value : *ctx.values(0))
    values.push_back(held(ctx.dtype(0), [&] { return fn(value); }));
  ctx.output_values(0, std::move(values));
}

void broadcast(InferContext& ctx, Dim (*fn)(const Dim&, const Dim&)) {
  infer_rules::broadcast_all(ctx);
  fold(ctx, fn);
}

void variadic(InferContext& ctx) {
  ctx.check(ctx.input_count() > 0, "0 inputs given; it takes 1 or more");
  for (size_t i = 0; i < ctx.input_count(); ++i)
    ctx.check(ctx.has_input(i), "input {} is missing; leave none of them out", i);
  infer_rules::broadcast_all(ctx);
}

void variadic(InferContext& ctx, Dim (*fn)(const Dim&, const Dim&)) {
  variadic(ctx);
  fold(ctx, fn);
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
