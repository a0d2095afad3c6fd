#include "tensor/caching_allocator.h"
#include "tensor/device.h"

namespace tenon {
namespace {

class CpuDevice final : public Device {
 public:
  std::string_view name() const override { return "cpu"; }
  Allocator& allocator() override { return allocator_; }

 private:
  CachingAllocator& allocator_ = CachingAllocator::instance();
};

}  // namespace

Device& cpu_device() {
  static CpuDevice& device = *new CpuDevice;  // never destroyed: tensors may outlive any static
  return device;
}

}  // namespace tenon
