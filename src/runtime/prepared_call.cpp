// Choosing a kernel: slow, explained, once a signature.
#include "runtime/prepared_call.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "ops/infer.h"
#include "runtime/packed_store.h"

namespace tenon {

namespace {

using Index = std::unordered_map<const OpDef*, std::vector<const KernelEntry*>>;

Index make_index(std::span<const KernelList* const> lists) {
  Index index;
  for (const KernelList* list : lists)
    for (const KernelEntry& entry : *list) index[entry.op].push_back(&entry);
  return index;
}

const Index& cpu_index() {
  static const Index index = make_index(cpu::kernels());
  return index;
}
const Index& reference_index() {
  static const Index index = make_index(reference::kernels());
  return index;
}

const std::vector<const KernelEntry*>& find(const Index& index, const OpDef& op) {
  static const std::vector<const KernelEntry*> none;
  const auto found = index.find(&op);
  return found == index.end() ? none : found->second;
}

std::atomic<bool> explaining{false};
std::mutex choices_mutex;
std::vector<Choice>& choices() {
  static std::vector<Choice> list;
  return list;
}

TensorSpec spec_of(const Tensor& tensor, bool constant) {
  TensorSpec spec;
  if (!tensor.defined()) return spec;
  spec.dtype = tensor.dtype();
  spec.shape = tensor.shape();
  spec.strides = tensor.strides();
  spec.contiguous = tensor.is_contiguous();
  if (constant) spec.constant = tensor.raw();
  return spec;
}

TensorSpec spec_of(const TensorType& type) {
  TensorSpec spec;
  spec.dtype = type.dtype;
  const auto shape = type.ranked ? to_shape(type.dims) : std::nullopt;
  spec.shape_known = shape.has_value();
  if (shape) {
    spec.shape = *shape;
    spec.strides = shape->row_major_strides();
  }
  return spec;
}

std::string call_text(const OpDef& op, std::span<const TensorType> types, const Attrs& attrs) {
  std::string text = std::string(op.name) + "(";
  for (size_t i = 0; i < types.size(); ++i) text += (i ? ", " : "") + types[i].str();
  return text + ")" + (attrs.empty() ? "" : " " + attrs.str());
}

// Tries one backend's kernels in order; true when one accepted.
bool try_kernels(PreparedCall& call, const std::vector<const KernelEntry*>& entries,
                 std::span<const TensorSpec> inputs, const PrepareOptions& options,
                 std::vector<std::string>& refusals) {
  std::vector<TensorSpec> dense;
  for (const KernelEntry* entry : entries) {
    std::span<const TensorSpec> seen = inputs;
    if (entry->strides == Strides::contiguous) {
      if (dense.empty()) {
        dense.assign(inputs.begin(), inputs.end());
        for (TensorSpec& spec : dense) {
          if (!spec.contiguous) spec.constant = nullptr;  // the kernel will see a copy
          spec.strides = spec.shape.row_major_strides();
          spec.contiguous = true;
        }
      }
      seen = dense;
    }
    std::vector<TensorSpec> outputs = call.outputs;
    if (options.packed) options.packed->take_asked();  // by kernels that refused
    Prepared prepared =
        entry->prepare(PrepareContext{{*call.op, call.attrs}, seen, outputs, options.packed});
    if (auto* refusal = std::get_if<Refusal>(&prepared)) {
      refusals.push_back(fmt::format("{}: {}", entry->name, refusal->why));
      continue;
    }
    call.entry = entry;
    call.kernel = std::move(std::get<std::unique_ptr<Kernel>>(prepared));
    call.outputs = std::move(outputs);
    call.needs_contiguous = entry->strides == Strides::contiguous;
    return true;
  }
  return false;
}

void explain(const PreparedCall& call, std::span<const TensorType> types,
             std::vector<std::string> refusals) {
  if (!explaining.load(std::memory_order_relaxed)) return;
  std::string kernel = call.how == PreparedCall::How::view        ? "view"
                       : call.how == PreparedCall::How::expansion ? "expansion"
                                                                  : std::string(call.entry->name);
  const std::scoped_lock lock(choices_mutex);
  choices().push_back(
      {call_text(*call.op, types, call.attrs), std::move(kernel), std::move(refusals)});
}

}  // namespace

namespace {

// A call as kernels see it.
struct Seen {
  std::vector<TensorType> types;
  std::vector<TensorSpec> specs;
  TensorList held;  // row-major copies of value inputs, alive while preparing

  Seen(const OpDef& op, std::span<const Tensor* const> inputs, const PrepareOptions& options) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool value = i < op.inputs.size() && op.inputs[i].value && inputs[i]->defined();
      const bool constant = value || (i < options.constant.size() && options.constant[i]);
      Tensor tensor = value ? inputs[i]->contiguous() : *inputs[i];
      types.push_back(TensorType::of(tensor, value));
      specs.push_back(spec_of(tensor, constant));
      if (value) held.push_back(std::move(tensor));
    }
  }
};

