#include "engine/tuning.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/threads.h"
#include "base/trace.h"
#include "runtime/packed_store.h"

namespace tenon::engine {

namespace {

constexpr int kRuns = 5;
constexpr int64_t kEnough_ns = 5'000'000;  // for one kernel
// Whose first run takes so many times the best of another is not run again.
constexpr double kHopeless = 1.5;
constexpr int64_t kSaveEvery_ns = 2'000'000'000;

// Floats as files hold them, so that a graph has the same signatures when it is loaded again.
Attr as_in_files(const Attr& attr) {
  if (const auto* number = std::get_if<double>(&attr.value))
    return {attr.name, static_cast<double>(static_cast<float>(*number))};
  const auto* list = std::get_if<std::vector<double>>(&attr.value);
  if (!list) return attr;
  std::vector<double> narrow(*list);
  for (double& number : narrow) number = static_cast<double>(static_cast<float>(number));
  return {attr.name, AttrValue(std::move(narrow))};
}

std::string key_of(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                   const PrepareOptions& options) {
  std::string key = std::string(op.name);
  if (!op.onnx.domain.empty()) key += fmt::format(" of {}", op.onnx.domain);
  for (const Attr& attr : attrs.list()) key += " " + Attrs{as_in_files(attr)}.str();
  key += fmt::format(" threads={}", thread_count());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]->defined()) {
      key += " -";
      continue;
    }
    key += fmt::format(" {}{}{}{}", name(inputs[i]->dtype()), inputs[i]->shape().str(),
                       inputs[i]->is_contiguous() ? "" : inputs[i]->strides().str(),
                       i < options.constant.size() && options.constant[i] ? "c" : "");
  }
  return key;
}

// Seconds of the quickest of a few runs; of fewer where another kernel's `least` is out of reach.
double measure(const PreparedCall& call, std::span<const Tensor* const> inputs,
               const PrepareOptions& options, double least) {
  TensorList held;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& like = *inputs[i];
    if (!like.defined()) {
      in.push_back(nullptr);
      continue;
    }
    const bool constant = i < options.constant.size() && options.constant[i];
    Tensor memory = like;
    if (!constant) {
      memory = call.needs_contiguous || !like.is_dense()
                   ? Tensor::empty(like.shape(), like.dtype())
                   : Tensor::empty_strided(like.shape(), like.strides(), like.dtype());
      if (is_float(like.dtype()))
        memory.fill(0.5);  // neither denormal nor special
      else
        memory.fill(0);
    }
    in.push_back(memory.raw());
    held.push_back(std::move(memory));
  }
  in.resize(std::max(in.size(), call.op->inputs.size()), nullptr);
  for (const TensorSpec& spec : call.outputs) {
    if (!spec.present()) {
      out.push_back(nullptr);
      continue;
    }
    Tensor memory = spec.contiguous ? Tensor::empty(spec.shape, spec.dtype)
                                    : Tensor::empty_strided(spec.shape, spec.strides, spec.dtype);
    out.push_back(memory.raw());
    held.push_back(std::move(memory));
  }
  out.resize(std::max(out.size(), call.op->outputs.size()), nullptr);
  Tensor scratch =
      Tensor::empty(Shape{static_cast<int64_t>(call.kernel->scratch_bytes)}, DType::u8);
  const RunContext ctx{in.data(), out.data(), scratch.raw(), {}, nullptr};
  call.kernel->run(ctx);  // first touches, lazy compilation
  int64_t best = std::numeric_limits<int64_t>::max(), spent = 0;
  for (int i = 0; i < kRuns && spent < kEnough_ns; ++i) {
    const int64_t begin = trace::now_ns();
    call.kernel->run(ctx);
    const int64_t took = trace::now_ns() - begin;
    best = std::min(best, took);
    spent += took;
    if (static_cast<double>(best) * 1e-9 > kHopeless * least) break;
  }
  return static_cast<double>(best) * 1e-9;
}

bool can_measure(std::span<const Tensor* const> inputs, const PreparedCall& call,
                 const PrepareOptions& options) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]->defined()) continue;
    const bool constant = i < options.constant.size() && options.constant[i];
    // A view with gaps cannot be stood in for by memory of its own.
    if (!constant && !call.needs_contiguous && !inputs[i]->is_contiguous() &&
        !inputs[i]->is_dense())
      return false;
  }
  return std::ranges::all_of(call.outputs, &TensorSpec::shape_known);
}

