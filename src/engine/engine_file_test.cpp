// Engine files: what comes back is what was saved, and what is damaged is refused.
#include "engine/engine_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>

#include "base/file.h"
#include "engine/engine_sections.h"
#include "formats/onnx/import.h"
#include "graph/capture.h"
#include "nn/layers.h"
#include "ops/control/catalog.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::engine {

namespace {

using graph::capture;
using graph::Graph;

// Convolutions, products with chains behind them, and a free batch.
Graph network() {
  manual_seed(1);
  auto conv = std::make_shared<nn::Conv2d>(3, 16, 3, nn::Conv2dOptions{.padding = 1});
  auto first = std::make_shared<nn::Linear>(16, 64);
  auto last = std::make_shared<nn::Linear>(64, 10);
  return capture(
      [=](const TensorList& x) {
        const Tensor pooled =
            op::Flatten(op::GlobalAveragePool(op::Relu((*conv)(x[0]))), {{"axis", 1}});
        const Tensor hidden = op::Sigmoid((*first)(pooled)) * 2.0 - 0.5;
        return TensorList{(*last)(hidden * op::Tanh(hidden)), pooled};
      },
      {{"images", DType::f32, {Dim::symbol("batch"), 3, Dim::symbol("side"), Dim::symbol("side")}}},
      {"scores", "pooled"});
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::bug) << error.what();
    return error.message();
  }
  return "";
}

// Bytes at an address as good as a mapped file's.
class Pages {
 public:
  explicit Pages(std::string_view bytes)
      : size_(bytes.size()),
        memory_(std::aligned_alloc(kEnginePage, (size_ / kEnginePage + 1) * kEnginePage),
                [](void* memory) { std::free(memory); }) {
    std::memcpy(memory_.get(), bytes.data(), size_);
  }
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(memory_.get()), size_}; }
  EngineFile read(const EngineReading& reading = {}) const {
    return read_engine(bytes(), memory_, "model.tenon", reading);
  }

 private:
  size_t size_;
  std::shared_ptr<void> memory_;
};

class EngineFiles : public ::testing::Test {
 protected:
  std::string path(std::string_view name = "model.tenon") const { return folder_ / name; }
  // The file of a session that has run once.
  std::string saved(const Graph& graph, const TensorList& inputs,
                    const EngineFileOptions& options = {}) const {
    const Session session(graph);
    session.prepare(inputs);
    save_engine(session, path(), options);
    return read_file(path());
  }

  const TempDirectory folder_{"tenon_engine_file_test"};
  const TensorList images_{randn({2, 3, 8, 8})};
};

void expect_equal(const TensorList& a, const TensorList& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].shape(), b[i].shape());
    EXPECT_EQ(a[i].to_vector<float>(), b[i].to_vector<float>()) << "output " << i;
  }
}

TEST_F(EngineFiles, ComeBackAsTheyWere) {
  const Session session(network());
  session.prepare(images_);
  save_engine(session, path(), {.precision = "as it was"});
  EXPECT_TRUE(is_engine_file(path()));
  check_engine_file(path());
  const Session loaded = Session::load(path());
  EXPECT_TRUE(loaded.passes().empty()) << "they have been run";
  expect_equal(loaded.run(images_), session.run(images_));
  ASSERT_EQ(loaded.inputs().size(), 1U);
  EXPECT_EQ(loaded.inputs()[0].name, "images");
  EXPECT_EQ(loaded.inputs()[0].type.str(), "f32[batch, 3, side, side]");
  ASSERT_EQ(loaded.outputs().size(), 2U);
  EXPECT_EQ(loaded.outputs()[0].name, "scores");
  EXPECT_EQ(loaded.outputs()[1].name, "pooled");
  const auto before = session.steps(images_), after = loaded.steps(images_);
  ASSERT_EQ(before.size(), after.size());
  bool own = false;
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].op, after[i].op);
    EXPECT_EQ(before[i].kernel, after[i].kernel);
    EXPECT_EQ(before[i].origin, after[i].origin);
    own = own || before[i].def == &op::FusedLinear || before[i].def == &op::FusedElementwise;
  }
  EXPECT_TRUE(own) << "an operator of Tenon's own is what this is about";
  // Other shapes are planned as ever.
  const TensorList others{randn({3, 3, 5, 5})};
  expect_equal(loaded.run(others), session.run(others));
  const EngineFile file = read_engine(path());
  EXPECT_TRUE(file.at_home);
  EXPECT_EQ(file.precision, "as it was");
}

