// What was measured: remembered, kept in a file, taken back when it fits.
#include "engine/tuning.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "ops/nn/catalog.h"
#include "runtime/packed_store.h"
#include "runtime/random.h"

namespace tenon::engine {

namespace {

TEST(TuningCache, KeepsChoices) {
  const TempDirectory folder("tenon_tuning_test");
  const TuningCache cache(folder / "new/tuning.json");
  EXPECT_TRUE(cache.read().empty());
  cache.add({{"Conv f32[1]", "cpu.a"}, {"Conv f32[2]", ""}});
  cache.add({{"Conv f32[1]", "cpu.b"}, {"Gemm", "cpu.c"}});
  const TuningChoices expected{{"Conv f32[1]", "cpu.b"}, {"Conv f32[2]", ""}, {"Gemm", "cpu.c"}};
  EXPECT_EQ(cache.read(), expected);
  EXPECT_TRUE(TuningCache(cache.path(), {"Another CPU", ""}).read().empty());
  const Machine& here = this_machine();
  const TuningCache other_build(cache.path(), {here.cpu, here.vectors, "0123"});
  EXPECT_TRUE(other_build.read().empty());
  other_build.add({{"Gemm", "cpu.d"}});
  EXPECT_EQ(other_build.read(), TuningChoices({{"Gemm", "cpu.d"}}));
  EXPECT_TRUE(cache.read().empty()) << "the last build's are kept";
}

TEST(TuningCache, LeavesAsideWhatIsNone) {
  const TempDirectory folder("tenon_tuning_test");
  const TuningCache cache(folder / "tuning.json");
  const Machine& here = this_machine();
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{\"cpu\": 3}"),
        Json({{"cpu", here.cpu},
              {"vectors", here.vectors},
              {"build", here.build},
              {"choices", {{"a", 3}}}})
            .dump(),
        Json({{"cpu", here.cpu}, {"vectors", here.vectors}, {"build", here.build}}).dump()}) {
    write_file(cache.path(), text);
    EXPECT_TRUE(cache.read().empty()) << text;
  }
  cache.add({{"Conv", "cpu.a"}});
  EXPECT_EQ(cache.read().size(), 1U) << "and is written anew";
  // Places that cannot be written to.
  write_file(folder / "file", "");
  TuningCache(folder / "file/tuning.json").add({{"Conv", "cpu.a"}});
  TuningCache("").add({{"Conv", "cpu.a"}});
  EXPECT_TRUE(TuningCache("").read().empty());
}

TEST(TuningCache, LiesWhereTheUserSays) {
  const test::Variable on("TENON_CACHE", nullptr), place("TENON_CACHE_DIR", "/some/where");
  const std::string path = TuningCache::of_user().path();
  EXPECT_TRUE(path.starts_with("/some/where/tuning-")) << path;
  EXPECT_TRUE(path.ends_with(".json")) << path;
  EXPECT_EQ(path.substr(12).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-."),
            std::string::npos)
      << path;
  const test::Variable off("TENON_CACHE", "off");
  EXPECT_EQ(TuningCache::of_user().path(), "");
}

TEST(Machine, HasASlug) {
  EXPECT_EQ(slug_of({"AMD EPYC (9B14)", "avx2"}).find("amd-epyc-9b14-"), 0U);
  EXPECT_NE(slug_of({"a", "avx2"}), slug_of({"a", "avx512f"}));
  EXPECT_EQ(slug_of({"a", "avx2"}).size(), 2U + 8U);
  EXPECT_EQ(slug_of({"", ""}).size(), 1U + 8U);
}

struct ConvCall {
  Tensor x = Tensor::zeros({1, 16, 24, 24}), w = randn({16, 16, 3, 3});
  Attrs attrs{{"pads", {1, 1, 1, 1}}, {"kernel_shape", {3, 3}}};
  PackedStore packed;
  TuningLog log;

  std::string_view choose() {
    const std::vector<const Tensor*> inputs{&x, &w};
    PrepareOptions options;
    options.packed = &packed;
    options.constant = {false, true};
    return quickest_kernel(op::Conv, inputs, attrs, 1, options, log);
  }
};

TEST(Tuning, PacksNothingThatStays) {
  ConvCall call;
  call.choose();
  EXPECT_EQ(call.packed.bytes(), 0);
  ASSERT_EQ(call.log.choices().size(), 1U);
}

TEST(Tuning, TakesChoicesMadeElsewhere) {
  ConvCall like;
  like.x = Tensor::zeros({1, 16, 26, 24});  // as no other test has it
  const std::string_view measured = like.choose();
  const std::string key = like.log.choices().begin()->first;
  EXPECT_EQ(like.log.choices().begin()->second, measured);

  // The key of a call that was not made yet, by what tells the two apart.
  const size_t at = key.find("26");
  ASSERT_NE(at, std::string::npos) << key;
  ConvCall other;
  other.x = Tensor::zeros({1, 16, 28, 24});
  std::string other_key = key;
  other_key.replace(at, 2, "28");
  const std::string elsewhere(kernels_of(op::Conv, Backend::cpu).back()->name);
  add_tuning({{other_key, elsewhere}, {key, "cpu.nothing"}});
  EXPECT_EQ(other.choose(), elsewhere);
  EXPECT_EQ(like.choose(), measured) << "what was measured here stays";

  ConvCall third;
  third.x = Tensor::zeros({1, 16, 30, 24});
  other_key.replace(at, 2, "30");
  add_tuning({{other_key, "cpu.long_gone"}});
  EXPECT_NE(third.choose(), "cpu.long_gone") << "measured, where there is no such kernel";
}

TEST(Tuning, IsWrittenToTheCache) {
  const TempDirectory folder("tenon_tuning_test");
  const test::Variable on("TENON_CACHE", nullptr), place("TENON_CACHE_DIR", folder.path().c_str());
  save_tuning(true);  // what other tests left
  ConvCall call;
  call.x = Tensor::zeros({1, 16, 20, 22});
  call.choose();
  save_tuning(true);
  const TuningChoices written = TuningCache::of_user().read(), chosen = call.log.choices();
  ASSERT_EQ(chosen.size(), 1U);
  const auto found = written.find(chosen.begin()->first);
  ASSERT_NE(found, written.end());
  EXPECT_EQ(found->second, chosen.begin()->second);
}

// A kernel that is asked for but refuses gives way to the others.
TEST(Tuning, APreferredKernelMayRefuse) {
  const Tensor x = Tensor::zeros({1, 3, 8, 8}), w = randn({4, 3, 1, 1});
  const std::vector<const Tensor*> inputs{&x, &w};
  for (const KernelEntry* entry : kernels_of(op::Conv, Backend::cpu)) {
    PrepareOptions options;
    options.kernel = entry->name;
    const auto call = prepare_call(op::Conv, inputs, {}, 1, options);
    EXPECT_EQ(call->how, PreparedCall::How::kernel) << entry->name;
    EXPECT_FALSE(call->slow) << entry->name;
  }
}

}  // namespace

}  // namespace tenon::engine
