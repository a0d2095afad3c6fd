// Running calls: look the signature up, allocate the outputs, run, tell who records.
#include "runtime/dispatch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <memory>
#include <unordered_map>

#include "base/threads.h"
#include "base/trace.h"
#include "ops/grad.h"
#include "runtime/prepared_call.h"
#include "runtime/random.h"
#include "runtime/signature.h"

namespace tenon {

namespace {

using Inputs = std::span<const Tensor* const>;

struct ThreadState {
  bool grad = true;
  Backend backend = Backend::automatic;
};
thread_local ThreadState state;

std::atomic<uint64_t> cache_generation{0};

struct Counters {
  std::atomic<int64_t> calls{0}, hits{0}, reference{0}, expansion{0};
};
Counters counters;

// Prepared calls of one thread by signature. Per thread, so that the hot path takes no lock.
class CallCache {
 public:
  static constexpr size_t kMaxCalls = 8192;

  const PreparedCall* find(const Signature& signature, const Attrs& attrs) {
    if (generation_ != cache_generation.load(std::memory_order_relaxed)) clear();
    const auto range = calls_.equal_range(signature.hash());
    for (auto it = range.first; it != range.second; ++it)
      if (it->second.words == signature.words() && it->second.call->attrs == attrs)
        return it->second.call.get();
    return nullptr;
  }

  const PreparedCall* insert(const Signature& signature, std::shared_ptr<const PreparedCall> call) {
    if (calls_.size() >= kMaxCalls) clear();
    const PreparedCall* raw = call.get();
    calls_.emplace(signature.hash(), Entry{signature.words(), std::move(call)});
    return raw;
  }

 private:
  struct Entry {
    std::vector<uint64_t> words;
    std::shared_ptr<const PreparedCall> call;
  };
  struct Identity {
    size_t operator()(uint64_t hash) const { return hash; }
  };

  void clear() {
    calls_.clear();
    generation_ = cache_generation.load(std::memory_order_relaxed);
  }

  std::unordered_multimap<uint64_t, Entry, Identity> calls_;
  uint64_t generation_ = 0;
};

thread_local CallCache cache;
thread_local Signature signature;

constexpr size_t kMaxCachedContents = 4096;  // bytes of shape-deciding inputs held in a signature

// Finds or prepares the call; `own` keeps one alive that is too large to cache.
const PreparedCall* lookup(const OpDef& op, Inputs inputs, const Attrs& attrs, size_t output_count,
                           std::unique_ptr<PreparedCall>& own) {
  signature.begin();
  signature.add(reinterpret_cast<uint64_t>(&op));
  signature.add(attrs.hash());
  signature.add(output_count << 24 | static_cast<uint64_t>(thread_count()) << 8 |
                static_cast<uint64_t>(state.backend));
  bool cacheable = true;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool contents = i < op.inputs.size() && op.inputs[i].value && inputs[i]->defined();
    if ((contents &&
         (inputs[i]->bytes() > kMaxCachedContents || inputs[i]->dtype() == DType::string)) ||
        (inputs[i]->defined() && is_container(inputs[i]->dtype()))) {
      cacheable = false;
      break;
    }
    signature.add(*inputs[i], contents);
  }
  if (cacheable) {
    if (const PreparedCall* call = cache.find(signature, attrs)) {
      counters.hits.fetch_add(1, std::memory_order_relaxed);
      return call;
    }
  }
  // Preparing may run operators (expansions never do, views may copy), which reuse `signature`.
  const Signature key = cacheable ? signature : Signature();
  std::unique_ptr<PreparedCall> call =
      prepare_call(op, inputs, attrs, output_count, {state.backend});
  if (cacheable) return cache.insert(key, std::move(call));
  own = std::move(call);
  return own.get();
}

constexpr size_t kInlinePorts = 8;

// Pointers to the first elements, null for ports past the last one given; holds row-major copies of
// strided inputs while the kernel runs.
struct Arguments {
  std::array<const void*, kInlinePorts> few_in{};
  std::array<void*, kInlinePorts> few_out{};
  std::vector<const void*> many_in;
  std::vector<void*> many_out;
  TensorList copies;
  const void** in = few_in.data();
  void** out = few_out.data();

