// What Conv, ConvTranspose and their gradients have in common. All four relate an image
// [N, C, spatial...], maps [N, M, windows...] and weights [M, C/group, kernel...]: Conv goes from
// image to maps, ConvTranspose and ConvInputGrad from maps to image, ConvWeightGrad from both to
// weights.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/nn/windows.h"

namespace tenon::conv_rules {

// One call with all sizes known, for kernels.
struct Geometry {
  int64_t batch = 0, groups = 1;
  int64_t channels = 0;  // C, of the image
  int64_t maps = 0;      // M
  Windows windows;

  int64_t group_channels() const { return channels / groups; }
  int64_t group_maps() const { return maps / groups; }
};
Geometry of_conv(const Call& call, const Shape& image, const Shape& weights);
Geometry of_transpose(const Call& call, const Shape& maps, const Shape& weights);
Geometry of_input_grad(const Call& call, const Shape& maps, const Shape& weights);
Geometry of_weight_grad(const Call& call, const Shape& image, const Shape& maps);

// Fails unless input `at`, called `role`, has rank 3 or more, and `weights`, when given, that rank
// too.
void check_ranks(const InferContext& ctx, size_t at, std::string_view role,
                 size_t weights = SIZE_MAX);
// Fails unless `channels` of input `at` are `wanted`.
void check_channels(const InferContext& ctx, size_t at, std::string_view role, const Dim& wanted);
// Fails unless `count` is divisible by the attribute group.
void check_groups(const InferContext& ctx, std::string_view role, const Dim& count);
// Fails unless kernel_shape, where given, is the weights' and the bias, where given, is [size].
void check_kernel(const InferContext& ctx, size_t weights);
void check_bias(const InferContext& ctx, size_t at, const Dim& size);
// Fails unless input `at` has as many windows as an image of these spatial sizes gives.
void check_windows(const InferContext& ctx, size_t at, const Dims& image, const Dims& kernel);

// Spatial sizes of ConvTranspose's output.
Dims transpose_output(const Call& call, const Dims& input, const Dims& kernel);
// Its windows. Output elements past the last window (output_padding) count as negative padding.
Windows resolve_transpose(const Call& call, const Shape& kernel, const Shape& input);

// The attributes of Conv and its gradients that say `windows`, auto_pad resolved.
Attrs explicit_attrs(const Windows& windows, int64_t group);
// The sum over all axes but the channels': a bias's gradient.
Tensor channel_sum(const Tensor& dy);

// Two for each multiplication and addition; symbolic sizes count as one.
double flops(const Dims& maps, const Dims& weights);

}  // namespace tenon::conv_rules