TEST_F(EngineFiles, ShowWeightsWhereTheyLie) {
  const Pages pages(saved(network(), images_));
  const EngineFile file = pages.read();
  const auto inside = [&](const Tensor& tensor) {
    const auto* at = static_cast<const std::byte*>(tensor.raw());
    return at >= pages.bytes().data() && at < pages.bytes().data() + pages.bytes().size();
  };
  size_t large = 0;
  for (const graph::Value& value : file.graph.values()) {
    if (!value.is_constant() || value.type.constant.bytes() < 1024) continue;
    ++large;
    EXPECT_TRUE(inside(value.type.constant)) << value.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(value.type.constant.raw()) % 64, 0U) << value.name;
  }
  EXPECT_GE(large, 3U);
  for (const EngineFile::Packed& packed : file.packed) EXPECT_TRUE(inside(packed.tensor));
}

TEST_F(EngineFiles, HoldPackedWeights) {
  const Session session(network());
  session.prepare(images_);
  ASSERT_GT(session.packed().entries().size(), 0U);
  save_engine(session, path());
  EXPECT_EQ(read_engine(path()).packed.size(), session.packed().entries().size())
      << "all are made from weights of the graph";
  const Session loaded = Session::load(path());
  EXPECT_EQ(loaded.packed().bytes(), 0);
  loaded.prepare(images_);
  const auto made = session.packed().entries(), taken = loaded.packed().entries();
  ASSERT_EQ(taken.size(), made.size());
  // None was made anew: what lies in a mapped file is not of the allocator.
  const std::string bytes = read_file(path());
  for (const PackedStore::Entry& entry : taken) {
    const std::string_view contents(static_cast<const char*>(entry.tensor.raw()),
                                    entry.tensor.bytes());
    EXPECT_NE(bytes.find(contents), std::string::npos);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(entry.tensor.raw()) % 64, 0U);
  }
  save_engine(session, path("small.tenon"), {.packed = false});
  EXPECT_TRUE(read_engine(path("small.tenon")).packed.empty());
  EXPECT_LT(file_size(path("small.tenon")), file_size(path()));
  expect_equal(Session::load(path("small.tenon")).run(images_), session.run(images_));
}

TEST_F(EngineFiles, OfOtherMachinesLackWhatWasMeasured) {
  const Pages pages(saved(network(), images_));
  EXPECT_TRUE(pages.read().at_home);
  const Machine other{"Another CPU", "avx2"};
  const EngineFile file = pages.read({.machine = &other});
  EXPECT_FALSE(file.at_home);
  EXPECT_TRUE(file.tuning.empty());
  EXPECT_TRUE(file.packed.empty());
  EXPECT_EQ(file.machine, this_machine());
  SessionOptions options;
  options.optimize = false;
  expect_equal(Session(file.graph, options).run(images_), Session(network()).run(images_));
}

TEST_F(EngineFiles, HoldChoicesOfKernels) {
  const Session session(network());
  session.prepare(images_);
  const TuningChoices choices = session.tuning();
  save_engine(session, path());
  EXPECT_EQ(read_engine(path()).tuning, choices);
  const Session loaded = Session::load(path());
  loaded.prepare(images_);
  EXPECT_EQ(loaded.tuning(), choices) << "the same calls have the same signatures";
}

TEST_F(EngineFiles, HoldControlFlow) {
  const auto branch = [](const char* name, double factor) {
    Graph body = capture(
        [&](const TensorList& x) {
          return TensorList{op::MatMul(x[0], Tensor::full({32, 32}, factor)) + x[0]};
        },
        {{"a", DType::f32, {Dim::symbol("n"), 32}}}, {"y"});
    return Attr{name, std::shared_ptr<const Subgraph>(std::make_shared<Graph>(std::move(body)))};
  };
  const Graph graph = capture(
      [&](const TensorList& x) {
        return op::If.all({x[0], op::Neg(x[1])},
                          {branch("then_branch", 0.5), branch("else_branch", 2)}, 1);
      },
      {{"cond", DType::boolean, {}}, {"x", DType::f32, {Dim::symbol("n"), 32}}}, {"y"});
  for (const bool yes : {true, false}) {
    const TensorList inputs{Tensor::full({}, yes ? 1 : 0, DType::boolean), randn({3, 32})};
    saved(graph, inputs);
    expect_equal(Session::load(path()).run(inputs), Session(graph).run(inputs));
  }
}

TEST_F(EngineFiles, HoldOutputsThatNothingMakes) {
  const Graph graph = capture(
      [](const TensorList& x) {
        const Tensor sum = x[0] + 1.0;
        return TensorList{x[0], Tensor::ones({400}), sum, sum};
      },
      {{"x", DType::f32, {3}}}, {"a", "b", "c", "d"});
  const TensorList inputs{randn({3})};
  saved(graph, inputs);
  const Session loaded = Session::load(path());
  expect_equal(loaded.run(inputs), Session(graph).run(inputs));
  EXPECT_EQ(loaded.inputs()[0].name, "x");
  EXPECT_EQ(loaded.outputs()[1].name, "b");
}

