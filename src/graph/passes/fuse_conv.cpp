// A convolution takes over the residual sum and the activation behind it.
#include "graph/passes/catalog.h"
#include "graph/passes/conv_fusion.h"

namespace tenon::passes {

namespace {

// ONNX Runtime's FusedConv is for f32 alone.
void run(graph::Rewriter& r) { fuse_convolutions(r, types(DType::f32), Activations::portable); }

}  // namespace

constinit const Pass fuse_conv{
    "fuse_conv",
    "Conv, the sum with a tensor of its shape and Relu, Clip, LeakyRelu, Sigmoid, Tanh or "
    "HardSigmoid become FusedConv.",
    run};

}  // namespace tenon::passes
