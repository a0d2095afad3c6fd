// ReverseSequence: copies of what each step of a sequence holds.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/nn/sequence_lengths.h"
#include "ops/shape/catalog.h"

namespace tenon::cpu {

namespace {

Prepared prepare_reverse_sequence(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.dtype == DType::string) return refuse("only numbers; input holds strings");
  if (x.numel() == 0) return refuse("nothing to copy");
  const auto time = static_cast<size_t>(ctx.i("time_axis"));
  const int64_t steps = x.shape[time], sequences = x.shape[1 - time];
  const auto bytes = static_cast<size_t>(x.numel() / (steps * sequences)) * size_of(x.dtype);
  return make_kernel([steps, sequences, bytes, by_time = time == 0](const RunContext& run) {
    const auto* lengths = run.input<int64_t>(1);
    check_lengths("ReverseSequence", "input", lengths, sequences, steps);
    const auto* from = static_cast<const std::byte*>(run.in[0]);
    auto* to = static_cast<std::byte*>(run.out[0]);
    const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>((size_t{1} << 16) / bytes));
    parallel_for(0, steps * sequences, grain, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const int64_t step = by_time ? at / sequences : at % steps;
        const int64_t n = by_time ? at % sequences : at / steps;
        const int64_t other = step < lengths[n] ? lengths[n] - 1 - step : step;
        const int64_t source = by_time ? other * sequences + n : n * steps + other;
        std::memcpy(to + static_cast<size_t>(at) * bytes,
                    from + static_cast<size_t>(source) * bytes, bytes);
      }
    });
  });
}

}  // namespace

constinit const KernelList reverse_sequence{
    {&op::ReverseSequence, "cpu.reverse_sequence", prepare_reverse_sequence},
};

}  // namespace tenon::cpu
