// A kernel made of oneDNN primitives: buffers bound to inputs, outputs and scratch, and steps that
// run in order. Primitives are created while preparing; a run only sets pointers and executes.
#pragma once

#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

#include "runtime/kernel.h"

namespace tenon::cpu {

const dnnl::engine& onednn_engine();

dnnl::memory::dims dims_of(const Shape& shape);
// Whether the processor multiplies bf16; with less than that oneDNN emulates it, which is slower
// than f32, or has nothing.
bool has_bf16_products();
// undef where oneDNN has no such type.
dnnl::memory::data_type onednn_type(DType type);
dnnl::memory::desc desc_of(const TensorSpec& spec);
dnnl::memory::desc desc_of(DType type, const Shape& shape, const Shape& strides);

// Channels-last strides of [N, C, spatial...].
Shape channels_last(const Shape& shape);
// Makes output `i` of the call channels-last.
void set_channels_last(TensorSpec& output);

class OneDnnKernel final : public Kernel {
 public:
  using BufferId = size_t;
  using Arguments = std::vector<std::pair<int, BufferId>>;  // DNNL_ARG_*

  BufferId input(size_t port, const dnnl::memory::desc& desc) {
    return add_buffer(desc, Place::input, port);
  }
  BufferId output(size_t port, const dnnl::memory::desc& desc) {
    return add_buffer(desc, Place::output, port);
  }
  BufferId temporary(const dnnl::memory::desc& desc);
  // Input `port`, which comes as `given`, in the layout `wanted`: where it is constant, reordered
  // once and kept in ctx.packed; else by a step of every run.
  BufferId packed(const PrepareContext& ctx, size_t port, const dnnl::memory::desc& given,
                  const dnnl::memory::desc& wanted);
  // The contents of `from` in another layout: itself when that is the same.
  BufferId as(BufferId from, const dnnl::memory::desc& desc);
  void reorder(BufferId from, BufferId to);
  // A step; its scratchpad (user mode) is provided.
  void add(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad,
           Arguments arguments);

  void run(const RunContext& ctx) const override;

 private:
  enum class Place : uint8_t { input, output, scratch, constant };
  struct Buffer {
    dnnl::memory::desc desc;
    Place place;
    size_t at;  // a port, an offset in the scratch, or a place in constants_
  };
  struct Step {
    dnnl::primitive primitive;
    Arguments arguments;
  };
  // Memory objects and argument lists: reused by one run after another, made anew for a run that
  // comes while another is under way.
  struct Bound {
    std::vector<dnnl::memory> memories;
    std::vector<std::vector<dnnl_exec_arg_t>> arguments;
  };

  BufferId add_buffer(const dnnl::memory::desc& desc, Place place, size_t at);
  std::unique_ptr<Bound> bind() const;
  void* address(const Buffer& buffer, const RunContext& ctx) const;
  void execute(Bound& bound, const RunContext& ctx) const;

  std::vector<Tensor> constants_;
  std::vector<Buffer> buffers_;
  std::vector<Step> steps_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Bound> bound_;
};

// Runs `make`, turning a oneDNN error into a refusal.
template <class Make>
Prepared with_onednn(Make&& make) {
  try {
    return std::forward<Make>(make)();
  } catch (const dnnl::error& error) {
    return refuse(std::string("oneDNN has no such primitive: ") + error.what());
  }
}

}  // namespace tenon::cpu
