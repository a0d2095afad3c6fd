// The source that applies transforms: to whole batches where items have one size, else one by one.
#include "data/transform.h"

#include "base/error.h"
#include "data/decorators/decorator.h"

namespace tenon::data {

namespace {

constexpr Roles kSpatial(Role::image, Role::mask, Role::boxes, Role::keypoints);

void check_moves(const Transform& transform, const Schema& schema) {
  if (transform.moves().bits == 0) return;
  for (const Field& field : schema)
    TENON_CHECK(!kSpatial.has(field.role) || transform.moves().has(field.role), unsupported,
                "{}: moves the image but not '{}' ({}), which would no longer fit it; leave the "
                "transform out",
                transform.name(), field.name, name(field.role));
}

class Transformed final : public Decorator {
 public:
  Transformed(SourcePtr source, std::vector<TransformPtr> transforms, uint64_t seed)
      : Decorator(std::move(source)), transforms_(std::move(transforms)), seed_(seed) {
    schemas_.push_back(inner().schema());
    for (const TransformPtr& transform : transforms_) {
      check_moves(*transform, schemas_.back());
      schemas_.push_back(transform->schema(schemas_.back()));
      varies_ = varies_ || transform->is_random();
    }
  }

  const Schema& schema() const override { return schemas_.back(); }
  bool varies() const override { return varies_ || Decorator::varies(); }

 private:
  Sample read_item(int64_t index, int64_t epoch) const override {
    Sample item = item_of(inner(), index, epoch);
    for (auto& [name, value] : item) value = value.unsqueeze(0);
    apply(item, {&index, 1}, epoch);
    for (auto& [name, value] : item) value = value.select(0, 0);
    return item;
  }

  Sample read_items(std::span<const int64_t> indices, int64_t epoch) const override {
    if (!inner().schema().is_fixed()) return read_each(indices, epoch);
    Sample batch = items_of(inner(), indices, epoch);
    apply(batch, indices, epoch);
    return batch;
  }

  void apply(Sample& batch, std::span<const int64_t> indices, int64_t epoch) const {
    std::vector<Draw> draws;
    for (size_t place = 0; place < transforms_.size(); ++place) {
      draws.clear();
      for (const int64_t index : indices)
        draws.emplace_back(seed_, epoch, index, static_cast<uint32_t>(place));
      const Transform& transform = *transforms_[place];
      with_context([&] { return fmt::format("while applying {}", transform.name()); },
                   [&] { transform.apply(schemas_[place], batch, draws); });
    }
  }

  std::vector<TransformPtr> transforms_;
  std::vector<Schema> schemas_;  // before each transform, and after the last
  uint64_t seed_;
  bool varies_ = false;
};

}  // namespace

SourcePtr transform(SourcePtr source, std::vector<TransformPtr> transforms, uint64_t seed) {
  if (transforms.empty()) return source;
  return std::make_shared<Transformed>(std::move(source), std::move(transforms), seed);
}

}  // namespace tenon::data