// The quickest of the kernels that accept; "" where that are fewer than two.
std::string_view measure_all(const OpDef& op, std::span<const Tensor* const> inputs,
                             const Attrs& attrs, size_t output_count,
                             const PrepareOptions& options) {
  std::string_view best;
  const std::vector<std::string_view> names =
      accepting_kernels(op, inputs, attrs, output_count, options);
  if (names.size() < 2) return best;
  double least = std::numeric_limits<double>::infinity();
  for (std::string_view kernel_name : names) {
    // Only what is chosen shall pack weights that stay.
    PackedStore passing;
    PrepareOptions one = options;
    if (one.packed) one.packed = &passing;
    one.kernel = kernel_name;
    const std::unique_ptr<PreparedCall> call = prepare_call(op, inputs, attrs, output_count, one);
    if (call->how != PreparedCall::How::kernel || !can_measure(inputs, *call, options)) continue;
    const double seconds = measure(*call, inputs, options, least);
    if (seconds < least) {
      least = seconds;
      best = kernel_name;
    }
  }
  return best;
}

// What this process knows. Thread-safe.
class Known {
 public:
  // Nothing where it is unknown, or names a kernel that there is no more.
  std::optional<std::string_view> find(const std::string& call,
                                       std::span<const KernelEntry* const> entries) {
    const std::scoped_lock lock(mutex_);
    if (!loaded_) {
      loaded_ = true;
      choices_.merge(TuningCache::of_user().read());
    }
    const auto found = choices_.find(call);
    if (found == choices_.end()) return std::nullopt;
    if (found->second.empty()) return std::string_view();
    const auto entry = std::ranges::find(entries, found->second, &KernelEntry::name);
    if (entry == entries.end()) return std::nullopt;
    return (*entry)->name;  // lives as long as the program
  }

  void add_measured(const std::string& call, std::string_view kernel) {
    const std::scoped_lock lock(mutex_);
    make_room(1);
    choices_[call] = std::string(kernel);
    fresh_[call] = std::string(kernel);
  }

  void add(TuningChoices choices) {
    const std::scoped_lock lock(mutex_);
    make_room(choices.size());
    choices_.merge(choices);
  }

  void save(bool now) {
    TuningChoices fresh;
    {
      const std::scoped_lock lock(mutex_);
      const int64_t time = trace::now_ns();
      if (fresh_.empty() || (!now && time < next_save_ns_)) return;
      next_save_ns_ = time + kSaveEvery_ns;
      fresh = std::exchange(fresh_, {});
    }
    const std::scoped_lock lock(file_mutex_);
    TuningCache::of_user().add(fresh);
  }

 private:
  void make_room(size_t count) {
    if (choices_.size() + count <= kMaxTuningChoices) return;
    choices_.clear();
    if (fresh_.size() + count > kMaxTuningChoices) fresh_.clear();
  }

  std::mutex mutex_, file_mutex_;
  bool loaded_ = false;
  TuningChoices choices_;
  TuningChoices fresh_;  // of these, those that the file lacks
  int64_t next_save_ns_ = 0;
};

Known& known_choices() {
  static Known known;
  return known;
}

}  // namespace

void TuningLog::add(const std::string& call, std::string_view kernel) {
  const std::scoped_lock lock(mutex_);
  if (choices_.size() < kMaxTuningChoices || choices_.contains(call))
    choices_[call] = std::string(kernel);
}

TuningChoices TuningLog::choices() const {
  const std::scoped_lock lock(mutex_);
  return choices_;
}

std::string_view quickest_kernel(const OpDef& op, std::span<const Tensor* const> inputs,
                                 const Attrs& attrs, size_t output_count,
                                 const PrepareOptions& options, TuningLog& log) {
  const auto entries = kernels_of(op, Backend::cpu);
  if (std::ranges::none_of(entries, &KernelEntry::variant)) return {};
  const std::string key = key_of(op, inputs, attrs, options);
  std::optional<std::string_view> best = known_choices().find(key, entries);
  if (!best) {
    best = measure_all(op, inputs, attrs, output_count, options);
    known_choices().add_measured(key, *best);
  }
  log.add(key, *best);
  return *best;
}

void add_tuning(const TuningChoices& choices) { known_choices().add(choices); }

void save_tuning(bool now) { known_choices().save(now); }

}  // namespace tenon::engine
