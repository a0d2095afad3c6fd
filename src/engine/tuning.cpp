#include "engine/tuning.h"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <string>

#include "base/threads.h"
#include "base/trace.h"
#include "runtime/packed_store.h"

namespace tenon::engine {

namespace {

constexpr int kRuns = 5;
constexpr int64_t kEnough_ns = 5'000'000;  // for one kernel
// Whose first run takes so many times the best of another is not run again.
constexpr double kHopeless = 1.5;

std::string key_of(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                   const PrepareOptions& options) {
  std::string key = fmt::format("{} {} threads={}", op.name, attrs.str(), thread_count());
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

}  // namespace

std::string_view quickest_kernel(const OpDef& op, std::span<const Tensor* const> inputs,
                                 const Attrs& attrs, size_t output_count,
                                 const PrepareOptions& options) {
  static std::mutex mutex;
  static std::map<std::string, std::string_view> known;  // kernel names live as long as the program
  const auto entries = kernels_of(op, Backend::cpu);
  if (std::ranges::none_of(entries, &KernelEntry::variant)) return {};
  const std::string key = key_of(op, inputs, attrs, options);
  {
    const std::scoped_lock lock(mutex);
    if (const auto found = known.find(key); found != known.end()) return found->second;
  }
  std::string_view best;
  PackedStore asked;  // what the losers pack is not kept
  PrepareOptions asking = options;
  asking.packed = &asked;
  const std::vector<std::string_view> names =
      accepting_kernels(op, inputs, attrs, output_count, asking);
  double least = std::numeric_limits<double>::infinity();
  if (names.size() > 1)
    for (std::string_view kernel_name : names) {
      PrepareOptions one = asking;
      one.kernel = kernel_name;
      const std::unique_ptr<PreparedCall> call = prepare_call(op, inputs, attrs, output_count, one);
      if (call->how != PreparedCall::How::kernel || !can_measure(inputs, *call, options)) continue;
      const double seconds = measure(*call, inputs, options, least);
      if (seconds < least) {
        least = seconds;
        best = kernel_name;
      }
    }
  const std::scoped_lock lock(mutex);
  return known.emplace(key, best).first->second;
}

}  // namespace tenon::engine