  Arguments(size_t inputs, size_t outputs) {
    if (inputs > kInlinePorts) {
      many_in.resize(inputs);
      in = many_in.data();
    }
    if (outputs > kInlinePorts) {
      many_out.resize(outputs);
      out = many_out.data();
    }
  }
};

void run_kernel(const PreparedCall& call, Inputs inputs, std::span<Tensor> outputs) {
  Arguments args(std::max(inputs.size(), call.op->inputs.size()),
                 std::max(outputs.size(), call.op->outputs.size()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = *inputs[i];
    if (!input.defined()) {
      args.in[i] = nullptr;
    } else if (call.needs_contiguous && !input.is_contiguous()) {
      args.copies.push_back(input.contiguous());
      args.in[i] = args.copies.back().raw();
    } else {
      args.in[i] = input.raw();
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i)
    args.out[i] = outputs[i].defined() ? outputs[i].raw() : nullptr;

  RunContext ctx{args.in, args.out, nullptr, {}, outputs.data()};
  if (call.kernel->random_counters) ctx.random = reserve_random(call.kernel->random_counters);
  if (const size_t bytes = call.kernel->scratch_bytes) {
    Allocator& allocator = cpu_device().allocator();
    struct Scratch {
      Allocator& allocator;
      size_t bytes;
      void* block;
      ~Scratch() { allocator.free(block, bytes); }
    } scratch{allocator, bytes, allocator.allocate(bytes)};
    ctx.scratch = scratch.block;
    call.kernel->run(ctx);
  } else {
    call.kernel->run(ctx);
  }
}

Tensor allocate(const TensorSpec& spec) {
  if (!spec.shape_known) return Tensor();
  if (spec.contiguous) return Tensor::empty(spec.shape, spec.dtype);
  return Tensor::empty_strided(spec.shape, spec.strides, spec.dtype);
}

// Takes the attributes by value: the operators it calls may push the prepared call out of the
// cache.
void run_expansion(const OpDef& op, Attrs attrs, Inputs inputs, std::span<Tensor> outputs) {
  const NoGrad no_grad;
  TensorList list;
  for (const Tensor* input : inputs) list.push_back(input->defined() ? input->detach() : Tensor());
  TensorList results = op.expand.fn(ExpandContext(op, attrs, list, outputs.size()));
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i] = std::move(results[i]);
}

// Makes `outputs` from concrete inputs.
void compute(const OpDef& op, Inputs inputs, const Attrs& attrs, std::span<Tensor> outputs) {
  std::unique_ptr<PreparedCall> own;
  const PreparedCall* call = lookup(op, inputs, attrs, outputs.size(), own);
  counters.calls.fetch_add(1, std::memory_order_relaxed);
  const trace::Span span("op", op.name);
  switch (call->how) {
    case PreparedCall::How::kernel:
      for (size_t i = 0; i < outputs.size(); ++i) outputs[i] = allocate(call->outputs[i]);
      run_kernel(*call, inputs, outputs);
      if (call->slow) counters.reference.fetch_add(1, std::memory_order_relaxed);
      break;
    case PreparedCall::How::view:
      outputs[0] = op.view(inputs, attrs, call->outputs[0].shape);
      break;
    case PreparedCall::How::expansion:
      run_expansion(op, attrs, inputs, outputs);
      counters.expansion.fetch_add(1, std::memory_order_relaxed);
      break;
  }
}

// A structural operator on concrete inputs.
void arrange(const OpDef& op, Inputs inputs, const Attrs& attrs, std::span<Tensor> outputs) {
  const trace::Span span("op", op.name);
  std::vector<TensorType> types;
  TensorList list;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool contents = i < op.inputs.size() && op.inputs[i].value;
    types.push_back(TensorType::of(*inputs[i], contents));
    list.push_back(*inputs[i]);
  }
  infer(op, attrs, types, outputs.size());
  TensorList results = op.expand.fn(ExpandContext(op, attrs, list, outputs.size()));
  TENON_BUG_IF(results.size() < outputs.size(), "{} made {} outputs of {}", op.name, results.size(),
               outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i] = std::move(results[i]);
}

// Whether the gradient reads outputs past those that are asked for (Dropout's mask).
bool saves_more(const OpDef& op, size_t asked) {
  const uint32_t saved = op.grad.saves.outputs;
  return saved != saves::all_outputs.outputs && asked < 32 && saved >> asked != 0;
}

void apply_to(const OpDef& op, Inputs inputs, const Attrs& attrs, std::span<Tensor> outputs) {
  if (state.grad && saves_more(op, outputs.size()) &&
      std::any_of(inputs.begin(), inputs.end(),
                  [](const Tensor* input) { return input->requires_grad(); })) {
    TensorList more(static_cast<size_t>(std::bit_width(op.grad.saves.outputs)));
    apply_to(op, inputs, attrs, more);
    std::move(more.begin(), more.begin() + static_cast<ptrdiff_t>(outputs.size()), outputs.begin());
    return;
  }
  for (const Tensor* input : inputs) {
    if (!input->defined() || !input->is_symbolic()) continue;
    TensorList list =
        static_cast<Symbol&>(*input->symbol()).record(op, inputs, attrs, outputs.size());
    std::move(list.begin(), list.end(), outputs.begin());
    break;
  }
  if (!outputs[0].defined() && op.structural) return arrange(op, inputs, attrs, outputs);
  if (!outputs[0].defined()) compute(op, inputs, attrs, outputs);
  if (!state.grad) return;
  for (const Tensor* input : inputs) {
    if (!input->requires_grad()) continue;
    static_cast<History&>(*input->history()).record(op, inputs, attrs, outputs);
    return;
  }
}

template <class... T>
Tensor apply_one(const OpDef& op, const Attrs& attrs, const T&... inputs) {
  const Tensor* list[] = {&inputs...};
  Tensor output;
  apply_to(op, list, attrs, std::span(&output, 1));
  return output;
}

}  // namespace

