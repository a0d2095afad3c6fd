// Layers of transformers, with PyTorch's names, defaults and initialisation, so that its state
// dictionaries load.
#pragma once

#include <string>

#include "nn/layers.h"

namespace tenon::nn {

// What restricts attention. Masks are as in PyTorch: where a boolean one is true a key does not
// count; a float one is added to the scores.
struct AttentionMasks {
  Tensor key_padding_mask = {};  // [batch, keys]
  Tensor attn_mask = {};         // [queries, keys] or [batch * heads, queries, keys]
  bool is_causal = false;        // a query sees the keys up to its own place
};

struct MultiheadAttentionOptions {
  double dropout = 0;  // of weights, in training
  bool bias = true;
  bool batch_first = false;  // [batch, length, width] instead of [length, batch, width]
};

// Attention of several heads between learned projections. in_proj_weight [3 * width, width] holds
// those of queries, keys and values, one below the other (uniform, Glorot and Bengio 2010); biases
// are zeros at first.
class MultiheadAttention final : public Module {
 public:
  MultiheadAttention(int64_t embed_dim, int64_t num_heads,
                     const MultiheadAttentionOptions& options = {});
  Tensor forward(const Tensor& x) override { return forward(x, x, x); }
  Tensor forward(const Tensor& query, const Tensor& key, const Tensor& value,
                 const AttentionMasks& masks = {});
  // Also the weights, averaged over heads: [batch, queries, keys].
  struct WithWeights {
    Tensor output, weights;
  };
  WithWeights forward_with_weights(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const AttentionMasks& masks = {});
  std::string describe() const override;

  Tensor in_proj_weight, in_proj_bias;
  Linear out_proj;

 private:
  WithWeights attend(const Tensor& query, const Tensor& key, const Tensor& value,
                     const AttentionMasks& masks, bool need_weights);
  Tensor project(const Tensor& x, int64_t part) const;

  int64_t embed_dim_, num_heads_;
  MultiheadAttentionOptions options_;
  Dropout dropout_;
};

struct TransformerEncoderLayerOptions {
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::string activation = "relu";  // or "gelu"
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;
  bool bias = true;
};

// Self-attention and a feed-forward network, each with a residual connection and a normalisation
// behind it, or before it with norm_first (Vaswani et al. 2017).
class TransformerEncoderLayer final : public Module {
 public:
  TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                          const TransformerEncoderLayerOptions& options = {});
  Tensor forward(const Tensor& x) override { return forward(x, {}); }
  Tensor forward(const Tensor& x, const AttentionMasks& masks);
  std::string describe() const override;

  MultiheadAttention self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;

 private:
  Tensor feed_forward(const Tensor& x);

  TransformerEncoderLayerOptions options_;
  Dropout dropout_, dropout1_, dropout2_;
};

}  // namespace tenon::nn
