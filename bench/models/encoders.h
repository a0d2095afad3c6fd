// Transformer encoders of text.
#pragma once

#include <memory>
#include <vector>

#include "nn/attention.h"

namespace bench {

struct EncoderOptions {
  int64_t vocabulary = 30522;
  int64_t width = 768, layers = 12, heads = 12, hidden = 3072;
};
// Devlin et al., "BERT", 2019: the base size.
EncoderOptions bert_base();
// Wang et al., "MiniLM", 2020: six layers of width 384.
EncoderOptions minilm_l6();

class Encoder final : public tenon::nn::Module {
 public:
  explicit Encoder(const EncoderOptions& options);
  // Token numbers, which of them count (1) or are padding (0), and segments: [batch, length] of
  // i64 each. Gives [batch, length, width]. The length must be known.
  tenon::Tensor encode(const tenon::Tensor& ids, const tenon::Tensor& mask,
                       const tenon::Tensor& segments);
  std::string describe() const override { return "Encoder"; }

 private:
  tenon::nn::Embedding tokens_, places_, segments_;
  tenon::nn::LayerNorm norm_;
  std::vector<std::shared_ptr<tenon::nn::TransformerEncoderLayer>> layers_;
};

}  // namespace bench
