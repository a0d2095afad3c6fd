// What scales and shifts channels after a convolution, or before one without padding, is done by
// its weights and bias.
#include <numeric>
#include <span>

#include "graph/passes/catalog.h"
#include "graph/passes/channel_constants.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// A Conv or ConvTranspose whose weights and bias are constants.
struct Conv {
  NodeId id;
  const OpDef* op;
  Attrs attrs;
  ValueId x;
  Tensor weights, bias;  // undefined bias: none
  DType type;
  int64_t groups = 1, channels = 0, maps = 0;

  static std::optional<Conv> of(const Rewriter& r, NodeId id) {
    const Node& node = r.node(id);
    if (node.op != &op::Conv && node.op != &op::ConvTranspose) return std::nullopt;
    const Tensor* weights = r.constant(node.inputs[1]);
    const ValueId b = node.inputs.size() > 2 ? node.inputs[2] : kNoValue;
    const Tensor* bias = r.constant(b);
    if (!weights || weights->rank() < 3 || weights->numel() == 0 || (b != kNoValue && !bias))
      return std::nullopt;
    Conv conv{id,
              node.op,
              node.attrs,
              node.inputs[0],
              *weights,
              bias ? *bias : Tensor(),
              weights->dtype()};
    conv.groups = Call{*node.op, node.attrs}.i("group");
    const Shape& shape = weights->shape();
    conv.channels = conv.transposed() ? shape[0] : shape[1] * conv.groups;
    conv.maps = conv.transposed() ? shape[1] * conv.groups : shape[0];
    return conv;
  }

  bool transposed() const { return op == &op::ConvTranspose; }
  size_t rank() const { return weights.rank(); }
  // Elements of the weights that share their first two places.
  size_t kernel() const {
    return static_cast<size_t>(weights.numel() / (weights.shape()[0] * weights.shape()[1]));
  }
  // Of the weights at [i][j]: which map they add to, and which channel they read.
  size_t map_of(size_t i, size_t j) const {
    return transposed() ? group_of(i) * static_cast<size_t>(weights.shape()[1]) + j : i;
  }
  size_t channel_of(size_t i, size_t j) const {
    return transposed() ? i : group_of(i) * static_cast<size_t>(weights.shape()[1]) + j;
  }
  std::vector<double> bias_values() const {
    return bias.defined() ? bias.to_vector<double>()
                          : std::vector<double>(static_cast<size_t>(maps), 0);
  }
  // Calls visit(map, channel, the kernel's elements) for all weights.
  template <class Visit>
  void each(std::vector<double>& values, Visit visit) const {
    const auto rows = static_cast<size_t>(weights.shape()[0]);
    const auto columns = static_cast<size_t>(weights.shape()[1]);
    for (size_t i = 0; i < rows; ++i)
      for (size_t j = 0; j < columns; ++j)
        visit(map_of(i, j), channel_of(i, j),
              std::span(values).subspan((i * columns + j) * kernel(), kernel()));
  }
  bool is_padded() const {
    const Call call{*op, attrs};
    const std::string_view automatic = call.s("auto_pad");
    if (automatic != "NOTSET") return automatic != "VALID";
    for (int64_t pad : call.ints("pads"))
      if (pad != 0) return true;
    return false;
  }

 private:
  size_t group_of(size_t row) const {
    return row / static_cast<size_t>(weights.shape()[0] / groups);
  }
};

// In the place of the convolution, whose weights stay where none are given; kNoValue where a number
// leaves the range of its type.
ValueId rebuilt(Rewriter& r, const Conv& conv, ValueId x, const std::vector<double>* weights,
                const std::vector<double>& bias) {
  const auto w = weights ? rounded(*weights, conv.weights.shape(), conv.type)
                         : std::optional<Tensor>(conv.weights);
  const auto b = rounded(bias, {conv.maps}, conv.type);
  if (!w || !b) return kNoValue;
  r.at(conv.id);
  const ValueId new_weights = weights ? r.constant(*w) : r.node(conv.id).inputs[1];
  const ValueId new_bias = r.constant(*b);
  return r.add(*conv.op, {x, new_weights, new_bias}, conv.attrs);
}

void fold_after(Rewriter& r, NodeId n) {
  const auto conv = Conv::of(r, n);
  if (!conv) return;
  ChannelAffine all(static_cast<size_t>(conv->maps));
  ValueId y = r.node(n).outputs[0];
  const ValueId first = y;
  while (r.used_once(y)) {
    const NodeId reader = r.users(y)[0];
    const auto affine = channel_affine(r, reader, y, conv->rank(), conv->maps);
    if (!affine || r.type(r.node(reader).outputs[0]).dtype != conv->type) break;
    all.append(*affine);
    y = r.node(reader).outputs[0];
  }
  if (y == first) return;
  std::vector<double> weights, bias = conv->bias_values();
  if (all.scales()) {
    weights = conv->weights.to_vector<double>();
    conv->each(weights, [&](size_t map, size_t, std::span<double> kernel) {
      for (double& weight : kernel) weight *= all.scale[map];
    });
  }
  for (size_t m = 0; m < bias.size(); ++m) bias[m] = all.scale[m] * bias[m] + all.shift[m];
  const ValueId by = rebuilt(r, *conv, conv->x, all.scales() ? &weights : nullptr, bias);
  if (by != kNoValue) r.replace(y, by);
}

void fold_before(Rewriter& r, NodeId n) {
  const auto conv = Conv::of(r, n);
  // What ConvTranspose adds up at the border is not the sum of the whole kernel.
  if (!conv || conv->transposed() || !r.used_once(conv->x)) return;
  const NodeId maker = r.producer(conv->x);
  const ValueId x = maker < 0 ? kNoValue : affine_input(r, maker);
  if (x == kNoValue || r.node(maker).outputs[0] != conv->x) return;
  const TensorType &before = r.type(x), &after = r.type(conv->x);
  // A constant may have more channels than x, or another type may come of mixed ones.
  if (!before.ranked || !after.ranked || before.dims != after.dims || before.dtype != after.dtype)
    return;
  const auto affine = channel_affine(r, maker, x, conv->rank(), conv->channels);
  if (!affine || (affine->shifts() && conv->is_padded())) return;
  std::vector<double> weights = conv->weights.to_vector<double>(), bias = conv->bias_values();
  conv->each(weights, [&](size_t map, size_t channel, std::span<double> kernel) {
    bias[map] += affine->shift[channel] * std::accumulate(kernel.begin(), kernel.end(), 0.0);
    for (double& weight : kernel) weight *= affine->scale[channel];
  });
  const ValueId by = rebuilt(r, *conv, x, &weights, bias);
  if (by != kNoValue) r.replace(r.node(n).outputs[0], by);
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes())
    if (r.alive(n)) fold_after(r, n);
  for (NodeId n : r.nodes())
    if (r.alive(n)) fold_before(r, n);
}

}  // namespace

constinit const Pass fuse_conv_batch_norm{"fuse_conv_batch_norm",
                                          "BatchNormalization, and arithmetic with a constant a "
                                          "channel, beside a convolution become part "
                                          "of its weights and bias.",
                                          run};

}  // namespace tenon::passes
