// Categories: each element is compared with all keys.
#include <cmath>
#include <string>

#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/label_mapping.h"

namespace tenon::reference {

namespace {

// The last key equal to element i of x, or -1; NaN equals NaN.
int64_t find_key(const Tensor& keys, const void* x, int64_t i) {
  for (int64_t k = keys.numel(); k-- > 0;) {
    if (keys.dtype() == DType::string) {
      if (keys.data<std::string>()[k] == static_cast<const std::string*>(x)[i]) return k;
      continue;
    }
    const bool found = with_wide(keys.dtype(), [&]<class Wide>() {
      const Wide key = In<Wide>(keys.dtype(), keys.raw())[k], value = In<Wide>(keys.dtype(), x)[i];
      return key == value || (key != key && value != value);
    });
    if (found) return k;
  }
  return -1;
}

Prepared prepare_label_encoder(const PrepareContext& ctx) {
  return make_kernel(
      [mapping = label_mapping::read(ctx), count = ctx.inputs[0].numel()](const RunContext& run) {
        const DType type = mapping.values.dtype();
        for (int64_t i = 0; i < count; ++i) {
          const int64_t key = find_key(mapping.keys, run.in[0], i);
          copy_element(type, run.out[0], i, key < 0 ? mapping.fallback.raw() : mapping.values.raw(),
                       std::max<int64_t>(key, 0));
        }
      });
}

Prepared prepare_one_hot(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  const bool strings = type == DType::string;
  const auto words = ctx.strings("cats_strings");
  const Tensor categories =
      strings ? Tensor::from<std::string>(words, {static_cast<int64_t>(words.size())})
              : Tensor::ints(ctx.ints("cats_int64s"));
  return make_kernel(
      [=, zeros = ctx.i("zeros") != 0, count = ctx.inputs[0].numel()](const RunContext& run) {
        float* y = run.output<float>(0);
        for (int64_t i = 0; i < count; ++i) {
          int64_t number = 0;
          bool missing = false;  // NaN is in no category
          if (is_float(type)) {
            const double value = In<double>(type, run.in[0])[i];
            missing = std::isnan(value);
            number = from_double<int64_t>(value);
          } else if (!strings) {
            number = In<int64_t>(type, run.in[0])[i];
          }
          const int64_t found = missing   ? -1
                                : strings ? find_key(categories, run.in[0], i)
                                          : find_key(categories, &number, 0);
          TENON_CHECK(found >= 0 || zeros, usage,
                      "OneHotEncoder: element {} is in no category; add it, or set zeros to 1", i);
          for (int64_t k = 0; k < categories.numel(); ++k) *y++ = k == found ? 1.0F : 0.0F;
        }
      });
}

}  // namespace

constinit const KernelList labels{
    {&op::LabelEncoder, "reference.label_encoder", prepare_label_encoder},
    {&op::OneHotEncoder, "reference.one_hot_encoder", prepare_one_hot},
};

}  // namespace tenon::reference
