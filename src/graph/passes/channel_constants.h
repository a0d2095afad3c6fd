// Numbers for each channel: constants beside values [N, C, spatial...], and what is made of them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/rewrite.h"

namespace tenon::passes {

// y = scale * x + shift for each channel.
struct ChannelAffine {
  std::vector<double> scale, shift;

  explicit ChannelAffine(size_t channels) : scale(channels, 1), shift(channels, 0) {}
  bool scales() const;
  bool shifts() const;
  // This one, then `next`.
  void append(const ChannelAffine& next);
};

// A constant beside a value of `rank` axes, one number a channel (or one for all): the numbers.
// Nothing where it varies along another axis, or would add axes or channels.
std::optional<std::vector<double>> per_channel(const graph::Rewriter& r, graph::ValueId id,
                                               size_t rank, int64_t channels);

// What node `n` does to its input `x`, which has `rank` axes and `channels`: an inference
// BatchNormalization, Add, Sub, Mul or Div with finite constants. Nothing for any other node.
std::optional<ChannelAffine> channel_affine(const graph::Rewriter& r, graph::NodeId n,
                                            graph::ValueId x, size_t rank, int64_t channels);
// The input of such a node that is not a constant; kNoValue where there is none.
graph::ValueId affine_input(const graph::Rewriter& r, graph::NodeId n);

// A constant of `type`; nothing where a number is outside its range.
std::optional<Tensor> rounded(const std::vector<double>& values, const Shape& shape, DType type);

}  // namespace tenon::passes
