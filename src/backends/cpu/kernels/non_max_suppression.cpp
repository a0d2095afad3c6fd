// NonMaxSuppression: classes in parallel; boxes by corners and areas, computed once; a candidate is
// drawn from a heap only while boxes are still wanted.
#include <algorithm>
#include <queue>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/image/catalog.h"

namespace tenon::cpu {

namespace {

// Boxes by coordinate, so that a candidate meets several at a time.
struct Boxes {
  std::vector<float> x0, y0, x1, y1, area;

  size_t size() const { return x0.size(); }
  void add(const float* box, bool center) {
    float left, top, right, bottom;
    if (center) {
      left = box[0] - box[2] / 2, right = box[0] + box[2] / 2;
      top = box[1] - box[3] / 2, bottom = box[1] + box[3] / 2;
    } else {
      top = std::min(box[0], box[2]), bottom = std::max(box[0], box[2]);
      left = std::min(box[1], box[3]), right = std::max(box[1], box[3]);
    }
    x0.push_back(left), y0.push_back(top), x1.push_back(right), y1.push_back(bottom);
    area.push_back((right - left) * (bottom - top));
  }
  void add(const Boxes& from, size_t i) {
    x0.push_back(from.x0[i]), y0.push_back(from.y0[i]);
    x1.push_back(from.x1[i]), y1.push_back(from.y1[i]);
    area.push_back(from.area[i]);
  }
  bool overlaps(const Boxes& of, size_t i, float threshold) const {
    int any = 0;  // without branches, for vectors
    for (size_t k = 0; k < size(); ++k) {
      const float width = std::min(of.x1[i], x1[k]) - std::max(of.x0[i], x0[k]);
      const float height = std::min(of.y1[i], y1[k]) - std::max(of.y0[i], y0[k]);
      const float both = width * height, either = of.area[i] + area[k] - both;
      const float least = std::min(std::min(width, height), std::min(of.area[i], area[k]));
      const int positive = least > 0, real = either > 0, much = both / either > threshold;
      any |= positive & real & much;
    }
    return any != 0;
  }
};

struct Suppression final : Kernel {
  int64_t batches, classes, boxes;
  bool center;

  void run(const RunContext& ctx) const override {
    std::vector<Boxes> images(static_cast<size_t>(batches));
    for (int64_t at = 0; at < batches * boxes; ++at)
      images[static_cast<size_t>(at / boxes)].add(ctx.input<float>(0) + at * 4, center);
    std::vector<std::vector<int64_t>> kept(static_cast<size_t>(batches * classes));
    parallel_for(0, batches * classes, std::max<int64_t>(1, 8192 / (boxes + 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row)
                     kept[static_cast<size_t>(row)] =
                         choose(ctx, images[static_cast<size_t>(row / classes)], row);
                 });
    int64_t count = 0;
    for (const auto& list : kept) count += static_cast<int64_t>(list.size());
    Tensor chosen = Tensor::empty({count, 3}, DType::i64);
    auto* to = chosen.data<int64_t>();
    for (int64_t row = 0; row < batches * classes; ++row)
      for (const int64_t box : kept[static_cast<size_t>(row)]) {
        *to++ = row / classes;
        *to++ = row % classes;
        *to++ = box;
      }
    ctx.outputs[0] = std::move(chosen);
  }

  std::vector<int64_t> choose(const RunContext& ctx, const Boxes& image, int64_t row) const {
    const int64_t most = ctx.in[2] ? *ctx.input<int64_t>(2) : 0;
    const float threshold = ctx.in[3] ? *ctx.input<float>(3) : 0;
    const float* scores = ctx.input<float>(1) + row * boxes;
    std::vector<int64_t> chosen;
    if (most <= 0) return chosen;
    std::vector<int64_t> candidates;
    for (int64_t i = 0; i < boxes; ++i)
      if (!ctx.in[4] || scores[i] > *ctx.input<float>(4)) candidates.push_back(i);
    const auto worse = [&](int64_t a, int64_t b) {
      return scores[a] < scores[b] || (scores[a] == scores[b] && a > b);
    };
    std::priority_queue<int64_t, std::vector<int64_t>, decltype(worse)> queue(
        worse, std::move(candidates));
    Boxes kept;
    for (; !queue.empty() && static_cast<int64_t>(chosen.size()) < most; queue.pop()) {
      const int64_t i = queue.top();
      if (kept.overlaps(image, static_cast<size_t>(i), threshold)) continue;
      kept.add(image, static_cast<size_t>(i));
      chosen.push_back(i);
    }
    return chosen;
  }
};

Prepared prepare(const PrepareContext& ctx) {
  auto kernel = std::make_unique<Suppression>();
  kernel->batches = ctx.inputs[0].shape[0];
  kernel->boxes = ctx.inputs[0].shape[1];
  kernel->classes = ctx.inputs[1].shape[1];
  kernel->center = ctx.i("center_point_box") != 0;
  return kernel;
}

}  // namespace

constinit const KernelList non_max_suppression{
    {&op::NonMaxSuppression, "cpu.non_max_suppression", prepare}};

}  // namespace tenon::cpu
