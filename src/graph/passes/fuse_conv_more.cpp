// What fuse_conv leaves because only Tenon has it: 16-bit types and other activations.
#include "graph/passes/catalog.h"
#include "graph/passes/conv_fusion.h"

namespace tenon::passes {

namespace {

void run(graph::Rewriter& r) {
  fuse_convolutions(r, types(DType::f32, DType::f16, DType::bf16), Activations::all);
}

}  // namespace

constinit const Pass fuse_conv_more{
    "fuse_conv_more",
    "As fuse_conv, with HardSwish, Swish, Gelu, Mish, Elu and Selu, and for f16 and bf16.", run,
    false};

}  // namespace tenon::passes
