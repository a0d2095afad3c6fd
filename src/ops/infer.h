// What an operator's `infer` sees and says: types and symbolic shapes.
#pragma once

#include <fmt/core.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ops/op.h"

namespace tenon {

// One tensor as known before running.
struct TensorType {
  DType dtype = DType::undefined;  // undefined: absent optional input
  bool ranked = true;              // false: nothing is known of the shape
  Dims dims;
  // The elements of a small integer tensor, as far as known (Shape's output, a constant axes
  // input).
  std::optional<std::vector<Dim>> values;
  // The contents, when constant and concrete.
  Tensor constant;
  // Containers: what every element is (shapes as far as they agree); null when nothing is known.
  std::shared_ptr<const TensorType> element;

  static TensorType of(const Tensor& tensor, bool with_contents);
  static TensorType sequence_of(TensorType element);  // of unknown length
  static TensorType optional_of(TensorType element);
  std::string str() const;  // "f32[batch, 3]", "sequence of f32[3, seq]"
};

// Inputs are validated (count, types, attributes) before `infer` runs, and are ranked.
class InferContext : public Call {
 public:
  InferContext(const OpDef& op, const Attrs& attrs, std::span<const TensorType> inputs,
               size_t output_count);

  size_t input_count() const { return inputs_.size(); }
  bool has_input(size_t i) const {
    return i < inputs_.size() && inputs_[i].dtype != DType::undefined;
  }
  // An input past the last one given is absent: of undefined dtype and rank 0.
  const TensorType& input(size_t i) const { return i < inputs_.size() ? inputs_[i] : absent(); }
  DType dtype(size_t i) const { return input(i).dtype; }
  const Dims& dims(size_t i) const { return input(i).dims; }
  size_t rank(size_t i) const { return input(i).dims.size(); }
  // Elements of an integer input; nothing when they are not known yet.
  const std::optional<std::vector<Dim>>& values(size_t i) const { return input(i).values; }
  // All elements as plain integers, when all are known.
  std::optional<std::vector<int64_t>> ints_of(size_t i) const;
  // Normalises a possibly negative axis of input `i`, or fails naming the range.
  size_t axis(int64_t axis, size_t rank) const;

  size_t output_count() const { return outputs_.size(); }
  // Shape of output `i`. Its type is the type variable's, unless given.
  void output(size_t i, Dims dims);
  void output(size_t i, Dims dims, DType dtype);
  void output_unranked(size_t i);
  void output(size_t i, TensorType type);
  void output_values(size_t i, std::vector<Dim> values);
  std::vector<TensorType>& outputs() { return outputs_; }
  const std::vector<TensorType>& outputs() const { return outputs_; }

  // Throws "Softmax: <message>" (usage).
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_formatted(format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void check(bool ok, fmt::format_string<Args...> format, Args&&... args) const {
    if (!ok) fail(format, std::forward<Args>(args)...);
  }
  // "f32[2, 3]" of input i, for messages.
  std::string str(size_t i) const { return input(i).str(); }

 private:
  [[noreturn]] void fail_formatted(fmt::string_view format, fmt::format_args args) const;
  static const TensorType& absent();

  std::span<const TensorType> inputs_;
  std::vector<TensorType> outputs_;
};

// Validates counts, types and attributes, runs the operator's infer, and returns the outputs.
// Unranked inputs give unranked outputs. Errors are of kind usage and begin with the op's name.
std::vector<TensorType> infer(const OpDef& op, const Attrs& attrs,
                              std::span<const TensorType> inputs, size_t output_count);

// What two types have in common, for values that are now one and now the other (the branches of
// If): sizes that differ become unknown, ranks that differ leave nothing known of the shape. The
// element types must be equal.
TensorType common_type(const TensorType& a, const TensorType& b);

// Shape rules that many operators share.
namespace infer_rules {
void same_shape(InferContext& ctx);     // output 0 (and all others) like input 0
void broadcast_all(InferContext& ctx);  // output 0 is the broadcast of all inputs
}  // namespace infer_rules

}  // namespace tenon
