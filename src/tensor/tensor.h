// Tensor: a typed, strided view of shared storage. A handle of one word; copies share everything.
//
//   Tensor x = Tensor::from<float>({1, 2, 3, 4}, {2, 2});
//   Tensor row = x.slice(0, 0, 1);        // a view: writing to it writes to x
//   float sum = (x + x).sum().item<float>();
//
// A tensor may also be *symbolic*: it has a type and a shape of Dims and no data, and operators on
// it are recorded into a graph (graph/capture.h) instead of being computed.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tensor/dim.h"
#include "tensor/dtype.h"
#include "tensor/ref.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace tenon {

// What an upper floor attaches to a tensor: autograd its history, graph capture its value.
class Attachment : public RefCounted {};

class Tensor {
 public:
  Tensor() = default;  // undefined: an absent optional input

  // -- Making ------------------------------------------------------------------------------
  static Tensor empty(const Shape& shape, DType type = DType::f32, Device& device = cpu_device());
  // As empty(), with strides given in elements (a dense permutation of the shape).
  static Tensor empty_strided(const Shape& shape, const Shape& strides, DType type,
                              Device& device = cpu_device());
  static Tensor zeros(const Shape& shape, DType type = DType::f32);
  static Tensor ones(const Shape& shape, DType type = DType::f32);
  static Tensor full(const Shape& shape, double value, DType type = DType::f32);
  static Tensor scalar(double value, DType type = DType::f32);  // rank 0
  static Tensor arange(int64_t count, DType type = DType::i64);
  // Copies `values` in row-major order; their number must be shape.numel().
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return from<T>(std::span<const T>(values.begin(), values.size()), shape);
  }
  // An int64 vector: axes, shapes, repeats.
  static Tensor ints(std::span<const int64_t> values);
  static Tensor ints(std::initializer_list<int64_t> values) {
    return ints(std::span<const int64_t>(values.begin(), values.size()));
  }
  static Tensor strings(const std::vector<std::string>& values, const Shape& shape);
  // Containers: ONNX's sequence, optional and map as tensors of rank 1 that hold tensors, which
  // keep their autograd histories. Elements of a sequence may be of any shape, and of one type.
  static Tensor sequence(const std::vector<Tensor>& elements);
  static Tensor optional(const Tensor& element = {});           // undefined: holds nothing
  static Tensor map(const Tensor& keys, const Tensor& values);  // of one length
  // Borrows memory laid out row-major; it must outlive every view, or be released by the callback.
  static Tensor borrow(void* data, const Shape& shape, DType type,
                       std::function<void()> on_release = {});
  static Tensor over(Ref<Storage> storage, int64_t offset, const Shape& shape, const Shape& strides,
                     DType type);
  static Tensor symbolic(DType type, Dims dims, Ref<Attachment> value);

  // -- Looking -----------------------------------------------------------------------------
  bool defined() const { return static_cast<bool>(body_); }
  explicit operator bool() const { return defined(); }
  DType dtype() const { return body_->type; }
  const Shape& shape() const { return body_->shape; }      // not for symbolic tensors
  const Shape& strides() const { return body_->strides; }  // in elements; 0 where expanded
  size_t rank() const { return body_->dims.empty() ? body_->shape.rank() : body_->dims.size(); }
  int64_t size(int64_t axis) const;
  int64_t numel() const { return body_->numel; }
  size_t bytes() const { return static_cast<size_t>(numel()) * size_of(dtype()); }
  Device& device() const { return body_->storage->device(); }
  bool is_contiguous() const { return body_->contiguous; }
  // True when the elements fill one block without gaps that starts at raw(), in some order of the
  // axes: elementwise work on tensors of equal strides may then run flat.
  bool is_dense() const;
  const Ref<Storage>& storage() const { return body_->storage; }
  int64_t offset() const { return body_->offset; }
  uint32_t version() const { return body_->storage ? body_->storage->version() : 0; }
  void bump_version() const { body_->storage->bump_version(); }
  bool same_as(const Tensor& other) const { return body_ == other.body_; }

  bool is_symbolic() const { return static_cast<bool>(body_->symbol); }
  // The shape as Dims, for symbolic and concrete tensors alike.
  Dims dims() const;
  const Ref<Attachment>& symbol() const { return body_->symbol; }

  // First element of this view. Typed access checks T against dtype().
  const void* raw() const {
    return static_cast<const std::byte*>(body_->storage->data()) +
           static_cast<size_t>(body_->offset) * size_of(body_->type);
  }
  void* raw() { return const_cast<void*>(std::as_const(*this).raw()); }
  template <class T>
  const T* data() const {
    check_type(dtype_of<T>);
    return static_cast<const T*>(raw());
  }
  template <class T>
  T* data() {
    check_type(dtype_of<T>);
    return static_cast<T*>(raw());
  }
  // The only element, converted. Fails (usage) unless numel() is 1.
  template <class T>
  T item() const {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      return static_cast<T>(item_as_int64());
    else
      return static_cast<T>(item_as_double());
  }
  // All elements in row-major order; T must be the dtype's type, or int64_t/double to convert.
  template <class T>
  std::vector<T> to_vector() const;
  // What a container holds; fails (usage) on any other tensor. Lives as long as the container.
  std::span<const Tensor> elements() const;
  // Shape, type and the elements, long axes abbreviated.
  std::string str() const;

  // -- Views: share storage, copy nothing ------------------------------------------------------
  // As in NumPy and ONNX: negative positions count from the end, positions are clamped, a negative
  // step walks backwards (then an end below -size(axis) includes element 0).
  Tensor slice(int64_t axis, int64_t start, int64_t end, int64_t step = 1) const;
  Tensor select(int64_t axis, int64_t index) const;  // drops the axis
  Tensor permute(const Shape& order) const;
  Tensor transpose(int64_t axis0, int64_t axis1) const;
  Tensor expand(const Shape& shape) const;
  Tensor unsqueeze(int64_t axis) const;
  Tensor squeeze(int64_t axis) const;
  // A view when the strides allow it, undefined otherwise. No -1 here: see op::Reshape.
  Tensor try_view(const Shape& shape) const;
  // A view when possible, else a copy.
  Tensor reshape(const Shape& shape) const;

  // -- Copies ---------------------------------------------------------------------------------
  Tensor contiguous() const;  // itself when it already is
  Tensor clone() const;
  // Writes `source`, broadcast and converted to this type, into this view; counts as in-place.
  void copy_from(const Tensor& source);
  void fill(double value);

  // -- Autograd: defined in autograd/tensor_methods.cpp ----------------------------------------
  bool requires_grad() const { return body_ && static_cast<bool>(body_->history); }
  Tensor& requires_grad_(bool on = true);  // a leaf that collects .grad()
  bool is_leaf() const;
  Tensor grad() const;  // undefined before the first backward()
  void set_grad(Tensor grad);
  // Adds d(this)/d(leaf) * `seed` to every leaf's grad; without a seed this must hold one element.
  void backward(const Tensor& seed = {}) const;
  Tensor detach() const;  // the same data, no history
  const Ref<Attachment>& history() const { return body_->history; }
  // For autograd: attaches a history to this very handle's body.
  void set_history(Ref<Attachment> history) const { body_->history = std::move(history); }

  // -- Everyday operators, recorded like any other: defined in runtime/tensor_methods.cpp --------
  Tensor to(DType type) const;                                      // itself when it already is
  Tensor sum(const Shape& axes = {}, bool keepdims = false) const;  // no axes: all
  Tensor mean(const Shape& axes = {}, bool keepdims = false) const;
  Tensor view(const Shape& shape) const;  // -1 once is inferred; op::Reshape
  Tensor t() const;                       // swaps the last two axes; op::Transpose

 private:
  struct Body final : RefCounted {
    Ref<Storage> storage;
    int64_t offset = 0;  // in elements
    int64_t numel = 0;
    DType type = DType::undefined;
    bool contiguous = true;
    Shape shape, strides;
    Dims dims;  // symbolic tensors only
    Ref<Attachment> history;
    Ref<Attachment> symbol;

    static void* operator new(size_t bytes);
    static void operator delete(void* memory, size_t bytes) noexcept;
  };

  explicit Tensor(Ref<Body> body) : body_(std::move(body)) {}
  void check_type(DType wanted) const;
  void need_data(std::string_view where) const;  // fails on undefined and symbolic tensors
  double item_as_double() const;
  int64_t item_as_int64() const;  // exact for 64-bit integers; truncates floats
  static Tensor make(Ref<Storage> storage, int64_t offset, int64_t numel, const Shape& shape,
                     const Shape& strides, DType type);
  Tensor view_of(int64_t offset, const Shape& shape, const Shape& strides) const;

  Ref<Body> body_;
};

// Converts and broadcasts strided elements; the loop under contiguous(), clone() and copy_from().
// Conversions: floats round to nearest even; float to integer truncates toward zero, saturates, and
// takes NaN to 0; integer to integer wraps; anything but 0 becomes true (NaN too). Strings copy to
// strings only, complex numbers to complex only: anything else fails (unsupported).
// The two must not overlap, unless they are the same view (copy_from() takes care of that).
void copy_elements(const Tensor& from, Tensor& to);

using TensorList = std::vector<Tensor>;

// Arithmetic through op::Add and its kin, with broadcasting; a number takes the tensor's type.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);

}  // namespace tenon
