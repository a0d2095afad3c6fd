// Bytes to numbers from 0 to 1.
#include "data/transforms.h"
#include "data/transforms/catalog.h"
#include "data/transforms/raster.h"

namespace tenon::data {

namespace {

class ToFloat final : public Transform {
 public:
  std::string_view name() const override { return "to_float"; }

  Schema schema(const Schema& in) const override {
    return changed(name(), in, Roles(Role::image), [](Field& field) { field.type = DType::f32; });
  }

  void apply(const Schema& in, Sample& batch, std::span<Draw>) const override {
    for (const Field& field : in) {
      if (field.role != Role::image || field.type != DType::u8) continue;
      const Tensor x = batch[field.name].contiguous();
      Tensor y = Tensor::empty(x.shape());
      const auto* from = x.data<uint8_t>();
      auto* to = y.data<float>();
      for (int64_t i = 0; i < x.numel(); ++i) to[i] = static_cast<float>(from[i]) * (1.0F / 255);
      batch.set(field.name, std::move(y));
    }
  }
};

}  // namespace

constinit const TransformDef transforms::ToFloat{
    "to_float", "u8 images to f32 from 0 to 1", {}, [](const Config&) { return to_float(); }};

TransformPtr to_float() { return std::make_shared<ToFloat>(); }

}  // namespace tenon::data
