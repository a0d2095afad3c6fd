// LabelEncoder and OneHotEncoder by hash tables.
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/ml/catalog.h"
#include "ops/ml/label_mapping.h"
#include "tensor/convert.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kGrain = 4096;

// Places of keys; of equal ones the last. Words are looked up without a copy; NaN has a place of
// its own, since it equals nothing.
template <class Key>
class Places {
 public:
  explicit Places(std::span<const Key> keys) {
    for (size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] != keys[i])
        nan_ = static_cast<int64_t>(i);
      else
        places_[keys[i]] = static_cast<int64_t>(i);
    }
  }
  int64_t find(const Key& key) const {
    if (key != key) return nan_;
    const auto found = places_.find(key);
    return found == places_.end() ? -1 : found->second;
  }

 private:
  std::unordered_map<Key, int64_t> places_;
  int64_t nan_ = -1;
};

template <class Key>
std::span<const Key> elements_of(const Tensor& keys) {
  return {keys.data<Key>(), static_cast<size_t>(keys.numel())};
}

template <class Key, class Value>
Prepared encoder(const PrepareContext& ctx, const label_mapping::Mapping& mapping) {
  return make_kernel([places = Places<Key>(elements_of<Key>(mapping.keys)), values = mapping.values,
                      fallback = mapping.fallback,
                      count = ctx.inputs[0].numel()](const RunContext& run) {
    parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
      const Key* x = run.input<Key>(0);
      Value* y = run.output<Value>(0);
      const Value* table = values.template data<Value>();
      const Value& missing = *fallback.template data<Value>();
      for (int64_t i = begin; i < end; ++i) {
        const int64_t place = places.find(x[i]);
        y[i] = place < 0 ? missing : table[place];
      }
    });
  });
}

template <class Fn>
Prepared with_label(DType type, Fn&& fn) {
  switch (type) {
    case DType::string: return fn.template operator()<std::string>();
    case DType::i64: return fn.template operator()<int64_t>();
    case DType::f32: return fn.template operator()<float>();
    default: return refuse(fmt::format("labels of {}", name(type)));
  }
}

Prepared prepare_label_encoder(const PrepareContext& ctx) {
  const label_mapping::Mapping mapping = label_mapping::read(ctx);
  return with_label(mapping.keys.dtype(), [&]<class Key>() {
    return with_label(mapping.values.dtype(),
                      [&]<class Value>() { return encoder<Key, Value>(ctx, mapping); });
  });
}

// category(x, i, made) points to element i as a Key, which may be `made`; null where it can be in
// no category.
template <class Key, class Category>
Prepared one_hot(const PrepareContext& ctx, std::span<const Key> keys, const Category& category) {
  return make_kernel([places = Places<Key>(keys), category,
                      width = static_cast<int64_t>(keys.size()), zeros = ctx.i("zeros") != 0,
                      count = ctx.inputs[0].numel()](const RunContext& run) {
    parallel_for(0, count, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
      float* y = run.output<float>(0);
      std::fill(y + begin * width, y + end * width, 0.0F);
      for (int64_t i = begin; i < end; ++i) {
        Key made{};
        const Key* key = category(run.in[0], i, made);
        const int64_t place = key ? places.find(*key) : -1;
        TENON_CHECK(place >= 0 || zeros, usage,
                    "OneHotEncoder: element {} is in no category; add it, or set zeros to 1", i);
        if (place >= 0) y[i * width + place] = 1;
      }
    });
  });
}

template <class X>
Prepared one_hot_numbers(const PrepareContext& ctx) {
  return one_hot<int64_t>(ctx, ctx.ints("cats_int64s"),
                          [](const void* x, int64_t i, int64_t& made) -> const int64_t* {
                            const X value = static_cast<const X*>(x)[i];
                            if (value != value) return nullptr;
                            made = convert<int64_t>(value);
                            return &made;
                          });
}

Prepared prepare_one_hot(const PrepareContext& ctx) {
  switch (ctx.inputs[0].dtype) {
    case DType::string:
      return one_hot<std::string>(ctx, ctx.strings("cats_strings"),
                                  [](const void* x, int64_t i, std::string&) {
                                    return static_cast<const std::string*>(x) + i;
                                  });
    case DType::f32: return one_hot_numbers<float>(ctx);
    case DType::f64: return one_hot_numbers<double>(ctx);
    case DType::i32: return one_hot_numbers<int32_t>(ctx);
    default: return one_hot_numbers<int64_t>(ctx);
  }
}

}  // namespace

constinit const KernelList labels{
    {&op::LabelEncoder, "cpu.label_encoder", prepare_label_encoder},
    {&op::OneHotEncoder, "cpu.one_hot_encoder", prepare_one_hot},
};

}  // namespace tenon::cpu
