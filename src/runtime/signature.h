// What decides which kernel runs: operator, attributes, and the types, shapes and strides of the
// inputs (and the contents of those that decide a shape), as a run of 64-bit words.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "ops/op.h"
#include "tensor/tensor.h"

namespace tenon {

class Signature {
 public:
  void begin() {
    words_.clear();
    hash_ = 0x9e3779b97f4a7c15ULL;
  }
  void add(uint64_t word) {
    words_.push_back(word);
    hash_ = (hash_ ^ word) * 0xff51afd7ed558ccdULL;
    hash_ ^= hash_ >> 32;
  }
  void add(const Tensor& tensor, bool with_contents);

  uint64_t hash() const { return hash_; }
  const std::vector<uint64_t>& words() const { return words_; }

 private:
  std::vector<uint64_t> words_;
  uint64_t hash_ = 0;
};

inline void Signature::add(const Tensor& tensor, bool with_contents) {
  if (!tensor.defined()) return add(~0ULL);
  const Shape& shape = tensor.shape();
  add(static_cast<uint64_t>(tensor.dtype()) | shape.rank() << 8 |
      uint64_t{tensor.is_contiguous()} << 16 | uint64_t{with_contents} << 17);
  for (int64_t size : shape) add(static_cast<uint64_t>(size));
  if (!tensor.is_contiguous())
    for (int64_t stride : tensor.strides()) add(static_cast<uint64_t>(stride));
  if (!with_contents) return;
  const Tensor whole = tensor.contiguous();
  const auto* bytes = static_cast<const std::byte*>(whole.raw());
  for (size_t at = 0; at < whole.bytes(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min<size_t>(8, whole.bytes() - at));
    add(word);
  }
}

}  // namespace tenon
