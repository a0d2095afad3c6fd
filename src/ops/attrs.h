// Attributes of a call: an immutable, shared list of named values, cheap to copy and to hash.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace tenon {

struct TensorType;  // ops/infer.h

// A graph held by an attribute (the branches of If, the body of Loop and Scan); graph/graph.h
// derives from it, so that operators can hold one without knowing how it runs. What it uses of the
// graph around it are inputs too, behind its formal ones ("captures").
class Subgraph {
 public:
  using Run = std::function<TensorList(const TensorList&)>;

  virtual ~Subgraph() = default;
  virtual size_t input_count() const = 0;
  virtual size_t output_count() const = 0;
  // Types of the outputs for given types of the inputs. Fails (usage) on types that do not fit.
  virtual std::vector<TensorType> infer(std::span<const TensorType> inputs) const = 0;
  // Calls one operator after the other: computed, taped or recorded as the inputs are. Prepared
  // once for many runs; the subgraph must outlive it.
  virtual Run runner() const = 0;
};

using AttrValue =
    std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                 std::vector<std::string>, Tensor, std::shared_ptr<const Subgraph>>;

// Defined out of line: hundreds of sources write attributes.
struct Attr {
  std::string name;
  AttrValue value;

  Attr(std::string_view n, AttrValue v);
  Attr(std::string_view n, int v);
  Attr(std::string_view n, int64_t v);
  Attr(std::string_view n, double v);
  Attr(std::string_view n, bool v);
  Attr(std::string_view n, float v);
  Attr(std::string_view n, const char* v);
  Attr(std::string_view n, std::initializer_list<int64_t> v);
  Attr(std::string_view n, const Shape& v);
  Attr(const Attr& other);
  Attr(Attr&& other) noexcept;
  Attr& operator=(const Attr& other);
  Attr& operator=(Attr&& other) noexcept;
  ~Attr();
  bool operator==(const Attr& other) const;
};

class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<Attr> list);
  explicit Attrs(std::vector<Attr> list);  // sorted by name; a repeated name fails (usage)

  const AttrValue* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  const std::vector<Attr>& list() const;
  bool empty() const { return data_ == nullptr; }
  uint64_t hash() const { return data_ ? data_->hash : 0; }
  bool operator==(const Attrs& other) const;

  Attrs with(Attr attr) const;  // added or replaced
  Attrs without(std::string_view name) const;
  std::string str() const;  // "axis=1, pads=[0, 0]"

 private:
  struct Data {
    std::vector<Attr> list;
    uint64_t hash = 0;
  };
  std::shared_ptr<const Data> data_;
};

}  // namespace tenon
