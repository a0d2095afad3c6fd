// What every generated test feeds an operator: good calls by shape and range, and wrong calls with
// the words their error must contain.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/op.h"

namespace tenon {

// One argument of a sample. Random arguments take the type that the test tries for the input's type
// variable; fixed ones have their own.
struct Arg {
  Shape shape;
  double low = -2, high = 2;       // random values; integers are drawn from the same range
  Tensor fixed;                    // given contents and type; wins over the rest
  DType dtype = DType::undefined;  // a type of its own for a random argument
  bool absent = false;
  bool distinct = false;  // no two elements equal or close (sorting, max: no ties)

  ~Arg();
};

namespace arg {
Arg any(const Shape& shape);  // values in [-2, 2]
Arg range(const Shape& shape, double low, double high);
Arg distinct(const Shape& shape);  // a shuffled ladder, step 0.1 or 1
Arg typed(const Shape& shape, DType type, double low = -2, double high = 2);
Arg ints(std::initializer_list<int64_t> values);  // an int64 vector
Arg int_scalar(int64_t value);                    // rank 0
Arg fixed(Tensor tensor);
Arg none();
}  // namespace arg

struct Sample {
  std::vector<Arg> inputs;
  Attrs attrs;
  size_t outputs = 1;
  bool grad = true;       // false: at a kink, or its gradient is checked elsewhere
  TypeSet types = {~0U};  // which of the operator's types this sample is meant for
};

struct BadSample {
  std::vector<Arg> inputs;
  Attrs attrs;
  std::string message;  // must occur in the error, which must be of kind usage
  size_t outputs = 1;
};

class Samples {
 public:
  // Returns the sample for further settings: s.add({arg::any({2, 3})}).outputs = 2;
  Sample& add(std::initializer_list<Arg> inputs, const Attrs& attrs = {});
  Sample& add(std::span<const Arg> inputs, const Attrs& attrs = {});
  void bad(std::initializer_list<Arg> inputs, const Attrs& attrs, std::string_view message);
  void bad(std::span<const Arg> inputs, const Attrs& attrs, std::string_view message);
  const std::vector<Sample>& good() const { return good_; }
  const std::vector<BadSample>& bad() const { return bad_; }

 private:
  std::vector<Sample> good_;
  std::vector<BadSample> bad_;
};

}  // namespace tenon
