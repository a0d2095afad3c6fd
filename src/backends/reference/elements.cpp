// Loads and stores of every dtype as a wide type.
#include "backends/reference/elements.h"

#include <algorithm>
#include <cstring>

#include "tensor/convert.h"

namespace tenon::reference {

namespace {

template <class T, class Wide>
Wide load(const void* base, int64_t index) {
  if constexpr (std::is_same_v<T, bool>)  // any byte but 0 is true: borrowed memory may hold others
    return static_cast<Wide>(static_cast<const uint8_t*>(base)[index] != 0);
  else
    return convert<Wide>(static_cast<const T*>(base)[index]);
}

template <class T, class Wide>
void store(void* base, int64_t index, Wide value) {
  static_cast<T*>(base)[index] = convert<T>(value);
}

template <class Fn>
auto by_type(DType type, Fn fn) {
  switch (type) {
    case DType::f32: return fn.template operator()<float>();
    case DType::f64: return fn.template operator()<double>();
    case DType::f16: return fn.template operator()<f16>();
    case DType::bf16: return fn.template operator()<bf16>();
    case DType::i8: return fn.template operator()<int8_t>();
    case DType::i16: return fn.template operator()<int16_t>();
    case DType::i32: return fn.template operator()<int32_t>();
    case DType::i64: return fn.template operator()<int64_t>();
    case DType::u8: return fn.template operator()<uint8_t>();
    case DType::u16: return fn.template operator()<uint16_t>();
    case DType::u32: return fn.template operator()<uint32_t>();
    case DType::u64: return fn.template operator()<uint64_t>();
    case DType::boolean: return fn.template operator()<bool>();
    default: fail_bug(__FILE__, __LINE__, fmt::format("no element access for {}", name(type)));
  }
}

}  // namespace

template <class Wide>
LoadFn<Wide> loader(DType type) {
  return by_type(type, []<class T>() -> LoadFn<Wide> { return &load<T, Wide>; });
}
template <class Wide>
StoreFn<Wide> storer(DType type) {
  return by_type(type, []<class T>() -> StoreFn<Wide> { return &store<T, Wide>; });
}
template LoadFn<double> loader<double>(DType);
template LoadFn<int64_t> loader<int64_t>(DType);
template LoadFn<uint64_t> loader<uint64_t>(DType);
template StoreFn<double> storer<double>(DType);
template StoreFn<int64_t> storer<int64_t>(DType);
template StoreFn<uint64_t> storer<uint64_t>(DType);

void copy_elements(DType type, void* to, int64_t to_index, const void* from, int64_t from_index,
                   int64_t count) {
  if (count == 0) return;  // empty tensors may have no memory
  if (type == DType::string) {
    std::copy_n(static_cast<const std::string*>(from) + from_index, count,
                static_cast<std::string*>(to) + to_index);
    return;
  }
  if (is_container(type)) {
    std::copy_n(static_cast<const Tensor*>(from) + from_index, count,
                static_cast<Tensor*>(to) + to_index);
    return;
  }
  const size_t size = size_of(type);
  std::memcpy(static_cast<std::byte*>(to) + static_cast<size_t>(to_index) * size,
              static_cast<const std::byte*>(from) + static_cast<size_t>(from_index) * size,
              static_cast<size_t>(count) * size);
}

void copy_element(DType type, void* to, int64_t to_index, const void* from, int64_t from_index) {
  copy_elements(type, to, to_index, from, from_index, 1);
}

void clear_elements(DType type, void* base, int64_t index, int64_t count) {
  if (count == 0) return;
  if (type == DType::string) {
    std::fill_n(static_cast<std::string*>(base) + index, count, std::string());
    return;
  }
  // All zeros are zero bits.
  const size_t size = size_of(type);
  std::memset(static_cast<std::byte*>(base) + static_cast<size_t>(index) * size, 0,
              static_cast<size_t>(count) * size);
}

Shape broadcast_strides(const Shape& shape, const Shape& to) {
  Shape strides(to.rank(), 0);
  const Shape own = shape.row_major_strides();
  const size_t lead = to.rank() - shape.rank();
  for (size_t i = 0; i < shape.rank(); ++i) strides[lead + i] = shape[i] == 1 ? 0 : own[i];
  return strides;
}

}  // namespace tenon::reference
