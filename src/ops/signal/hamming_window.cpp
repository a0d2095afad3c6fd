// HammingWindow: a raised cosine on a pedestal.
#include "ops/onnx_node.h"
#include "ops/signal/catalog.h"
#include "ops/signal/signal_rules.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  return {signal::cosine_window(ctx, 25.0 / 46.0, 21.0 / 46.0, 0)};
}

}  // namespace

constinit const OpDef HammingWindow{
    .name = "HammingWindow",
    .doc =
        "A Hamming window: 25/46 - 21/46 cos(2 pi n / size); symmetric (periodic = 0) over size - "
        "1.",
    .inputs = {value("size", "T1")},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kIndex}, {"T2", kNumeric}},
    .attrs = {attr_i("output_datatype", 1), attr_i("periodic", 1)},
    .infer = signal::infer_window,
    .expand = expand,
    .grad = not_differentiable("its input is a size"),
    .onnx = {.since = 17},
    .samples = signal::window_samples,
};

}  // namespace tenon::op