Tensor OpDef::operator()(const Tensor& a) const { return apply_one(*this, {}, a); }
Tensor OpDef::operator()(const Tensor& a, const Tensor& b) const {
  return apply_one(*this, {}, a, b);
}
Tensor OpDef::operator()(const Tensor& a, const Attrs& attrs) const {
  return apply_one(*this, attrs, a);
}
Tensor OpDef::operator()(const Tensor& a, const Tensor& b, const Attrs& attrs) const {
  return apply_one(*this, attrs, a, b);
}
Tensor OpDef::operator()(const Tensor& a, const Tensor& b, const Tensor& c,
                         const Attrs& attrs) const {
  return apply_one(*this, attrs, a, b, c);
}
Tensor OpDef::operator()(const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& d,
                         const Attrs& attrs) const {
  return apply_one(*this, attrs, a, b, c, d);
}

TensorList OpDef::all(std::span<const Tensor> inputs, const Attrs& attrs,
                      size_t output_count) const {
  std::vector<const Tensor*> list;
  for (const Tensor& input : inputs) list.push_back(&input);
  return apply(*this, list, attrs, output_count);
}

TensorList apply(const OpDef& op, Inputs inputs, const Attrs& attrs, size_t output_count) {
  TENON_CHECK(output_count > 0, usage, "{}: no output asked for; ask for at least one", op.name);
  TensorList outputs(output_count);
  apply_to(op, inputs, attrs, outputs);
  return outputs;
}

void apply_into(const OpDef& op, Inputs inputs, const Attrs& attrs, std::span<Tensor> outputs) {
  std::unique_ptr<PreparedCall> own;
  const PreparedCall* call = lookup(op, inputs, attrs, outputs.size(), own);
  bool direct = call->how == PreparedCall::How::kernel;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorSpec& spec = call->outputs[i];
    TENON_CHECK(
        outputs[i].dtype() == spec.dtype && (!spec.shape_known || outputs[i].shape() == spec.shape),
        usage,
        "{}: output {} is {}{}, but the result is {}{}; give a tensor of that type and shape",
        op.name, i, name(outputs[i].dtype()), outputs[i].shape().str(), name(spec.dtype),
        spec.shape.str());
    direct = direct && spec.shape_known && spec.contiguous && outputs[i].is_contiguous();
  }
  if (direct) {
    counters.calls.fetch_add(1, std::memory_order_relaxed);
    const trace::Span span("op", op.name);
    run_kernel(*call, inputs, outputs);
    for (Tensor& output : outputs) output.bump_version();
    return;
  }
  TensorList results(outputs.size());
  compute(op, inputs, attrs, results);
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i].copy_from(results[i]);
}

bool grad_enabled() { return state.grad; }
GradMode::GradMode(bool on) : before_(state.grad) { state.grad = on; }
GradMode::~GradMode() { state.grad = before_; }

BackendScope::BackendScope(Backend backend) : before_(state.backend) { state.backend = backend; }
BackendScope::~BackendScope() { state.backend = before_; }
Backend current_backend() { return state.backend; }

void clear_kernel_cache() { cache_generation.fetch_add(1, std::memory_order_relaxed); }

DispatchCounts dispatch_counts() {
  return {counters.calls, counters.hits, counters.reference, counters.expansion};
}

}  // namespace tenon
