// What control flow says of the graphs it holds.
#pragma once

#include <string_view>
#include <vector>

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::control {

inline TensorType scalar_of(DType type) {
  TensorType scalar;
  scalar.dtype = type;
  return scalar;
}

// A type without contents: what is true of a value in every iteration.
inline TensorType without_contents(const TensorType& type) { return common_type(type, type); }

inline bool knows_less(const TensorType& type, const TensorType& than) {
  if (type.ranked != than.ranked) return true;
  for (size_t i = 0; type.ranked && i < type.dims.size(); ++i)
    if (type.dims[i].is_unknown() != than.dims[i].is_unknown()) return true;
  return false;
}

// Types of values that go round a loop: what is common to `types` and to what `step` makes of them.
// A value that begins as an optional may go on as what that holds. Fails (usage) when an iteration
// changes an element type otherwise, or makes fewer values.
template <class Step>
std::vector<TensorType> settle(const InferContext& ctx, std::vector<TensorType> types,
                               const Step& step) {
  for (TensorType& type : types) type = without_contents(type);
  std::vector<TensorType> results = types;
  for (bool changed = true; changed;) {
    changed = false;
    const std::vector<TensorType> next = step(types);
    for (size_t i = 0; i < types.size(); ++i) {
      const bool same = next[i].dtype == types[i].dtype;
      ctx.check(same || types[i].dtype == DType::optional,
                "loop-carried value {} is {} before an iteration and {} after it; keep its type", i,
                types[i].str(), next[i].str());
      results[i] = same ? common_type(types[i], next[i]) : without_contents(next[i]);
      if (!same || !knows_less(results[i], types[i])) continue;
      changed = true;
      types[i] = results[i];
    }
  }
  return results;
}

// The value of a tensor that decides what runs next.
template <class T>
T decide(const ExpandContext& ctx, const Tensor& tensor, std::string_view what) {
  TENON_CHECK(
      !tensor.is_symbolic(), unsupported,
      "{}: {} is computed by the graph, so it cannot be written out in other operators; run "
      "the graph, or make it a constant",
      ctx.op.name, what);
  return tensor.item<T>();
}

// Tensors of one shape one behind the other along a new axis; `of_none` when there are none.
Tensor stack(const TensorList& parts, int64_t axis, const TensorType& of_none);

}  // namespace tenon::control
