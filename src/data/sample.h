// What a source hands out: named tensors, and the schema that says beforehand what they will be.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"

namespace tenon::data {

// A size that differs from item to item.
inline constexpr int64_t kVaries = -1;

// What a field means, so that a transform knows which fields it moves together: a flip mirrors the
// image and its mask, and leaves the label alone.
enum class Role : uint8_t {
  value,  // numbers that no geometry applies to: labels, features, images turned into CHW floats
  image,  // [height, width] or [height, width, channels], u8 or f32
  mask,   // [height, width], one class number a pixel
  boxes,  // [n, 4]: x0, y0, x1, y1 in pixels
  keypoints,  // [n, 2]: x, y in pixels
};
std::string_view name(Role role);
// Fails (usage) on an unknown name, with the nearest one.
Role parse_role(std::string_view word);

struct Field {
  std::string name;
  DType type = DType::undefined;
  Shape shape;  // of one item; kVaries where items differ
  Role role = Role::value;
  std::vector<std::string> classes = {};  // what the values of a label mean, where it is known

  bool is_fixed() const;    // no size varies
  std::string str() const;  // "image: u8 [28, 28]", "image: u8 [?, ?, 3]"
};

// The fields of every item of a source, in order.
class Schema {
 public:
  Schema() = default;
  Schema(std::initializer_list<Field> fields) : fields_(fields) {}
  explicit Schema(std::vector<Field> fields) : fields_(std::move(fields)) {}

  size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  auto begin() { return fields_.begin(); }
  auto end() { return fields_.end(); }
  bool has(std::string_view name) const;
  // Fails (usage) naming the fields there are.
  const Field& operator[](std::string_view name) const;
  Field& operator[](std::string_view name);
  void add(Field field) { fields_.push_back(std::move(field)); }

  // Every item has the same shapes, so that items make a batch as they are.
  bool is_fixed() const;
  std::string str() const;  // "image: u8 [28, 28], label: i64 []"

 private:
  std::vector<Field> fields_;
};

// Named tensors: one item, or a batch of items along a leading axis. Tensors may share memory with
// their source and with other samples, so they are to be read, not written.
class Sample {
 public:
  struct Entry {
    std::string name;
    Tensor value;
  };

  Sample() = default;
  Sample(std::initializer_list<Entry> entries) : entries_(entries) {}

  size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }
  bool has(std::string_view name) const;
  // Fails (usage) naming the tensors there are.
  const Tensor& operator[](std::string_view name) const;
  // Replaces the tensor of that name, or adds it as the last one.
  void set(std::string_view name, Tensor value);

 private:
  std::vector<Entry> entries_;
};

}  // namespace tenon::data
