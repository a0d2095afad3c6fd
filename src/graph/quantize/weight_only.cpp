// Weights of 4 or 8 bits in blocks, as MatMulNBits has them.
#include <algorithm>
#include <cmath>

#include "graph/quantize/dynamic.h"
#include "graph/quantize/products.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"

namespace tenon::graph {

namespace {

struct Blocks {
  Tensor bytes, scales, zeros;  // zeros: undefined where symmetric
};

// One block of a column.
struct Steps {
  float scale = 1;
  int zero = 0;
};
Steps steps_of(float low, float high, int bits, bool symmetric) {
  const int count = (1 << bits) - 1, middle = 1 << (bits - 1);
  if (symmetric) {
    // There is one step more below 0 than above: the larger end gets it.
    const float most = -low > high ? low : high;
    return {most == 0 ? 1.0F : -most / static_cast<float>(middle), middle};
  }
  low = std::min(low, 0.0F);
  high = std::max(high, 0.0F);
  if (low == high) return {1, middle};
  const float scale = (high - low) / static_cast<float>(count);
  return {scale, std::clamp(static_cast<int>(std::nearbyint(-low / scale)), 0, count)};
}

Blocks pack(const Tensor& weights, const WeightOnlyOptions& options) {
  const int64_t inner = weights.shape()[0], columns = weights.shape()[1];
  const int64_t block = options.block_size, blocks = (inner + block - 1) / block;
  const int64_t per_byte = 8 / options.bits, blob = block / per_byte;
  const int64_t zero_bytes = (blocks + per_byte - 1) / per_byte;
  const int most = (1 << options.bits) - 1;
  Blocks made{Tensor::zeros({columns, blocks, blob}, DType::u8), Tensor::empty({columns * blocks}),
              options.symmetric ? Tensor() : Tensor::zeros({columns * zero_bytes}, DType::u8)};
  const auto* w = weights.data<float>();
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t begin = b * block, end = std::min(inner, begin + block);
      float low = w[begin * columns + n], high = low;
      for (int64_t k = begin; k < end; ++k) {
        low = std::min(low, w[k * columns + n]);
        high = std::max(high, w[k * columns + n]);
      }
      const Steps steps = steps_of(low, high, options.bits, options.symmetric);
      made.scales.data<float>()[n * blocks + b] = steps.scale;
      uint8_t* bytes = made.bytes.data<uint8_t>() + (n * blocks + b) * blob;
      const auto put = [&](uint8_t* to, int64_t at, int value) {
        to[at / per_byte] =
            static_cast<uint8_t>(to[at / per_byte] | value << (at % per_byte * options.bits));
      };
      for (int64_t k = begin; k < end; ++k) {
        const float q =
            std::nearbyint(w[k * columns + n] / steps.scale) + static_cast<float>(steps.zero);
        put(bytes, k - begin, static_cast<int>(std::clamp(q, 0.0F, static_cast<float>(most))));
      }
      // Behind the last element stands what counts as 0.
      for (int64_t k = end; k < begin + block; ++k) put(bytes, k - begin, steps.zero);
      if (made.zeros.defined()) put(made.zeros.data<uint8_t>() + n * zero_bytes, b, steps.zero);
    }
  return made;
}

}  // namespace

Graph quantize_weights_only(const Graph& graph, const WeightOnlyOptions& options) {
  TENON_CHECK(options.bits == 4 || options.bits == 8, usage,
              "quantize: weights of {} bits; use 4 or 8", options.bits);
  const int64_t block = options.block_size;
  TENON_CHECK(block >= 16 && (block & (block - 1)) == 0, usage,
              "quantize: blocks of {} elements; use a power of two from 16 on", block);
  Graph made = graph;
  for (size_t v = 0; v < made.values().size(); ++v)
    made.value(static_cast<ValueId>(v)).parameter = false;
  Rewriter r(made, "quantize_weights_only");
  for (NodeId n : r.nodes()) {
    const Node node = r.node(n);
    const auto product = constant_product(r, node, options.without_layers);
    if (!product) continue;
    const Shape& sizes = product->weights.shape();
    const Blocks packed = pack(product->weights, options);
    r.at(n);
    std::vector<ValueId> inputs{product->x, r.constant(packed.bytes, product->name + "_weights"),
                                r.constant(packed.scales, product->name + "_scales")};
    if (packed.zeros.defined())
      inputs.push_back(r.constant(packed.zeros, product->name + "_zero_points"));
    ValueId y = r.add(op::MatMulNBits, std::move(inputs),
                      {{"K", sizes[0]},
                       {"N", sizes[1]},
                       {"bits", options.bits},
                       {"block_size", options.block_size}});
    if (product->bias != kNoValue) y = r.add(op::Add, {y, product->bias});
    r.replace(node.outputs[0], y);
  }
  r.finish();
  return made;
}

}  // namespace tenon::graph
