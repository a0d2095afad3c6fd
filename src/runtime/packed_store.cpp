#include "runtime/packed_store.h"

#include <cstddef>
#include <iterator>

#include "base/hash.h"

namespace tenon {

LayoutDigest digest_of(const std::string& layout) {
  constexpr uint64_t kSeed = 0x7e17;  // any other than 0
  return {hash64(layout, kSeed), hash64(layout)};
}

Tensor PackedStore::get(const void* source, const std::string& layout, FunctionRef<Tensor()> make,
                        const PackedForm& form) {
  if (outer_ && !owns(source)) {
    {
      const std::scoped_lock lock(mutex_);
      asked_.push_back(source);
    }
    return outer_->get(source, layout, make, form);
  }
  const std::scoped_lock lock(mutex_);
  Tensor& kept = tensors_[{source, layout}];
  if (kept.defined()) return kept;
  kept = take_offer(source, layout, form);
  if (!kept.defined()) kept = make();
  // What is made of it in turn lasts no longer.
  const auto* begin = static_cast<const std::byte*>(kept.raw());
  if (outer_) own_[begin] = begin + kept.bytes();
  return kept;
}

std::vector<const void*> PackedStore::take_asked() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(asked_, {});
}

void PackedStore::own(const Tensor& constant) {
  const auto* begin = static_cast<const std::byte*>(constant.raw());
  const std::scoped_lock lock(mutex_);
  own_[begin] = begin + constant.bytes();
}

bool PackedStore::owns(const void* source) const {
  const auto* at = static_cast<const std::byte*>(source);
  const std::scoped_lock lock(mutex_);
  const auto next = own_.upper_bound(at);
  return next != own_.begin() && at < std::prev(next)->second;
}

Tensor PackedStore::take_offer(const void* source, const std::string& layout,
                               const PackedForm& form) {
  if (offers_.empty() || form.type == DType::undefined) return {};
  const auto offered = offers_.find({source, digest_of(layout)});
  if (offered == offers_.end()) return {};
  Tensor tensor = std::move(offered->second);
  offers_.erase(offered);
  const bool fits =
      tensor.dtype() == form.type && tensor.rank() == 1 && tensor.numel() == form.elements;
  return fits ? tensor : Tensor();
}

void PackedStore::offer(const void* source, const LayoutDigest& layout, Tensor tensor) {
  const std::scoped_lock lock(mutex_);
  offers_[{source, layout}] = std::move(tensor);
}

std::vector<PackedStore::Entry> PackedStore::entries() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Entry> list;
  for (const auto& [key, tensor] : tensors_)
    list.push_back({key.first, digest_of(key.second), tensor});
  return list;
}

int64_t PackedStore::bytes() const {
  const std::scoped_lock lock(mutex_);
  int64_t sum = 0;
  for (const auto& [key, tensor] : tensors_) sum += static_cast<int64_t>(tensor.bytes());
  return sum;
}

}  // namespace tenon
