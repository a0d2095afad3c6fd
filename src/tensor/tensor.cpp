// Making tensors and looking at them; views are in views.cpp, copies in copy.cpp.
#include "tensor/tensor.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "tensor/object_pool.h"

namespace tenon {

void* Tensor::Body::operator new(size_t bytes) { return ObjectPool<Body>::take(bytes); }
void Tensor::Body::operator delete(void* memory, size_t) noexcept {
  ObjectPool<Body>::give(memory);
}

namespace {

static_assert(sizeof(Tensor) == size_of(DType::sequence) &&
              sizeof(Tensor) == size_of(DType::optional) && sizeof(Tensor) == size_of(DType::map));

// Whether every axis longer than 1 has its row-major stride.
bool row_major(const Shape& shape, const Shape& strides) {
  int64_t expected = 1;
  for (size_t i = shape.rank(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

// Whether the elements fill one block from the first one on, in some order of the axes.
bool dense(const Shape& shape, const Shape& strides) {
  std::array<size_t, kMaxRank> order;
  size_t count = 0;
  for (size_t i = 0; i < shape.rank(); ++i)
    if (shape[i] != 1) order[count++] = i;
  std::sort(order.begin(), order.begin() + count,
            [&](size_t a, size_t b) { return strides[a] < strides[b]; });
  int64_t expected = 1;
  for (size_t i = 0; i < count; ++i) {
    if (strides[order[i]] != expected) return false;
    expected *= shape[order[i]];
  }
  return true;
}

int64_t checked_numel(const Shape& shape, DType type, std::string_view where) {
  TENON_CHECK(type != DType::undefined, usage,
              "{}: the element type is undefined; name one, such as f32", where);
  return shape.numel();
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType type, Device& device) {
  const int64_t numel = checked_numel(shape, type, "Tensor::empty");
  Ref<Body> body = make_ref<Body>();
  body->storage = make_ref<Storage>(device, type, static_cast<size_t>(numel));
  body->numel = numel;
  body->type = type;
  body->shape = shape;
  body->strides = shape.row_major_strides();
  return Tensor(std::move(body));
}

Tensor Tensor::empty_strided(const Shape& shape, const Shape& strides, DType type, Device& device) {
  const int64_t numel = checked_numel(shape, type, "Tensor::empty_strided");
  TENON_CHECK(
      strides.rank() == shape.rank() && (numel == 0 || dense(shape, strides)), usage,
      "Tensor::empty_strided: strides {} do not lay out shape {} as one block without gaps; "
      "use a permutation of its row-major strides",
      strides.str(), shape.str());
  return over(make_ref<Storage>(device, type, static_cast<size_t>(numel)), 0, shape, strides, type);
}

Tensor Tensor::zeros(const Shape& shape, DType type) {
  Tensor tensor = empty(shape, type);
  if (type != DType::string && !is_container(type))
    std::fill_n(static_cast<std::byte*>(tensor.raw()), tensor.bytes(), std::byte{0});
  return tensor;
}

Tensor Tensor::ones(const Shape& shape, DType type) { return full(shape, 1, type); }

Tensor Tensor::full(const Shape& shape, double value, DType type) {
  Tensor tensor = empty(shape, type);
  tensor.fill(value);
  return tensor;
}

Tensor Tensor::scalar(double value, DType type) { return full({}, value, type); }

Tensor Tensor::arange(int64_t count, DType type) {
  TENON_CHECK(count >= 0, usage, "Tensor::arange: the count {} is negative; use 0 or more", count);
  Tensor tensor = empty({count}, DType::i64);
  std::iota(tensor.data<int64_t>(), tensor.data<int64_t>() + count, int64_t{0});
  if (type == DType::i64) return tensor;
  Tensor converted = empty({count}, type);
  copy_elements(tensor, converted);
  return converted;
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  Tensor tensor = empty(shape, dtype_of<T>);
  TENON_CHECK(
      values.size() == static_cast<size_t>(tensor.numel()), usage,
      "Tensor::from: {} values do not fill shape {} of {} elements; give one value an element",
      values.size(), shape.str(), tensor.numel());
  std::ranges::copy(values, tensor.data<T>());
  return tensor;
}

Tensor Tensor::ints(std::span<const int64_t> values) {
  return from<int64_t>(values, {static_cast<int64_t>(values.size())});
}

Tensor Tensor::strings(const std::vector<std::string>& values, const Shape& shape) {
  return from<std::string>(std::span<const std::string>(values), shape);
}

Tensor Tensor::sequence(const std::vector<Tensor>& elements) {
  for (const Tensor& element : elements) {
    TENON_CHECK(element.defined(), usage,
                "Tensor::sequence: element {} is undefined; a sequence holds tensors",
                &element - elements.data());
    TENON_CHECK(element.dtype() == elements[0].dtype(), usage,
                "Tensor::sequence: element {} is {} but the first is {}; a sequence is of one type",
                &element - elements.data(), name(element.dtype()), name(elements[0].dtype()));
  }
  Tensor container = empty({static_cast<int64_t>(elements.size())}, DType::sequence);
  std::ranges::copy(elements, static_cast<Tensor*>(container.raw()));
  return container;
}

Tensor Tensor::optional(const Tensor& element) {
  Tensor container = empty({element.defined() ? 1 : 0}, DType::optional);
  if (element.defined()) *static_cast<Tensor*>(container.raw()) = element;
  return container;
}

Tensor Tensor::map(const Tensor& keys, const Tensor& values) {
  TENON_CHECK(keys.rank() == 1 && values.rank() >= 1 && values.size(0) == keys.size(0), usage,
              "Tensor::map: keys of shape {} and values of shape {}; give one value a key",
              keys.shape().str(), values.shape().str());
  Tensor container = empty({2}, DType::map);
  auto* slots = static_cast<Tensor*>(container.raw());
  slots[0] = keys;
  slots[1] = values;
  return container;
}

std::span<const Tensor> Tensor::elements() const {
  need_data("Tensor::elements");
  TENON_CHECK(is_container(dtype()) && is_contiguous(), usage,
              "Tensor::elements: this is a tensor of {}; only containers hold tensors",
              name(dtype()));
  return {static_cast<const Tensor*>(raw()), static_cast<size_t>(numel())};
}

Tensor Tensor::borrow(void* data, const Shape& shape, DType type,
                      std::function<void()> on_release) {
  const int64_t numel = checked_numel(shape, type, "Tensor::borrow");
  const size_t bytes = static_cast<size_t>(numel) * size_of(type);
  return over(make_ref<Storage>(cpu_device(), data, bytes, std::move(on_release)), 0, shape,
              shape.row_major_strides(), type);
}

Tensor Tensor::over(Ref<Storage> storage, int64_t offset, const Shape& shape, const Shape& strides,
                    DType type) {
  const int64_t numel = checked_numel(shape, type, "Tensor::over");
  TENON_CHECK(strides.rank() == shape.rank(), usage,
              "Tensor::over: {} strides for shape {}; give one an axis", strides.rank(),
              shape.str());
  if (numel > 0) {
    int64_t first = offset;
    int64_t last = offset;
    bool overflow = false;  // strides may come from outside
    for (size_t i = 0; i < shape.rank(); ++i) {
      int64_t reach = 0;
      overflow |= __builtin_mul_overflow(shape[i] - 1, strides[i], &reach);
      int64_t& side = reach < 0 ? first : last;
      overflow |= __builtin_add_overflow(side, reach, &side);
    }
    const auto room = static_cast<int64_t>(storage->bytes() / size_of(type));
    TENON_CHECK(!overflow && first >= 0 && last < room, usage,
                "Tensor::over: offset {}, shape {} and strides {} leave the {} elements of {} in "
                "the storage; "
                "use a view inside of it",
                offset, shape.str(), strides.str(), room, name(type));
  }
  return make(std::move(storage), offset, numel, shape, strides, type);
}

Tensor Tensor::make(Ref<Storage> storage, int64_t offset, int64_t numel, const Shape& shape,
                    const Shape& strides, DType type) {
  Ref<Body> body = make_ref<Body>();
  body->storage = std::move(storage);
  body->offset = offset;
  body->numel = numel;
  body->type = type;
  body->shape = shape;
  body->strides = strides;
  body->contiguous = numel == 0 || row_major(shape, strides);
  return Tensor(std::move(body));
}

Tensor Tensor::view_of(int64_t offset, const Shape& shape, const Shape& strides) const {
  return make(body_->storage, offset, shape.numel(), shape, strides, body_->type);
}

Tensor Tensor::symbolic(DType type, Dims dims, Ref<Attachment> value) {
  TENON_BUG_IF(!value, "Tensor::symbolic without a value");
  Ref<Body> body = make_ref<Body>();
  body->type = type;
  body->numel = -1;  // unknown before the graph runs, unless every axis is
  if (is_static(dims) && dims.size() <= kMaxRank) {
    body->shape = *to_shape(dims);
    body->strides = body->shape.row_major_strides();
    body->numel = body->shape.numel();
  }
  body->dims = std::move(dims);
  body->symbol = std::move(value);
  return Tensor(std::move(body));
}

int64_t Tensor::size(int64_t axis) const {
  const auto i = static_cast<size_t>(normalize_axis(axis, rank(), "Tensor::size"));
  if (body_->dims.empty()) return body_->shape[i];
  TENON_CHECK(body_->dims[i].is_const(), usage,
              "Tensor::size: axis {} of the symbolic shape {} is only known when the graph runs; "
              "use dims()",
              axis, tenon::str(body_->dims));
  return body_->dims[i].value();
}

bool Tensor::is_dense() const { return body_->contiguous || dense(body_->shape, body_->strides); }

Dims Tensor::dims() const { return is_symbolic() ? body_->dims : to_dims(body_->shape); }

void Tensor::need_data(std::string_view where) const {
  TENON_CHECK(body_, usage, "{}: the tensor is undefined; give one that holds elements", where);
  TENON_CHECK(
      !body_->symbol, usage,
      "{}: the tensor of shape {} is symbolic and holds no elements yet; run the graph first",
      where, tenon::str(body_->dims));
}

void Tensor::check_type(DType wanted) const {
  if (!body_ || body_->symbol) [[unlikely]]
    need_data("Tensor::data");
  TENON_CHECK(body_->type == wanted, usage,
              "Tensor::data: the elements are {}, not {}; ask for their type or convert with to()",
              name(body_->type), name(wanted));
}

namespace {

void check_one_element(const Tensor& tensor) {
  TENON_CHECK(
      tensor.numel() == 1, usage,
      "Tensor::item: shape {} holds {} elements; item() reads exactly one, to_vector() reads all",
      tensor.shape().str(), tensor.numel());
}

}  // namespace

double Tensor::item_as_double() const {
  need_data("Tensor::item");
  check_one_element(*this);
  double value = 0;
  Tensor target = borrow(&value, shape(), DType::f64);
  copy_elements(*this, target);
  return value;
}

int64_t Tensor::item_as_int64() const {
  need_data("Tensor::item");
  check_one_element(*this);
  int64_t value = 0;
  Tensor target = borrow(&value, shape(), DType::i64);
  copy_elements(*this, target);
  return value;
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  need_data("Tensor::to_vector");
  const auto count = static_cast<size_t>(numel());
  if constexpr (std::is_same_v<T, bool>) {  // std::vector<bool> has no array inside
    const auto flags = std::make_unique<bool[]>(count);
    Tensor target = borrow(flags.get(), shape(), DType::boolean);
    copy_elements(*this, target);
    return std::vector<bool>(flags.get(), flags.get() + count);
  } else {
    std::vector<T> values(count);
    Tensor target = borrow(values.data(), shape(), dtype_of<T>);
    copy_elements(*this, target);
    return values;
  }
}

#define TENON_INSTANTIATE(T)                                         \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&); \
  template std::vector<T> Tensor::to_vector<T>() const;
TENON_INSTANTIATE(float)
TENON_INSTANTIATE(double)
TENON_INSTANTIATE(f16)
TENON_INSTANTIATE(bf16)
TENON_INSTANTIATE(int8_t)
TENON_INSTANTIATE(int16_t)
TENON_INSTANTIATE(int32_t)
TENON_INSTANTIATE(int64_t)
TENON_INSTANTIATE(uint8_t)
TENON_INSTANTIATE(uint16_t)
TENON_INSTANTIATE(uint32_t)
TENON_INSTANTIATE(uint64_t)
TENON_INSTANTIATE(bool)
TENON_INSTANTIATE(std::string)
#undef TENON_INSTANTIATE

}  // namespace tenon