TEST_F(EngineFiles, AreNotImportedAsModelsFromElsewhere) {
  const Pages pages(saved(network(), images_));
  const EngineSections sections = read_engine_sections(pages.bytes(), "model.tenon");
  const auto model = sections.find("graph", "model.tenon").bytes;
  EXPECT_NE(error_of([&] { formats::import_onnx(model, "inner.onnx"); }).find("ai.tenon"),
            std::string::npos);
}

TEST_F(EngineFiles, SayWhatTheyAreNot) {
  const std::string whole = saved(network(), images_);
  EXPECT_NE(error_of([] {
              Pages("no engine").read();
            }).find("model.tenon: this is no engine file; write one with `tenon optimize"),
            std::string::npos);
  std::string other = whole;
  other[8] = 2;
  EXPECT_EQ(error_of([&] { Pages(other).read(); }),
            "model.tenon: an engine file of format 2, and this Tenon takes format 1; write it "
            "again from its model with `tenon optimize`");
  EXPECT_EQ(error_of([&] { Pages(whole.substr(0, 9)).read(); }),
            "model.tenon: the engine file is truncated after 9 bytes; write or copy it again");
  EXPECT_EQ(error_of([&] { Pages(whole.substr(0, whole.size() - 1)).read(); }),
            fmt::format("model.tenon: the engine file should have {} bytes, but has {}; write or "
                        "copy it again",
                        whole.size(), whole.size() - 1));
  write_file(path("text.onnx"), "no model either");
  EXPECT_FALSE(is_engine_file(path("text.onnx")));
  EXPECT_FALSE(is_engine_file(path("missing")));
}

TEST_F(EngineFiles, AreRefusedWhenTruncated) {
  const std::string whole = saved(network(), images_);
  for (size_t size = 0; size < whole.size(); size += size < 4096 ? 7 : 997)
    EXPECT_NE(error_of([&] { Pages(whole.substr(0, size)).read(); }), "") << size;
  EXPECT_NE(error_of([&] { Pages(whole + "x").read(); }), "") << "longer is no better";
}

TEST_F(EngineFiles, AreRefusedWhenDamaged) {
  const std::string whole = saved(network(), images_);
  const Pages pages(whole);
  const EngineSections sections = read_engine_sections(pages.bytes(), "model.tenon");
  size_t refused = 0;
  const auto flip = [&](size_t at, bool must) {
    std::byte& byte = pages.bytes()[at];
    byte ^= std::byte{0x10};
    const bool found = !error_of([&] { pages.read(); }).empty();
    EXPECT_TRUE(found || !must) << at;
    refused += found ? 1 : 0;
    byte ^= std::byte{0x10};
  };
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, whole.data() + 24, sizeof(header_bytes));
  for (size_t at = 0; at < 32 + header_bytes; at += at < 40 ? 1 : 13) flip(at, true);
  for (const char* name : {"graph", "tuning", "packed_index"}) {
    const auto section = sections.find(name, "").bytes;
    const auto begin = static_cast<size_t>(section.data() - pages.bytes().data());
    for (size_t i = 0; i < section.size(); i += 31) flip(begin + i, true);
  }
  EXPECT_GT(refused, 100U);
  // Weights are not read when a file is loaded.
  const auto weights = sections.find("weights", "").bytes;
  const auto at = static_cast<size_t>(weights.data() - pages.bytes().data());
  flip(at, false);
  std::string damaged = whole;
  damaged[at] ^= 0x10;
  write_file(path(), damaged);
  EXPECT_NE(error_of([&] {
              check_engine_file(path());
            }).find("the checksum of its section weights does not fit"),
            std::string::npos);
}

// Without checksums, as somebody who can compute them may do: what goes wrong is an error.
TEST_F(EngineFiles, AreReadSafelyWhateverTheySay) {
  const Pages pages(saved(network(), images_));
  const size_t size = std::min<size_t>(pages.bytes().size(), 16384);
  Generator random(5);
  for (int round = 0; round < 300; ++round) {
    const auto at = static_cast<size_t>(random.below(size));
    std::byte& byte = pages.bytes()[at];
    const std::byte before = byte;
    byte = static_cast<std::byte>(random.below(256));
    error_of([&] { pages.read({.checksums = false}); });
    byte = before;
  }
}

TEST_F(EngineFiles, KeepTheOldOneWhenWritingFails) {
  const std::string whole = saved(network(), images_);
  EXPECT_NE(error_of([&] { save_engine(Session(network()), path("none/model.tenon")); }), "");
  EXPECT_EQ(read_file(path()), whole);
  EXPECT_EQ(list_directory(folder_.path()).size(), 1U);
}

}  // namespace

}  // namespace tenon::engine
