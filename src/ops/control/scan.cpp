// Scan: a graph run over the slices of tensors, with state carried along.
#include "ops/catalog.h"
#include "ops/control/body.h"
#include "ops/control/sample_body.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

// Inputs: states, scanned tensors, captures.
// Body: states, slices, captures -> states, rows of the scan outputs.
struct Counts {
  size_t states, scans, rows;
};

Counts counts_of(const Call& call, size_t inputs) {
  const Subgraph& body = call.graph("body");
  const auto scans = static_cast<size_t>(std::max<int64_t>(call.i("num_scan_inputs"), 0));
  const auto captures = static_cast<size_t>(std::max<int64_t>(call.i("captures"), 0));
  const size_t states = inputs - std::min(inputs, scans + captures);
  return {states, scans, body.output_count() - std::min(body.output_count(), states)};
}

// Entry i of a list attribute, or what stands for an absent list.
int64_t entry(const Call& call, std::string_view name, size_t i) {
  const auto list = call.ints(name);
  return i < list.size() ? list[i] : 0;
}

void check_list(const InferContext& ctx, std::string_view name, size_t wanted, bool flags) {
  const auto list = ctx.ints(name);
  ctx.check(!ctx.has(name) || list.size() == wanted, "{} has {} entries; it needs {}", name,
            list.size(), wanted);
  for (int64_t value : list)
    ctx.check(!flags || value == 0 || value == 1,
              "{} has an entry {}; use 0 (forward) or 1 (reverse)", name, value);
}

void infer(InferContext& ctx) {
  const Subgraph& body = ctx.graph("body");
  ctx.check(ctx.i("num_scan_inputs") >= 1, "num_scan_inputs={}; use 1 or more",
            ctx.i("num_scan_inputs"));
  const Counts counts = counts_of(ctx, ctx.input_count());
  ctx.check(
      body.input_count() == ctx.input_count() && ctx.input_count() >= counts.scans,
      "the body takes {} inputs, but {} come in: {} states, {} scanned tensors and {} captures; "
      "make them agree",
      body.input_count(), ctx.input_count(), counts.states, counts.scans, ctx.i("captures"));
  ctx.check(body.output_count() >= counts.states, "the body has {} outputs for {} states",
            body.output_count(), counts.states);
  ctx.check(ctx.output_count() <= body.output_count(), "{} outputs asked for; its body has {}",
            ctx.output_count(), body.output_count());
  check_list(ctx, "scan_input_axes", counts.scans, false);
  check_list(ctx, "scan_input_directions", counts.scans, true);
  check_list(ctx, "scan_output_axes", counts.rows, false);
  check_list(ctx, "scan_output_directions", counts.rows, true);

  Dim length = Dim::unknown();
  std::vector<TensorType> slices;
  for (size_t i = 0; i < counts.scans; ++i) {
    TensorType slice = control::without_contents(ctx.input(counts.states + i));
    if (slice.ranked) {
      ctx.check(!slice.dims.empty(), "scanned tensor {} is {}; it needs an axis to go along", i,
                slice.str());
      const size_t axis = ctx.axis(entry(ctx, "scan_input_axes", i), slice.dims.size());
      const Dim size = slice.dims[axis];
      ctx.check(length.is_unknown() || size.is_unknown() || !length.is_const() ||
                    !size.is_const() || length == size,
                "scanned tensor {} has {} slices, but an earlier one has {}; they must be as many",
                i, size.str(), length.str());
      if (length.is_unknown()) length = size;
      slice.dims.erase(slice.dims.begin() + static_cast<ptrdiff_t>(axis));
    }
    slices.push_back(std::move(slice));
  }
  std::vector<TensorType> initial;
  for (size_t i = 0; i < counts.states; ++i) initial.push_back(ctx.input(i));
  std::vector<TensorType> made;
  const auto types = control::settle(ctx, initial, [&](const std::vector<TensorType>& now) {
    std::vector<TensorType> given = now;
    given.insert(given.end(), slices.begin(), slices.end());
    for (size_t i = counts.states + counts.scans; i < ctx.input_count(); ++i)
      given.push_back(ctx.input(i));
    made = body.infer(given);
    return std::vector<TensorType>(made.begin(),
                                   made.begin() + static_cast<ptrdiff_t>(counts.states));
  });
  for (size_t i = 0; i < ctx.output_count(); ++i) {
    if (i < counts.states) {
      ctx.output(i, types[i]);
      continue;
    }
    TensorType rows = control::without_contents(made[i]);
    if (rows.ranked) {
      const size_t axis =
          ctx.axis(entry(ctx, "scan_output_axes", i - counts.states), rows.dims.size() + 1);
      rows.dims.insert(rows.dims.begin() + static_cast<ptrdiff_t>(axis), length);
    }
    ctx.output(i, rows);
  }
}

