#include "runtime/packed_store.h"

namespace tenon {

Tensor PackedStore::get(const void* source, const std::string& layout, FunctionRef<Tensor()> make) {
  const std::scoped_lock lock(mutex_);
  Tensor& kept = tensors_[{source, layout}];
  if (!kept.defined()) kept = make();
  return kept;
}

int64_t PackedStore::bytes() const {
  const std::scoped_lock lock(mutex_);
  int64_t sum = 0;
  for (const auto& [key, tensor] : tensors_) sum += static_cast<int64_t>(tensor.bytes());
  return sum;
}

}  // namespace tenon
