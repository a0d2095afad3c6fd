// Reads mappings from attributes.
#include "ops/ml/label_mapping.h"

#include <array>

#include "base/text.h"

namespace tenon::label_mapping {

namespace {

Tensor vector_of(const Call& call, const std::string& name) {
  if (name.ends_with("tensor")) {
    const Tensor given = call.tensor(name).contiguous();
    TENON_CHECK(given.rank() == 1, usage, "{}: {} has shape {}; give a vector", call.op.name, name,
                given.shape().str());
    return given;
  }
  if (name.ends_with("strings")) {
    const auto words = call.strings(name);
    return Tensor::from<std::string>(words, {static_cast<int64_t>(words.size())});
  }
  if (name.ends_with("int64s")) return Tensor::ints(call.ints(name));
  const auto numbers = call.floats(name);
  const std::vector<float> narrow(numbers.begin(), numbers.end());
  return Tensor::from<float>(narrow, {static_cast<int64_t>(narrow.size())});
}

// The one of keys_tensor, keys_strings, keys_int64s, keys_floats that is given.
Tensor only_list(const Call& call, const std::string& prefix) {
  std::vector<std::string> given;
  for (const char* kind : {"tensor", "strings", "int64s", "floats"})
    if (call.has(prefix + "_" + kind)) given.push_back(prefix + "_" + kind);
  TENON_CHECK(given.size() == 1, usage,
              "{}: {} given; give one of {}_tensor, _strings, _int64s and _floats", call.op.name,
              given.empty() ? "no " + prefix : text::join(given, " and "), prefix);
  return vector_of(call, given[0]);
}

Tensor fallback_of(const Call& call, DType type) {
  if (const Tensor given = call.tensor("default_tensor"); given.defined()) {
    TENON_CHECK(given.numel() == 1 && given.dtype() == type, usage,
                "{}: default_tensor is {} of shape {}; give one {}, as the values are",
                call.op.name, name(given.dtype()), given.shape().str(), name(type));
    return given.reshape({});
  }
  if (type == DType::string) return Tensor::strings({std::string(call.s("default_string"))}, {});
  if (type == DType::f32 || type == DType::f64)
    return Tensor::scalar(call.f("default_float"), type);
  Tensor number = Tensor::empty({}, type);
  number.copy_from(Tensor::from<int64_t>({call.i("default_int64")}, {}));
  return number;
}

}  // namespace

Mapping read(const Call& call) {
  Mapping mapping{only_list(call, "keys"), only_list(call, "values"), {}};
  TENON_CHECK(mapping.keys.numel() == mapping.values.numel(), usage,
              "{}: {} keys but {} values; give one a key", call.op.name, mapping.keys.numel(),
              mapping.values.numel());
  mapping.fallback = fallback_of(call, mapping.values.dtype());
  return mapping;
}

}  // namespace tenon::label_mapping
