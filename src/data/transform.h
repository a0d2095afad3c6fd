// Transform: what happens to items on their way to the model. One file each in src/data/transforms.
//
//   class Invert final : public Transform {
//    public:
//     std::string_view name() const override { return "invert"; }
//     Schema schema(const Schema& in) const override { return in; }
//     void apply(const Schema& in, Sample& batch, std::span<Draw>) const override {
//       for (const Field& field : in)
//         if (field.role == Role::image) batch.set(field.name, inverted(batch[field.name]));
//     }
//   };
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "data/draw.h"
#include "data/source.h"

namespace tenon::data {

// A set of roles.
struct Roles {
  uint32_t bits = 0;

  constexpr Roles() = default;
  template <class... More>
  constexpr explicit Roles(More... roles) : bits(((1U << static_cast<int>(roles)) | ...)) {}
  constexpr bool has(Role role) const { return bits >> static_cast<int>(role) & 1U; }
};

class Transform {
 public:
  virtual ~Transform() = default;

  virtual std::string_view name() const = 0;
  // Draws random numbers, so that items differ from epoch to epoch.
  virtual bool is_random() const { return false; }
  // The roles whose geometry it moves together; none when it moves nothing. A source with fields of
  // a spatial role that is not among them is refused, since they would no longer fit the image.
  virtual Roles moves() const { return {}; }
  // What items become. Fails (usage) where this transform cannot work on them.
  virtual Schema schema(const Schema& in) const = 0;
  // Changes items that lie along a leading axis; `in` describes one of them before. Makes new
  // tensors: those of `batch` may belong to the source. draws[i] is for item i. Thread-safe.
  virtual void apply(const Schema& in, Sample& batch, std::span<Draw> draws) const = 0;
};

using TransformPtr = std::shared_ptr<const Transform>;

// The source whose items went through `transforms` in order. Random ones are keyed by (seed, epoch,
// index of the item in `source`, place in the list), so shuffling above changes no item. Give two
// such sources on top of each other two seeds, or they draw the same numbers.
SourcePtr transform(SourcePtr source, std::vector<TransformPtr> transforms, uint64_t seed = 0);

}  // namespace tenon::data
