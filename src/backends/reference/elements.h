// Element access for the reference backend. Kernels there compute in one of three wide types -
// double for all floats, int64_t and uint64_t for integers (bool as uint64_t 0 and 1) - so that one
// loop serves every dtype; storing rounds (floats) or wraps (integers) to the tensor's type, as
// convert() in tensor/convert.h does.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "base/error.h"
#include "runtime/kernel.h"
#include "tensor/dtype.h"

namespace tenon::reference {

template <class Wide>
using LoadFn = Wide (*)(const void* base, int64_t index);
template <class Wide>
using StoreFn = void (*)(void* base, int64_t index, Wide value);

template <class Wide>
LoadFn<Wide> loader(DType type);  // converts from any numeric type or bool
template <class Wide>
StoreFn<Wide> storer(DType type);

// Contiguous elements of one tensor, read or written as Wide.
template <class Wide>
class In {
 public:
  In(DType type, const void* base) : base_(base), load_(loader<Wide>(type)) {}
  Wide operator[](int64_t i) const { return load_(base_, i); }

 private:
  const void* base_;
  LoadFn<Wide> load_;
};

template <class Wide>
class Out {
 public:
  Out(DType type, void* base) : base_(base), store_(storer<Wide>(type)) {}
  void set(int64_t i, Wide value) const { store_(base_, i, value); }

 private:
  void* base_;
  StoreFn<Wide> store_;
};

// Calls fn.operator()<Wide>() with the wide type for `type`:
//   with_wide(ctx.inputs[0].dtype, [&]<class Wide>() { ... });
template <class Fn>
decltype(auto) with_wide(DType type, Fn&& fn) {
  if (is_float(type)) return std::forward<Fn>(fn).template operator()<double>();
  if (is_signed_int(type)) return std::forward<Fn>(fn).template operator()<int64_t>();
  TENON_BUG_IF(!is_unsigned_int(type) && type != DType::boolean, "no wide type for {}", name(type));
  return std::forward<Fn>(fn).template operator()<uint64_t>();
}

// Moves elements without looking at them; every dtype, strings included.
void copy_element(DType type, void* to, int64_t to_index, const void* from, int64_t from_index);
void copy_elements(DType type, void* to, int64_t to_index, const void* from, int64_t from_index,
                   int64_t count);

// Zero, false or an empty string; every dtype.
void clear_elements(DType type, void* base, int64_t index, int64_t count);

// Visits all indices of `shape` in row-major order: fn(const Shape& index, int64_t linear).
template <class Fn>
void for_each_index(const Shape& shape, Fn&& fn) {
  const int64_t count = shape.numel();
  Shape index(shape.rank(), 0);
  for (int64_t linear = 0; linear < count; ++linear) {
    fn(std::as_const(index), linear);
    for (size_t axis = shape.rank(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

// Sum of index[i] * strides[i].
inline int64_t offset_of(const Shape& index, const Shape& strides) {
  int64_t offset = 0;
  for (size_t i = 0; i < index.rank(); ++i) offset += index[i] * strides[i];
  return offset;
}

// Row-major strides of `shape` aligned to the trailing axes of `to`, 0 where broadcast.
Shape broadcast_strides(const Shape& shape, const Shape& to);

// Visits `to` in row-major order with the offsets of N inputs: fn(linear, offsets).
template <size_t N, class Fn>
void for_each_broadcast(const Shape& to, const std::array<Shape, N>& strides, Fn&& fn) {
  for_each_index(to, [&](const Shape& index, int64_t linear) {
    std::array<int64_t, N> offsets;
    for (size_t i = 0; i < N; ++i) offsets[i] = offset_of(index, strides[i]);
    fn(linear, std::as_const(offsets));
  });
}

}  // namespace tenon::reference
