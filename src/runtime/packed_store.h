// What kernels make of constant inputs (weights in a blocked layout, in another type): made once,
// kept as long as the store, shared by all plans of a session and by all threads.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "tensor/tensor.h"

namespace tenon {

// Stands for the name of a layout in files.
struct LayoutDigest {
  uint64_t high = 0, low = 0;
  auto operator<=>(const LayoutDigest&) const = default;
};
LayoutDigest digest_of(const std::string& layout);

// What a packed constant is: a tensor of one axis.
struct PackedForm {
  DType type = DType::undefined;
  int64_t elements = 0;
};

// Thread-safe.
class PackedStore {
 public:
  PackedStore() = default;
  // Inside another store, which gets all but what is made of this one's own constants: those that
  // do not last as long as the other store, whose addresses may come to mean something else.
  explicit PackedStore(PackedStore* outer) : outer_(outer) {}
  void own(const Tensor& constant);

  // The tensor made from the constant at `source` for `layout`, which says all that the result
  // depends on besides the contents: kernel family, sizes, types, format. Made by the first call,
  // or taken from what was offered for it, where that is what `form` says; without `form` it never
  // is. The kernel that asks reads the constant itself no more once it is prepared: a session may
  // have given its memory back by then.
  Tensor get(const void* source, const std::string& layout, FunctionRef<Tensor()> make,
             const PackedForm& form = {});

  // Inside another store: the constants, all but own ones, that get() was called with since the
  // last time.
  std::vector<const void*> take_asked();

  // A tensor made earlier, by another process: of use where somebody asks for it.
  void offer(const void* source, const LayoutDigest& layout, Tensor tensor);

  struct Entry {
    const void* source = nullptr;
    LayoutDigest layout;
    Tensor tensor;
  };
  // What was asked for so far, by addresses.
  std::vector<Entry> entries() const;
  int64_t bytes() const;

 private:
  bool owns(const void* source) const;
  Tensor take_offer(const void* source, const std::string& layout, const PackedForm& form);

  PackedStore* outer_ = nullptr;
  mutable std::mutex mutex_;
  std::map<const std::byte*, const std::byte*> own_;  // begin and end
  std::vector<const void*> asked_;
  std::map<std::pair<const void*, std::string>, Tensor> tensors_;
  std::map<std::pair<const void*, LayoutDigest>, Tensor> offers_;
};

}  // namespace tenon
