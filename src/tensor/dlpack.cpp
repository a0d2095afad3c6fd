#include "tensor/dlpack.h"

#include <array>
#include <cstddef>
#include <memory>

namespace tenon::dlpack {
namespace {

// The layout of dlpack.h on 64-bit machines.
static_assert(sizeof(DeviceId) == 8 && sizeof(ElementType) == 4);
static_assert(offsetof(View, device) == 8 && offsetof(View, rank) == 16 &&
              offsetof(View, type) == 20);
static_assert(offsetof(View, shape) == 24 && offsetof(View, strides) == 32 &&
              offsetof(View, byte_offset) == 40);
static_assert(sizeof(View) == 48 && offsetof(ManagedTensor, owner) == 48 &&
              sizeof(ManagedTensor) == 64);

constexpr int32_t kCpu = 1;
constexpr int32_t kCudaHost = 3;

struct Row {
  DType type;
  uint8_t code;
};
constexpr std::array<Row, 20> kRows = {{
    {DType::i8, 0},          {DType::i16, 0},     {DType::i32, 0},         {DType::i64, 0},
    {DType::u8, 1},          {DType::u16, 1},     {DType::u32, 1},         {DType::u64, 1},
    {DType::f16, 2},         {DType::f32, 2},     {DType::f64, 2},         {DType::bf16, 4},
    {DType::c64, 5},         {DType::c128, 5},    {DType::boolean, 6},     {DType::f8e4m3fn, 10},
    {DType::f8e4m3fnuz, 11}, {DType::f8e5m2, 12}, {DType::f8e5m2fnuz, 13}, {DType::f8e8m0, 14},
}};

// Types of 4 and 2 bits have no rows: there they are packed, here each element has a byte.
ElementType element_type(DType type) {
  for (const Row& row : kRows)
    if (row.type == type) return {row.code, static_cast<uint8_t>(size_of(type) * 8), 1};
  fail(ErrorKind::unsupported,
       "dlpack: elements of type {} cannot be shared; convert them to numbers first", name(type));
}

DType dtype(ElementType type) {
  TENON_CHECK(type.lanes == 1, unsupported,
              "dlpack: elements are vectors of {} lanes; share them as an axis instead",
              type.lanes);
  for (const Row& row : kRows)
    if (row.code == type.code && size_of(row.type) * 8 == type.bits) return row.type;
  fail(ErrorKind::unsupported,
       "dlpack: elements of type code {} with {} bits are unknown; convert them to f32 first",
       type.code, type.bits);
}

// What an exported tensor keeps alive.
struct Export {
  Tensor tensor;
  Shape shape, strides;
  ManagedTensor managed;
};

Shape sizes(const View& view) {
  TENON_CHECK(view.rank >= 0 && (view.rank == 0 || view.shape), data,
              "dlpack: the tensor has rank {} and {} shape; fill both in", view.rank,
              view.shape ? "a" : "no");
  return Shape(std::span<const int64_t>(view.shape, static_cast<size_t>(view.rank)));
}

// The block of memory a view lies in: from its lowest to behind its highest element.
struct Block {
  int64_t below = 0;  // elements before the first one, where strides are negative
  int64_t count = 0;
};

Block block_of(const Shape& shape, const Shape& strides) {
  int64_t low = 0;
  int64_t high = 0;
  bool overflow = false;
  for (size_t i = 0; i < shape.rank(); ++i) {
    int64_t reach = 0;
    overflow |= __builtin_mul_overflow(shape[i] - 1, strides[i], &reach);
    int64_t& side = reach < 0 ? low : high;
    overflow |= __builtin_add_overflow(side, reach, &side);
  }
  int64_t count = 0;
  overflow |= __builtin_sub_overflow(high, low, &count) || count >= INT64_MAX / 16;
  TENON_CHECK(!overflow, data,
              "dlpack: shape {} with strides {} reaches past the address space; correct them",
              shape.str(), strides.str());
  return {-low, count + 1};
}

}  // namespace

ManagedTensor* export_tensor(const Tensor& tensor) {
  TENON_CHECK(tensor.defined() && !tensor.is_symbolic(), usage,
              "dlpack: the tensor holds no elements; give one that does");
  TENON_CHECK(&tensor.device() == &cpu_device(), unsupported,
              "dlpack: the tensor is on {}; move it to the CPU first", tensor.device().name());
  auto owner = std::make_unique<Export>(Export{tensor, tensor.shape(), tensor.strides(), {}});
  ManagedTensor& managed = owner->managed;
  managed.tensor = {
      // Offset included: some receivers ignore byte_offset.
      .data = owner->tensor.raw(),
      .device = {kCpu, 0},
      .rank = static_cast<int32_t>(tensor.rank()),
      .type = element_type(tensor.dtype()),
      .shape = owner->shape.begin(),
      .strides = owner->strides.begin(),
      .byte_offset = 0,
  };
  managed.deleter = [](ManagedTensor* self) { delete static_cast<Export*>(self->owner); };
  managed.owner = owner.release();
  return &managed;
}

Tensor import_tensor(ManagedTensor* managed) {
  TENON_CHECK(managed, usage, "dlpack: there is no tensor to import; give one");
  const View& view = managed->tensor;
  TENON_CHECK(view.device.type == kCpu || view.device.type == kCudaHost, unsupported,
              "dlpack: the tensor is on device type {}; move it to the CPU (type 1) first",
              view.device.type);
  const DType type = dtype(view.type);
  const Shape shape = sizes(view);
  const int64_t numel = shape.numel();
  const Shape strides = view.strides ? Shape(std::span<const int64_t>(view.strides, shape.rank()))
                                     : shape.row_major_strides();
  const auto release = [managed] {
    if (managed->deleter) managed->deleter(managed);
  };
  if (numel == 0)
    return Tensor::over(make_ref<Storage>(cpu_device(), view.data, 0, release), 0, shape, strides,
                        type);
  TENON_CHECK(view.data, data, "dlpack: shape {} comes without data; point to it", shape.str());
  auto* first = static_cast<std::byte*>(view.data) + view.byte_offset;
  const size_t alignment =
      type == DType::c64 || type == DType::c128 ? size_of(type) / 2 : size_of(type);
  TENON_CHECK(reinterpret_cast<uintptr_t>(first) % alignment == 0, unsupported,
              "dlpack: the data of type {} is not aligned to {} bytes; copy it first", name(type),
              alignment);
  const Block block = block_of(shape, strides);
  const auto element = static_cast<int64_t>(size_of(type));
  auto storage = make_ref<Storage>(cpu_device(), first - block.below * element,
                                   static_cast<size_t>(block.count * element), release);
  return Tensor::over(std::move(storage), block.below, shape, strides, type);
}

}  // namespace tenon::dlpack