std::unique_ptr<PreparedCall> new_call(const OpDef& op, const Attrs& attrs, const Seen& seen,
                                       size_t output_count) {
  auto call = std::make_unique<PreparedCall>();
  call->op = &op;
  call->attrs = attrs;
  for (const TensorType& type : infer(op, attrs, seen.types, output_count))
    call->outputs.push_back(spec_of(type));
  return call;
}

bool is_fast(Backend backend) { return backend == Backend::automatic || backend == Backend::cpu; }

// Whether the call is a view; notes where it looks.
bool try_view(PreparedCall& call, std::span<const Tensor* const> inputs,
              const PrepareOptions& options) {
  if (!is_fast(options.backend) || !call.op->view || !call.outputs[0].shape_known) return false;
  const Tensor view = call.op->view(inputs, call.attrs, call.outputs[0].shape);
  if (!view.defined()) return false;
  call.how = PreparedCall::How::view;
  call.outputs[0].strides = view.strides();
  call.outputs[0].contiguous = view.is_contiguous();
  call.view_offset = view.offset() - inputs[0]->offset();
  return true;
}

}  // namespace

std::unique_ptr<PreparedCall> prepare_call(const OpDef& op, std::span<const Tensor* const> inputs,
                                           const Attrs& attrs, size_t output_count,
                                           const PrepareOptions& options) {
  const Seen seen(op, inputs, options);
  std::unique_ptr<PreparedCall> call = new_call(op, attrs, seen, output_count);
  if (try_view(*call, inputs, options)) {
    explain(*call, seen.types, {});
    return call;
  }
  const Backend backend = options.backend;
  std::vector<std::string> refusals;
  const auto expand = [&] {
    if (!op.expand.fn) return false;
    call->how = PreparedCall::How::expansion;
    return true;
  };
  bool found = false;
  if (backend == Backend::expansion) found = expand();
  if (!found && is_fast(backend)) {
    const std::vector<const KernelEntry*>& entries = find(cpu_index(), op);
    const auto wanted = std::ranges::find(entries, options.kernel, &KernelEntry::name);
    if (wanted != entries.end())
      found = try_kernels(*call, {*wanted}, seen.specs, options, refusals);
    if (!found) found = try_kernels(*call, entries, seen.specs, options, refusals);
  }
  if (!found && backend == Backend::cpu) found = expand();
  if (!found && backend != Backend::cpu) {
    found = try_kernels(*call, find(reference_index(), op), seen.specs, options, refusals);
    call->slow = found;
    if (!found) found = expand();
  }
  if (!found) {
    std::string why;
    for (const std::string& refusal : refusals) why += "; " + refusal;
    fail(ErrorKind::unsupported, "{}: no kernel runs it{}; cast the inputs or use another backend",
         call_text(op, seen.types, attrs), why);
  }
  explain(*call, seen.types, std::move(refusals));
  return call;
}

std::vector<std::string_view> accepting_kernels(const OpDef& op,
                                                std::span<const Tensor* const> inputs,
                                                const Attrs& attrs, size_t output_count,
                                                const PrepareOptions& options) {
  const Seen seen(op, inputs, options);
  std::unique_ptr<PreparedCall> call = new_call(op, attrs, seen, output_count);
  std::vector<std::string_view> names;
  if (!is_fast(options.backend) || try_view(*call, inputs, options)) return names;
  const std::vector<TensorSpec> outputs = call->outputs;
  const auto accepts = [&](const KernelEntry* entry) {
    std::vector<std::string> refusals;
    call->outputs = outputs;
    // What one packs shall not lie beside what the others do.
    PackedStore passing;
    PrepareOptions alone = options;
    if (alone.packed) alone.packed = &passing;
    const bool accepted = try_kernels(*call, {entry}, seen.specs, alone, refusals);
    call->kernel = nullptr;
    return accepted;
  };
  // The variants refuse most calls, and quickly; what others pack would then be packed for nothing.
  const std::vector<const KernelEntry*>& entries = find(cpu_index(), op);
  std::vector<const KernelEntry*> variants;
  for (const KernelEntry* entry : entries)
    if (entry->variant && accepts(entry)) variants.push_back(entry);
  if (variants.empty()) return names;
  for (const KernelEntry* entry : entries) {
    const bool taken = entry->variant ? std::ranges::find(variants, entry) != variants.end()
                                      : names.empty() && accepts(entry);
    if (taken) names.push_back(entry->name);
  }
  return names;
}

void set_explain(bool on) { explaining = on; }

std::vector<Choice> take_choices() {
  const std::scoped_lock lock(choices_mutex);
  return std::exchange(choices(), {});
}

std::vector<const KernelEntry*> kernels_of(const OpDef& op, Backend backend) {
  std::vector<const KernelEntry*> list;
  if (backend == Backend::automatic || backend == Backend::cpu) list = find(cpu_index(), op);
  if (backend == Backend::automatic || backend == Backend::reference)
    for (const KernelEntry* entry : find(reference_index(), op)) list.push_back(entry);
  return list;
}

std::vector<int64_t> TensorSpec::constant_ints() const {
  TENON_BUG_IF(!constant, "a kernel reads the contents of an input that is not constant");
  Tensor view = Tensor::borrow(const_cast<void*>(constant), shape, dtype);
  return view.to_vector<int64_t>();
}

}  // namespace tenon
