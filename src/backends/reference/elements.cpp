// Loads and stores of every dtype as a wide type.
#include "backends/reference/elements.h"

#include <algorithm>
#include <cstring>

#include "tensor/convert.h"

namespace tenon::reference {

namespace {

// A code of a storage type.
template <DType type>
struct Code {
  static constexpr DType kType = type;
  uint8_t bits;
};
template <class T>
concept IsCode = requires {
  T::kType;
};

template <class T, class Wide>
Wide load(const void* base, int64_t index) {
  if constexpr (std::is_same_v<T, bool>)  // any byte but 0 is true: borrowed memory may hold others
    return static_cast<Wide>(static_cast<const uint8_t*>(base)[index] != 0);
  else if constexpr (IsCode<T>)
    return convert<Wide>(value_of_code(T::kType, static_cast<const T*>(base)[index].bits));
  else
    return convert<Wide>(static_cast<const T*>(base)[index]);
}

template <class T, class Wide>
T code_from(Wide value) {
  if constexpr (kNarrowInts.has(T::kType))
    return {code_of(T::kType, convert<int64_t>(value))};
  else if constexpr (std::is_integral_v<Wide>)
    return {code_of(T::kType, tenon::detail::narrow_to_odd_integer(value))};
  else
    return {code_of(T::kType, tenon::detail::narrow_to_odd(value))};
}

template <class T, class Wide>
void store(void* base, int64_t index, Wide value) {
  if constexpr (IsCode<T>)
    static_cast<T*>(base)[index] = code_from<T>(value);
  else
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
    case DType::f8e4m3fn: return fn.template operator()<Code<DType::f8e4m3fn>>();
    case DType::f8e4m3fnuz: return fn.template operator()<Code<DType::f8e4m3fnuz>>();
    case DType::f8e5m2: return fn.template operator()<Code<DType::f8e5m2>>();
    case DType::f8e5m2fnuz: return fn.template operator()<Code<DType::f8e5m2fnuz>>();
    case DType::f8e8m0: return fn.template operator()<Code<DType::f8e8m0>>();
    case DType::f4e2m1: return fn.template operator()<Code<DType::f4e2m1>>();
    case DType::u4: return fn.template operator()<Code<DType::u4>>();
    case DType::i4: return fn.template operator()<Code<DType::i4>>();
    case DType::u2: return fn.template operator()<Code<DType::u2>>();
    case DType::i2: return fn.template operator()<Code<DType::i2>>();
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
