// What ai.onnx.preview.training's optimisers have in common. Their inputs are R (the learning
// rate), T (how many updates were made before) and then one list after the other: all tensors that
// are trained, all gradients, all states of each kind.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::preview_rules {

// Checks the lists, of which there are `kinds`; the outputs are like the trained tensors and,
// behind those, the states.
void infer(InferContext& ctx, size_t kinds);

// One trained tensor's part of a call: tensors of each kind, in the type to compute in.
struct Trained {
  Tensor x, gradient;  // norm_coefficient * x is added to the gradient
  TensorList states;
};
struct Update {
  Tensor x;
  TensorList states;
};
// Calls `step` for each trained tensor and lists what it returns as the outputs do. `rate` and
// `count` are scalars of f64.
using Step = Update (*)(const ExpandContext& ctx, const Tensor& rate, const Tensor& count,
                        const Trained& trained);
TensorList expand(const ExpandContext& ctx, size_t kinds, Step step);

// The scalar as one of the type of `like`.
Tensor scalar_like(const Tensor& scalar, const Tensor& like);

}  // namespace tenon::preview_rules
