// MelWeightMatrix: triangular filters that gather the bins of a spectrum into mel bands.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/signal/catalog.h"
#include "ops/signal/signal_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  for (size_t i = 0; i < 5; ++i) signal::check_number(ctx, i);
  const Dim bands = signal::integer(ctx, 0), length = signal::integer(ctx, 1);
  ctx.check(!bands.is_const() || bands.value() >= 0, "num_mel_bins is {}; use 0 or more",
            bands.str());
  ctx.check(!length.is_const() || length.value() >= 0, "dft_length is {}; use 0 or more",
            length.str());
  ctx.output(0, {length.floor_div(2) + Dim(1), bands}, signal::output_type(ctx));
}

void samples(Samples& s) {
  const auto hertz = [](double value) { return arg::fixed(Tensor::scalar(value)); };
  s.add({arg::int_scalar(8), arg::int_scalar(16), arg::int_scalar(8192), hertz(0), hertz(4096)});
  s.add({arg::ints({5}), arg::ints({64}), arg::ints({16000}), hertz(125), hertz(7500)},
        {{"output_datatype", static_cast<int64_t>(DType::f64)}});
  s.add({arg::int_scalar(0), arg::int_scalar(6), arg::int_scalar(100), hertz(0), hertz(50)});
  s.bad({arg::int_scalar(-1), arg::int_scalar(16), arg::int_scalar(8192), hertz(0), hertz(4096)},
        {}, "num_mel_bins is -1; use 0 or more");
  s.bad({arg::int_scalar(8), arg::int_scalar(16), arg::int_scalar(0), hertz(0), hertz(4096)}, {},
        "sample_rate is 0; use 1 or more");
  s.bad({arg::int_scalar(8), arg::int_scalar(16), arg::int_scalar(8192), hertz(0), hertz(9000)}, {},
        "upper_edge_hertz");
}

}  // namespace

constinit const OpDef MelWeightMatrix{
    .name = "MelWeightMatrix",
    .doc =
        "[dft_length / 2 + 1, num_mel_bins]: the share of each bin of a spectrum in bands that are "
        "evenly spaced on the mel scale, 2595 log10(1 + hertz / 700).",
    .inputs = {value("num_mel_bins", "T1"),
               value("dft_length", "T1"),
               {"sample_rate", "T1"},
               {"lower_edge_hertz", "T2"},
               {"upper_edge_hertz", "T2"}},
    .outputs = {{"output", "T3"}},
    .types = {{"T1", kIndex}, {"T2", kFloats}, {"T3", kNumeric}},
    .attrs = {attr_i("output_datatype", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("band edges are rounded to whole bins"),
    .onnx = {.since = 17},
    .samples = samples,
};

}  // namespace tenon::op
