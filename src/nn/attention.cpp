// Layers of transformers, built on op::Attention.
#include "nn/attention.h"

#include <cmath>
#include <limits>

#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::nn {

namespace {

Tensor xavier_uniform(int64_t rows, int64_t columns) {
  const double bound = std::sqrt(6.0 / static_cast<double>(rows + columns));
  return rand({rows, columns}, -bound, bound);
}

Tensor swap_batch(const Tensor& x) { return op::Transpose(x, {{"perm", {1, 0, 2}}}); }

// As numbers to add, of the type of the scores.
Tensor added(const Tensor& mask, DType type) {
  if (mask.dtype() != DType::boolean) return mask.to(type);
  return op::Where(mask, Tensor::scalar(-std::numeric_limits<double>::infinity(), type),
                   Tensor::scalar(0, type));
}

// One mask of [batch or 1, heads or 1, queries or 1, keys], to op::Attention's taste: a boolean one
// says which keys count. Undefined where there is none.
Tensor merged(const AttentionMasks& masks, int64_t heads, DType type) {
  Tensor pad = masks.key_padding_mask, mask = masks.attn_mask;
  if (pad) pad = op::Unsqueeze(pad, Tensor::ints({1, 2}));
  if (mask && mask.rank() == 3) {
    const Dims dims = mask.dims();
    TENON_CHECK(dims[1].is_const() && dims[2].is_const(), unsupported,
                "MultiheadAttention: attn_mask is of shape {}; give it fixed sizes", str(dims));
    mask = mask.view({-1, heads, dims[1].value(), dims[2].value()});
  }
  if (!pad || !mask) {
    const Tensor& only = pad ? pad : mask;
    return only && only.dtype() == DType::boolean ? op::Not(only) : only;
  }
  if (pad.dtype() == DType::boolean && mask.dtype() == DType::boolean)
    return op::Not(op::Or(pad, mask));
  return added(pad, type) + added(mask, type);
}

}  // namespace

MultiheadAttention::MultiheadAttention(int64_t embed_dim, int64_t num_heads,
                                       const MultiheadAttentionOptions& options)
    : out_proj(embed_dim, embed_dim, options.bias),
      embed_dim_(embed_dim),
      num_heads_(num_heads),
      options_(options),
      dropout_(options.dropout) {
  TENON_CHECK(num_heads > 0 && embed_dim % num_heads == 0, usage,
              "MultiheadAttention: embed_dim {} in {} heads; it must be a multiple of them",
              embed_dim, num_heads);
  in_proj_weight = parameter("in_proj_weight", xavier_uniform(3 * embed_dim, embed_dim));
  if (options.bias) {
    in_proj_bias = parameter("in_proj_bias", Tensor::zeros({3 * embed_dim}));
    out_proj.bias.fill(0);
  }
  add("out_proj", out_proj);
}

Tensor MultiheadAttention::project(const Tensor& x, int64_t part) const {
  const auto rows = [&](const Tensor& all) {
    return op::Slice(all, Tensor::ints({part * embed_dim_}),
                     Tensor::ints({(part + 1) * embed_dim_}), Tensor::ints({0}));
  };
  const Tensor y = op::MatMul(x, rows(in_proj_weight).t());
  return in_proj_bias ? y + rows(in_proj_bias) : y;
}

MultiheadAttention::WithWeights MultiheadAttention::attend(const Tensor& query, const Tensor& key,
                                                           const Tensor& value,
                                                           const AttentionMasks& masks,
                                                           bool need_weights) {
  for (const Tensor* x : {&query, &key, &value})
    TENON_CHECK(x->rank() == 3, usage, "MultiheadAttention: an input has shape {}; it must be {}",
                str(x->dims()),
                options_.batch_first ? "[batch, length, width]" : "[length, batch, width]");
  const auto inner = [&](const Tensor& x, int64_t part) {
    const Tensor y = project(x, part);
    return options_.batch_first ? y : swap_batch(y);
  };
  const Tensor q = inner(query, 0), k = inner(key, 1), v = inner(value, 2);
  const Tensor mask = merged(masks, num_heads_, q.dtype());
  const Attrs attrs{{"q_num_heads", num_heads_},
                    {"kv_num_heads", num_heads_},
                    {"is_causal", masks.is_causal},
                    {"qk_matmul_output_mode", 3}};
  const bool drops = training() && options_.dropout > 0;
  const TensorList made = op::Attention.all({q, k, v, mask}, attrs, drops || need_weights ? 4 : 1);
  Tensor y = made[0];
  if (drops) {
    const Tensor heads = op::Transpose(v.view({0, 0, num_heads_, embed_dim_ / num_heads_}),
                                       {{"perm", {0, 2, 1, 3}}});
    y = op::MatMul(dropout_(made[3]), heads);
    y = op::Transpose(y, {{"perm", {0, 2, 1, 3}}}).view({0, 0, embed_dim_});
  }
  y = out_proj(y);
  return {options_.batch_first ? y : swap_batch(y), need_weights ? made[3].mean({1}) : Tensor()};
}

Tensor MultiheadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const AttentionMasks& masks) {
  return attend(query, key, value, masks, false).output;
}

MultiheadAttention::WithWeights MultiheadAttention::forward_with_weights(
    const Tensor& query, const Tensor& key, const Tensor& value, const AttentionMasks& masks) {
  return attend(query, key, value, masks, true);
}

std::string MultiheadAttention::describe() const {
  return fmt::format("MultiheadAttention({}, {} heads)", embed_dim_, num_heads_);
}

TransformerEncoderLayer::TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                                                 const TransformerEncoderLayerOptions& options)
    : self_attn(
          d_model, nhead,
          {.dropout = options.dropout, .bias = options.bias, .batch_first = options.batch_first}),
      linear1(d_model, options.dim_feedforward, options.bias),
      linear2(options.dim_feedforward, d_model, options.bias),
      norm1({d_model}, options.layer_norm_eps),
      norm2({d_model}, options.layer_norm_eps),
      options_(options),
      dropout_(options.dropout),
      dropout1_(options.dropout),
      dropout2_(options.dropout) {
  TENON_CHECK(options.activation == "relu" || options.activation == "gelu", usage,
              "TransformerEncoderLayer: activation is '{}'; use relu or gelu", options.activation);
  add("self_attn", self_attn);
  add("linear1", linear1);
  add("dropout", dropout_);
  add("linear2", linear2);
  add("norm1", norm1);
  add("norm2", norm2);
  add("dropout1", dropout1_);
  add("dropout2", dropout2_);
}

Tensor TransformerEncoderLayer::feed_forward(const Tensor& x) {
  const Tensor hidden = linear1(x);
  const Tensor bent = options_.activation == "gelu" ? op::Gelu(hidden) : op::Relu(hidden);
  return dropout2_(linear2(dropout_(bent)));
}

Tensor TransformerEncoderLayer::forward(const Tensor& x, const AttentionMasks& masks) {
  const auto attend = [&](const Tensor& y) { return dropout1_(self_attn.forward(y, y, y, masks)); };
  if (options_.norm_first) {
    const Tensor y = x + attend(norm1(x));
    return y + feed_forward(norm2(y));
  }
  const Tensor y = norm1(x + attend(x));
  return norm2(y + feed_forward(y));
}

std::string TransformerEncoderLayer::describe() const {
  return fmt::format("TransformerEncoderLayer({}, {}, {})", linear1.weight.size(1),
                     self_attn.describe(), options_.activation);
}

}  // namespace tenon::nn
