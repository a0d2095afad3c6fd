// NonMaxSuppression: every candidate against every box chosen so far.
#include <algorithm>
#include <numeric>

#include "backends/reference/kernels/catalog.h"
#include "ops/image/catalog.h"

namespace tenon::reference {

namespace {

struct Box {
  float x0, y0, x1, y1;

  Box(const float* data, bool center) {
    const auto [a, b, c, d] = std::array{data[0], data[1], data[2], data[3]};
    if (center) {  // x, y, width, height
      x0 = a - c / 2, x1 = a + c / 2;
      y0 = b - d / 2, y1 = b + d / 2;
    } else {  // y and x of two opposite corners
      y0 = std::min(a, c), y1 = std::max(a, c);
      x0 = std::min(b, d), x1 = std::max(b, d);
    }
  }
  float area() const { return (x1 - x0) * (y1 - y0); }
};

bool overlap(const Box& a, const Box& b, float threshold) {
  const float width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const float height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (!(width > 0 && height > 0)) return false;
  const float both = width * height, either = a.area() + b.area() - both;
  return a.area() > 0 && b.area() > 0 && either > 0 && both / either > threshold;
}

Prepared prepare(const PrepareContext& ctx) {
  const int64_t batches = ctx.inputs[0].shape[0], boxes = ctx.inputs[0].shape[1];
  const int64_t classes = ctx.inputs[1].shape[1];
  const bool center = ctx.i("center_point_box") != 0;
  return make_kernel([=](const RunContext& run) {
    const int64_t most = run.in[2] ? *run.input<int64_t>(2) : 0;
    const float threshold = run.in[3] ? *run.input<float>(3) : 0;
    std::vector<int64_t> chosen;
    for (int64_t row = 0; row < batches * classes; ++row) {
      const int64_t batch = row / classes;
      const float* scores = run.input<float>(1) + row * boxes;
      std::vector<int64_t> order;
      for (int64_t i = 0; i < boxes; ++i)
        if (!run.in[4] || scores[i] > *run.input<float>(4)) order.push_back(i);
      std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
      const auto box = [&](int64_t i) {
        return Box(run.input<float>(0) + (batch * boxes + i) * 4, center);
      };
      std::vector<int64_t> kept;
      for (const int64_t i : order) {
        if (static_cast<int64_t>(kept.size()) >= most) break;
        if (std::ranges::none_of(kept,
                                 [&](int64_t k) { return overlap(box(i), box(k), threshold); }))
          kept.push_back(i);
      }
      for (const int64_t i : kept) chosen.insert(chosen.end(), {batch, row % classes, i});
    }
    run.outputs[0] = Tensor::ints(chosen).reshape({static_cast<int64_t>(chosen.size()) / 3, 3});
  });
}

}  // namespace

constinit const KernelList non_max_suppression{
    {&op::NonMaxSuppression, "reference.non_max_suppression", prepare}};

}  // namespace tenon::reference
