// Binding and running oneDNN primitives.
#include "backends/cpu/onednn.h"

#include <cstring>
#include <string>

#include "runtime/packed_store.h"

namespace tenon::cpu {

namespace {

constexpr size_t kAlignment = 64;

dnnl::stream& stream() {
  thread_local dnnl::stream instance(onednn_engine());
  return instance;
}

// Names a layout in a PackedStore. Two descriptors of one layout may in theory differ in bytes that
// mean nothing; that costs a second copy, never a wrong one.
std::string layout_key(const dnnl::memory::desc& given, const dnnl::memory::desc& wanted) {
  std::string key("onednn");
  for (const dnnl::memory::desc* desc : {&given, &wanted}) {
    char bytes[sizeof(desc->data)];
    std::memcpy(bytes, &desc->data, sizeof(bytes));
    key.append(bytes, sizeof(bytes));
  }
  return key;
}

}  // namespace

const dnnl::engine& onednn_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::memory::dims dims_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

bool has_bf16_products() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

dnnl::memory::data_type onednn_type(DType type) {
  using Type = dnnl::memory::data_type;
  switch (type) {
    case DType::f32: return Type::f32;
    case DType::bf16: return Type::bf16;
    case DType::i32: return Type::s32;
    case DType::i8: return Type::s8;
    case DType::u8: return Type::u8;
    default: return Type::undef;
  }
}

dnnl::memory::desc desc_of(DType type, const Shape& shape, const Shape& strides) {
  return {dims_of(shape), onednn_type(type), dims_of(strides)};
}
dnnl::memory::desc desc_of(const TensorSpec& spec) {
  return desc_of(spec.dtype, spec.shape, spec.strides);
}

Shape channels_last(const Shape& shape) {
  Shape strides(shape.rank(), 1);
  int64_t stride = shape[1];
  for (size_t axis = shape.rank(); axis-- > 2;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  strides[0] = stride;
  return strides;
}

void set_channels_last(TensorSpec& output) {
  output.strides = channels_last(output.shape);
  output.contiguous = output.shape[1] == 1 || output.numel() == output.shape[0] * output.shape[1];
  if (output.contiguous) output.strides = output.shape.row_major_strides();
}

OneDnnKernel::BufferId OneDnnKernel::add_buffer(const dnnl::memory::desc& desc, Place place,
                                                size_t at) {
  buffers_.push_back({desc, place, at});
  return buffers_.size() - 1;
}

OneDnnKernel::BufferId OneDnnKernel::temporary(const dnnl::memory::desc& desc) {
  const size_t at = scratch_bytes;
  scratch_bytes += (desc.get_size() + kAlignment - 1) / kAlignment * kAlignment;
  return add_buffer(desc, Place::scratch, at);
}

OneDnnKernel::BufferId OneDnnKernel::packed(const PrepareContext& ctx, size_t port,
                                            const dnnl::memory::desc& given,
                                            const dnnl::memory::desc& wanted) {
  if (!ctx.is_constant(port) || given == wanted) return as(input(port, given), wanted);
  const void* source = ctx.inputs[port].constant;
  const auto bytes = static_cast<int64_t>(wanted.get_size());
  const auto reorder_now = [&] {
    Tensor made = Tensor::empty({bytes}, DType::u8);
    dnnl::memory from(given, onednn_engine(), const_cast<void*>(source));
    dnnl::memory to(wanted, onednn_engine(), made.raw());
    dnnl::reorder(from, to).execute(stream(), from, to);
    stream().wait();
    return made;
  };
  constants_.push_back(
      ctx.packed->get(source, layout_key(given, wanted), reorder_now, {DType::u8, bytes}));
  return add_buffer(wanted, Place::constant, constants_.size() - 1);
}

OneDnnKernel::BufferId OneDnnKernel::as(BufferId from, const dnnl::memory::desc& desc) {
  if (buffers_[from].desc == desc) return from;
  const BufferId to = temporary(desc);
  reorder(from, to);
  return to;
}

void OneDnnKernel::reorder(BufferId from, BufferId to) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::reorder::primitive_desc desc(onednn_engine(), buffers_[from].desc, onednn_engine(),
                                           buffers_[to].desc, attr);
  add(dnnl::reorder(desc), desc.scratchpad_desc(), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

void OneDnnKernel::add(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad,
                       Arguments arguments) {
  if (scratchpad.get_size() > 0) arguments.emplace_back(DNNL_ARG_SCRATCHPAD, temporary(scratchpad));
  steps_.push_back({primitive, std::move(arguments)});
}

std::unique_ptr<OneDnnKernel::Bound> OneDnnKernel::bind() const {
  auto bound = std::make_unique<Bound>();
  for (const Buffer& buffer : buffers_)
    bound->memories.emplace_back(buffer.desc, onednn_engine(), nullptr);
  for (const Step& step : steps_) {
    std::vector<dnnl_exec_arg_t>& list = bound->arguments.emplace_back();
    for (const auto& [arg, id] : step.arguments) list.push_back({arg, bound->memories[id].get()});
  }
  return bound;
}

void* OneDnnKernel::address(const Buffer& buffer, const RunContext& ctx) const {
  switch (buffer.place) {
    case Place::input: return const_cast<void*>(ctx.in[buffer.at]);
    case Place::output: return ctx.out[buffer.at];
    case Place::constant: return const_cast<void*>(constants_[buffer.at].raw());
    case Place::scratch: break;
  }
  return static_cast<std::byte*>(ctx.scratch) + buffer.at;
}

void OneDnnKernel::execute(Bound& bound, const RunContext& ctx) const {
  for (size_t i = 0; i < buffers_.size(); ++i) {
    const Buffer& buffer = buffers_[i];
    dnnl_memory_set_data_handle(bound.memories[i].get(), address(buffer, ctx));
  }
  for (size_t s = 0; s < steps_.size(); ++s) {
    const auto& arguments = bound.arguments[s];
    const dnnl_status_t status =
        dnnl_primitive_execute(steps_[s].primitive.get(), stream().get(),
                               static_cast<int>(arguments.size()), arguments.data());
    TENON_BUG_IF(status != dnnl_success, "oneDNN failed to execute a primitive: status {}",
                 static_cast<int>(status));
  }
}

void OneDnnKernel::run(const RunContext& ctx) const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return execute(*bind(), ctx);
  if (!bound_) bound_ = bind();
  execute(*bound_, ctx);
}

}  // namespace tenon::cpu
