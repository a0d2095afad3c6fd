// DFT: the discrete Fourier transform along one axis, of real or complex signals.
#include <algorithm>
#include <cstdint>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/signal/catalog.h"
#include "ops/signal/signal_rules.h"

namespace tenon::op {

namespace {

// Both together: from the first half of the bins to a real signal.
bool is_inverse(const Call& call) { return call.i("inverse") != 0; }
bool is_onesided(const Call& call) { return call.i("onesided") != 0; }
bool gives_real(const Call& call) { return is_inverse(call) && is_onesided(call); }

void check_parts(const InferContext& ctx) {
  ctx.check(ctx.rank(0) >= 2,
            "input is {}; give it two axes or more, the last for real and imaginary parts",
            ctx.str(0));
  const Dim& parts = ctx.dims(0).back();
  if (!parts.is_const()) return;
  ctx.check(parts.value() == 1 || parts.value() == 2,
            "input is {}; its last axis must have 1 element (real) or 2 (real and imaginary part)",
            ctx.str(0));
  ctx.check(parts.value() == 1 || is_inverse(ctx) || !is_onesided(ctx),
            "input is {}, which is complex; onesided=1 needs a real one, with a last axis of 1",
            ctx.str(0));
  ctx.check(parts.value() == 2 || !gives_real(ctx),
            "input is {}; inverse=1 with onesided=1 needs complex bins, with a last axis of 2",
            ctx.str(0));
}

void infer(InferContext& ctx) {
  check_parts(ctx);
  signal::check_number(ctx, 1);
  signal::check_number(ctx, 2);
  const size_t rank = ctx.rank(0);
  Dims out = ctx.dims(0);
  out.back() = gives_real(ctx) ? 1 : 2;
  int64_t axis = -2;
  if (ctx.has_input(2)) {
    const auto known = ctx.ints_of(2);
    if (!known) {
      std::fill(out.begin(), out.end() - 1, Dim::unknown());
      return ctx.output(0, std::move(out));
    }
    axis = known->front();
  }
  const size_t at = ctx.axis(axis, rank);
  ctx.check(at + 1 < rank,
            "axis {} of {} holds the real and imaginary parts; name one of the axes before it",
            axis, ctx.str(0));
  const Dim given = ctx.dims(0)[at];
  const Dim length = ctx.has_input(1)  ? signal::integer(ctx, 1)
                     : gives_real(ctx) ? (given - Dim(1)) * Dim(2)
                                       : given;
  ctx.check(!length.is_const() || length.value() >= 1,
            "the transform of axis {} of {} has length {}; use a dft_length of 1 or more", at,
            ctx.str(0), length.str());
  ctx.check(!length.is_const() || length.value() <= signal::kMaxLength,
            "the transform of axis {} of {} has length {}; use a dft_length of {} at most", at,
            ctx.str(0), length.str(), signal::kMaxLength);
  out[at] = is_onesided(ctx) && !is_inverse(ctx) ? length.floor_div(2) + Dim(1) : length;
  ctx.output(0, std::move(out));
}

// A transform being differentiated, all sizes known.
struct Known {
  int64_t axis, given, length;
  bool real_input;
  Tensor axis_input, length_input;
};

int64_t known_size(const GradContext& ctx, const Dim& size) {
  TENON_CHECK(
      size.is_const(), unsupported,
      "DFT: the gradient needs the sizes of the transformed axis and of the last one of {}; "
      "give both axes a fixed size",
      str(ctx.dims(0)));
  return size.value();
}

Known known(const GradContext& ctx) {
  const size_t rank = ctx.dims(0).size();
  Known k;
  k.axis = normalize_axis(ctx.has_input(2) ? ctx.ints_of(2).at(0) : -2, rank, "DFT");
  k.given = known_size(ctx, ctx.dims(0)[static_cast<size_t>(k.axis)]);
  k.length = ctx.has_input(1)  ? ctx.ints_of(1).at(0)
             : gives_real(ctx) ? (k.given - 1) * 2
                               : k.given;
  k.real_input = known_size(ctx, ctx.dims(0).back()) == 1;
  k.axis_input = Tensor::from<int64_t>({k.axis}, {});
  k.length_input = Tensor::from<int64_t>({k.length}, {});
  return k;
}

// How often each of the first bins of a real signal occurs among all bins, over their number.
Tensor shares(const Known& k, size_t rank, DType type) {
  const int64_t bins = k.length / 2 + 1;
  std::vector<double> values(static_cast<size_t>(bins), 2.0 / static_cast<double>(k.length));
  values.front() /= 2;
  if (k.length % 2 == 0 && bins > 1) values.back() /= 2;
  tenon::Shape shape(rank, 1);
  shape[static_cast<size_t>(k.axis)] = bins;
  return Tensor::from<double>(values, shape).to(type);
}

// Cut or filled with zeros along the axis, as the input was.
Tensor fitted(const Known& k, const Tensor& x) {
  const int64_t size = x.dims()[static_cast<size_t>(k.axis)].value();
  const Tensor axis = Tensor::ints({k.axis});
  if (size > k.given) return Slice.all({x, Tensor::ints({0}), Tensor::ints({k.given}), axis})[0];
  if (size == k.given) return x;
  return Pad(x, Tensor::ints({0, k.given - size}), Tensor(), axis);
}

// The transform is linear, so the gradient is its adjoint: the transform the other way.
TensorList grad(const GradContext& ctx) {
  const Known k = known(ctx);
  const Tensor g = ctx.grad();
  Tensor dx;
  if (gives_real(ctx)) {
    dx = DFT(g, k.length_input, k.axis_input, {{"onesided", 1}});
    dx = dx * shares(k, ctx.dims(0).size(), ctx.dtype(0));
  } else {
    dx = DFT(g, k.length_input, k.axis_input, {{"inverse", !is_inverse(ctx)}});
    const auto count = static_cast<double>(k.length);
    dx = is_inverse(ctx) ? dx / count : dx * count;
  }
  dx = fitted(k, dx);
  if (k.real_input)
    dx = Slice.all({dx, Tensor::ints({0}), Tensor::ints({1}), Tensor::ints({-1})})[0];
  TensorList grads = ctx.none();
  grads[0] = dx;
  return grads;
}

// Up to opset 19 the axis was an attribute, 1 by default.
TensorList axis_to_input(const OnnxNode& node) {
  const AttrValue* given = node.attrs.find("axis");
  TensorList inputs = node.inputs;
  inputs.resize(3);
  inputs[2] = Tensor::from<int64_t>({given ? std::get<int64_t>(*given) : 1}, {});
  return DFT.all(inputs, node.attrs.without("axis"));
}

void axis_to_attribute(OnnxNode& node) {
  const auto is_set = [&](std::string_view name) {
    const AttrValue* value = node.attrs.find(name);
    return value && std::get<int64_t>(*value) != 0;
  };
  TENON_CHECK(node.opset >= 17, unsupported,
              "DFT '{}': opset {} has no DFT; export at opset 17 or newer", node.name, node.opset);
  TENON_CHECK(!is_set("inverse") || !is_set("onesided"), unsupported,
              "DFT '{}': opset {} has no inverse that gives a real signal; export at opset 20 or "
              "newer",
              node.name, node.opset);
  const int64_t axis = node.has_input(2) ? node.constant_ints(2).at(0) : -2;
  node.attrs = node.attrs.with({"axis", axis});
  node.inputs.resize(node.has_input(1) ? 2 : 1);
}

void samples(Samples& s) {
  const Attrs onesided{{"onesided", 1}}, inverse{{"inverse", 1}},
      real{{"inverse", 1}, {"onesided", 1}};
  s.add({arg::any({2, 6, 1})});
  s.add({arg::any({2, 5, 2})});
  s.add({arg::any({2, 8, 1})}, onesided);
  s.add({arg::any({7, 1})}, onesided);
  s.add({arg::any({2, 6, 2})}, inverse);
  s.add({arg::any({3, 4, 1}), arg::none(), arg::int_scalar(0)}, inverse);
  s.add({arg::any({4, 2, 1}), arg::int_scalar(6), arg::int_scalar(0)}, onesided);
  s.add({arg::any({2, 6, 2}), arg::ints({4}), arg::int_scalar(1)});
  s.add({arg::any({2, 4, 2})}, real);
  s.add({arg::any({3, 2, 2}), arg::int_scalar(5), arg::int_scalar(0)}, real);
  s.add({arg::any({2, 5, 2}), arg::int_scalar(6), arg::int_scalar(-2)}, real);
  s.add({arg::any({1, 1})});
  s.add({arg::any({2, 17, 1})}).grad = false;
  s.add({arg::any({0, 4, 1})}, onesided);
  s.bad({arg::any({4})}, {}, "give it two axes or more");
  s.bad({arg::any({4, 3})}, {}, "its last axis must have 1 element");
  s.bad({arg::any({4, 2})}, onesided, "onesided=1 needs a real one");
  s.bad({arg::any({4, 1})}, real, "needs complex bins");
  s.bad({arg::any({4, 2}), arg::none(), arg::int_scalar(1)}, {},
        "axis 1 of f32[4, 2] holds the real and imaginary parts");
  s.bad({arg::any({4, 2}), arg::int_scalar(0)}, {}, "has length 0; use a dft_length of 1 or more");
  s.bad({arg::any({4, 2}), arg::int_scalar(INT64_MAX)}, {},
        "use a dft_length of 1073741824 at most");
  s.bad({arg::any({4, 2}), arg::ints({1, 2})}, {}, "dft_length is i64[2]; give one number");
}

}  // namespace

constinit const OpDef DFT{
    .name = "DFT",
    .doc =
        "The discrete Fourier transform along an axis, by default the last but one; the last axis "
        "holds real and imaginary parts. inverse with onesided gives a real signal.",
    .inputs = {{"input", "T1"}, optional_value("dft_length", "T2"), optional_value("axis", "I")},
    .outputs = {{"output", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kIndex}, {"I", kInt64}},
    .attrs = {attr_i("inverse", 0), attr_i("onesided", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::input(2)},
    .onnx = {.since = 20, .older = {{17, axis_to_input}}, .lower = axis_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
