// What kernels make of constant inputs (weights in a blocked layout, in another type): made once,
// kept as long as the store, shared by all plans of a session and by all threads.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/function_ref.h"
#include "tensor/tensor.h"

namespace tenon {

// Thread-safe.
class PackedStore {
 public:
  // The tensor made from the constant at `source` for `layout`, which says all that the result
  // depends on besides the contents: kernel family, sizes, types, format. Made by the first call.
  Tensor get(const void* source, const std::string& layout, FunctionRef<Tensor()> make);

  int64_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<const void*, std::string>, Tensor> tensors_;
};

}  // namespace tenon
