// On x86-64 the few functions that Highway's headers call are defined here: its shared library has
// them too, but measures the resolution of the timer for milliseconds before main().
#include "base/simd_targets.h"

#include <hwy/targets.h>

#if defined(__x86_64__)

#include <cpuid.h>

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>

#include "base/error.h"

namespace hwy {

// Hidden: a program that links Highway's own library keeps its own.
[[gnu::visibility("hidden")]] int64_t SupportedTargets();
[[gnu::visibility("hidden")]] void SetSupportedTargetsForTest(int64_t targets);
[[gnu::visibility("hidden")]] ChosenTarget& GetChosenTarget();
[[gnu::visibility("hidden")]] void Abort(const char* file, int line, const char* format, ...);

namespace {

// CPUID's answers, and whether the operating system keeps the wide registers.
struct Processor {
  uint32_t leaf1_c = 0, leaf7_b = 0, leaf7_c = 0, extended_c = 0;
  bool keeps_256 = false, keeps_512 = false;
};

Processor ask_processor() {
  Processor found;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d)) found.leaf1_c = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    found.leaf7_b = b;
    found.leaf7_c = c;
  }
  if (__get_cpuid(0x80000001U, &a, &b, &c, &d)) found.extended_c = c;
  if ((found.leaf1_c & bit_OSXSAVE) != 0) {
    uint32_t low = 0, high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    found.keeps_256 = (low & 0x06U) == 0x06U;
    found.keeps_512 = (low & 0xe6U) == 0xe6U;
  }
  return found;
}

// What each target may use: see HWY_TARGET_STR in Highway's set_macros-inl.h.
int64_t find_targets() {
  constexpr uint32_t kSsse3 = bit_SSE3 | bit_SSSE3;
  constexpr uint32_t kSse4 = kSsse3 | bit_SSE4_1 | bit_SSE4_2 | bit_PCLMUL | bit_AES;
  constexpr uint32_t kAvx2_1 = kSse4 | bit_AVX | bit_FMA | bit_F16C;
  constexpr uint32_t kAvx2_7 = bit_BMI | bit_AVX2 | bit_BMI2;
  constexpr uint32_t kAvx3_7 =
      kAvx2_7 | bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL;
  constexpr uint32_t kAvx3_dl = bit_AVX512VBMI | bit_AVX512VBMI2 | bit_VAES | bit_VPCLMULQDQ |
                                bit_AVX512VNNI | bit_AVX512BITALG | bit_AVX512VPOPCNTDQ | bit_GFNI;
  const auto all = [](uint32_t have, uint32_t wanted) { return (have & wanted) == wanted; };
  const Processor has = ask_processor();
  int64_t targets = HWY_STATIC_TARGET | HWY_EMU128 | HWY_SCALAR;
  if (all(has.leaf1_c, kSsse3)) targets |= HWY_SSSE3;
  if (!all(has.leaf1_c, kSse4)) return targets;
  targets |= HWY_SSE4;
  if (!has.keeps_256 || !all(has.leaf1_c, kAvx2_1) || !all(has.leaf7_b, kAvx2_7) ||
      !all(has.extended_c, bit_LZCNT))
    return targets;
  targets |= HWY_AVX2;
  if (!has.keeps_512 || !all(has.leaf7_b, kAvx3_7)) return targets;
  targets |= HWY_AVX3;
  if (all(has.leaf7_c, kAvx3_dl)) targets |= HWY_AVX3_DL;
  return targets;
}

std::atomic<int64_t>& wanted_targets() {
  static std::atomic<int64_t> targets{0};
  return targets;
}

}  // namespace

int64_t SupportedTargets() {
  static const int64_t found = find_targets();
  const int64_t wanted = wanted_targets().load(std::memory_order_relaxed);
  return wanted ? wanted : found;
}

void SetSupportedTargetsForTest(int64_t targets) { wanted_targets().store(targets); }

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

// Where a check of Highway's own fails, which only debug builds have.
void Abort(const char* file, int line, const char* format, ...) {
  std::array<char, 800> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  tenon::fail(tenon::ErrorKind::bug, "{}:{}: {}", file, line, text.data());
}

}  // namespace hwy

#endif

namespace tenon {

std::vector<SimdTarget> simd_targets() {
  std::vector<SimdTarget> list;
#if defined(__x86_64__)
  // Those that backends/cpu/simd.h compiles for.
  for (const int64_t target : {HWY_AVX3, HWY_AVX2, HWY_SSE4})
    if ((hwy::SupportedTargets() & target) != 0) list.push_back({target, hwy::TargetName(target)});
#endif
  return list;
}

void use_simd_targets(int64_t bits) {
  hwy::SetSupportedTargetsForTest(bits);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace tenon
