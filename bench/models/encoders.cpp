#include "encoders.h"

#include "ops/logic/catalog.h"

namespace bench {

using namespace tenon;

namespace {

constexpr int64_t kMostPlaces = 512;
constexpr double kEpsilon = 1e-12;  // as BERT has it

}  // namespace

EncoderOptions bert_base() { return {}; }
EncoderOptions minilm_l6() { return {.width = 384, .layers = 6, .hidden = 1536}; }

Encoder::Encoder(const EncoderOptions& options)
    : tokens_(options.vocabulary, options.width),
      places_(kMostPlaces, options.width),
      segments_(2, options.width),
      norm_({options.width}, kEpsilon) {
  add("tokens", tokens_);
  add("places", places_);
  add("segments", segments_);
  add("norm", norm_);
  for (int64_t i = 0; i < options.layers; ++i) {
    layers_.push_back(std::make_shared<nn::TransformerEncoderLayer>(
        options.width, options.heads,
        nn::TransformerEncoderLayerOptions{.dim_feedforward = options.hidden,
                                           .activation = "gelu",
                                           .layer_norm_eps = kEpsilon,
                                           .batch_first = true}));
    add(fmt::format("layers.{}", i), layers_.back());
  }
}

Tensor Encoder::encode(const Tensor& ids, const Tensor& mask, const Tensor& segments) {
  const Tensor places = Tensor::arange(ids.dims()[1].value()).unsqueeze(0);
  Tensor x = norm_(tokens_(ids) + places_(places) + segments_(segments));
  const nn::AttentionMasks masks{.key_padding_mask =
                                     op::Equal(mask, Tensor::scalar(0, DType::i64))};
  for (const auto& layer : layers_) x = layer->forward(x, masks);
  return x;
}

}  // namespace bench
