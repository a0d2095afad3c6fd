// Which rows TensorScatter moves where, for its kernels.
#pragma once

#include "ops/op.h"

namespace tenon {

struct TensorScatterPlan {
  int64_t batch = 1, outer = 1, size = 0, count = 0, inner = 1;
  bool circular = false;

  TensorScatterPlan(const Call& call, const Shape& cache, const Shape& update);

  // Calls visit(element of the cache, element of the update) for each row of `inner` elements.
  // `places` is null when all begin at 0. Fails (usage) where a row would be past the cache.
  template <class Fn>
  void each_row(const int64_t* places, Fn&& visit) const {
    if (count == 0) return;
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t first = places ? start(b, places[b]) : 0;
      for (int64_t o = b * outer; o < (b + 1) * outer; ++o)
        for (int64_t i = 0; i < count; ++i) {
          const int64_t row = first + i < size ? first + i : first + i - size;
          visit((o * size + row) * inner, (o * count + i) * inner);
        }
    }
  }

 private:
  int64_t start(int64_t sample, int64_t place) const;
};

}  // namespace tenon