TensorList expand(const ExpandContext& ctx) {
  const Counts counts = counts_of(ctx, ctx.input_count());
  const Subgraph& body = ctx.graph("body");
  TensorList state, captures;
  for (size_t i = 0; i < counts.states; ++i) state.push_back(ctx.input(i));
  for (size_t i = counts.states + counts.scans; i < ctx.input_count(); ++i)
    captures.push_back(ctx.input(i));

  std::vector<int64_t> axes;
  int64_t length = -1;
  for (size_t i = 0; i < counts.scans; ++i) {
    const Tensor& scanned = ctx.input(counts.states + i);
    axes.push_back(normalize_axis(entry(ctx, "scan_input_axes", i), scanned.rank(), "Scan"));
    const Dim size = scanned.dims()[static_cast<size_t>(axes.back())];
    TENON_CHECK(size.is_const(), unsupported,
                "Scan: scanned tensor {} has {} slices, so it cannot be written out in other "
                "operators; fix that size",
                i, size.str());
    TENON_CHECK(
        length < 0 || length == size.value(), usage,
        "Scan: scanned tensor {} has {} slices, but an earlier one has {}; they must be as many", i,
        size.value(), length);
    length = size.value();
  }
  const auto slice = [&](size_t i, int64_t step) {
    const bool reverse = entry(ctx, "scan_input_directions", i) != 0;
    return op::Gather(ctx.input(counts.states + i),
                      Tensor::from<int64_t>({reverse ? length - 1 - step : step}, {}),
                      {{"axis", axes[i]}});
  };
  const auto run = body.runner();
  std::vector<TensorList> rows(counts.rows);
  for (int64_t step = 0; step < length; ++step) {
    TensorList given = state;
    for (size_t i = 0; i < counts.scans; ++i) given.push_back(slice(i, step));
    given.insert(given.end(), captures.begin(), captures.end());
    TensorList made = run(given);
    for (size_t k = 0; k < counts.rows; ++k) rows[k].push_back(std::move(made[counts.states + k]));
    std::move(made.begin(), made.begin() + static_cast<ptrdiff_t>(counts.states), state.begin());
  }
  std::vector<TensorType> of_none(body.output_count());
  if (length == 0) {
    std::vector<TensorType> types;
    for (const Tensor& tensor : state) types.push_back(TensorType::of(tensor, false));
    for (size_t i = 0; i < counts.scans; ++i) {
      types.push_back(TensorType::of(ctx.input(counts.states + i), false));
      types.back().dims.erase(types.back().dims.begin() + axes[i]);
    }
    for (const Tensor& tensor : captures) types.push_back(TensorType::of(tensor, false));
    of_none = body.infer(types);
  }
  TensorList outputs = state;
  for (size_t k = 0; k < counts.rows; ++k) {
    if (entry(ctx, "scan_output_directions", k) != 0) std::reverse(rows[k].begin(), rows[k].end());
    outputs.push_back(
        control::stack(rows[k], entry(ctx, "scan_output_axes", k), of_none[counts.states + k]));
  }
  return outputs;
}

// The running sum of rows times a captured y.
Attr sum_body() {
  return control::SampleBody::attr(
      "body", 3, 2,
      [](std::span<const TensorType> in) {
        return std::vector<TensorType>{in[0], in[0]};
      },
      [](const TensorList& x) -> TensorList {
        const Tensor sum = x[0] + x[1] * x[2];
        return {sum, sum * sum};
      });
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::typed(shape, DType::f64); };
  const Attr one{"num_scan_inputs", 1}, captures{"captures", 1};
  s.add({x({2}), x({3, 2}), x({2})}, {sum_body(), one, captures}).outputs = 2;
  s.add({x({2}), x({2, 3}), x({2})}, {sum_body(),
                                      one,
                                      captures,
                                      {"scan_input_axes", {-1}},
                                      {"scan_input_directions", {1}},
                                      {"scan_output_axes", {1}},
                                      {"scan_output_directions", {1}}})
      .outputs = 2;
  s.add({x({2}), x({0, 2}), x({2})}, {sum_body(), one, captures}).outputs = 2;
  s.bad({x({3})}, {}, "body");
  s.bad({x({2}), x({3, 2})}, {sum_body(), one}, "the body takes 3 inputs, but 2 come in");
  s.bad({x({2}), x({3, 2}), x({2})}, {sum_body(), one, captures, {"scan_input_directions", {2}}},
        "scan_input_directions has an entry 2");
  s.bad({x({2}), x({3, 2}), x({2})}, {sum_body(), one, captures, {"scan_input_axes", {2}}},
        "axis 2 is outside");
}

}  // namespace

constinit const OpDef Scan{
    .name = "Scan",
    .doc =
        "Runs `body` over the slices of the last inputs, with state carried along; its further "
        "outputs are collected along an axis.",
    .inputs = {{"initial_state_and_scan_inputs", "V", Arity::variadic, false, true}},
    .outputs = {{"final_state_and_scan_outputs", "V", Arity::variadic, false, true}},
    .types = {{"V", kAnyType | kStored}},
    // The last `captures` inputs are what the body uses of the graph around it.
    .attrs = {required("body", AttrType::graph), required("num_scan_inputs", AttrType::i),
              attr("scan_input_axes", AttrType::ints),
              attr("scan_input_directions", AttrType::ints),
              attr("scan_output_axes", AttrType::ints),
              attr("scan_output_directions", AttrType::ints), attr_i("captures", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    // Opset 8 had another Scan, which import rewrites.
    .onnx = {.since = 9},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
