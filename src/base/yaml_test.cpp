#include "base/yaml.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"

namespace tenon {
namespace {

Config read(std::string_view text) { return Config::parse(text, "recipe.yaml"); }

std::string failure(auto&& body, ErrorKind kind = ErrorKind::data) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.message();
    return error.message();
  }
  return "nothing was thrown";
}

constexpr std::string_view kRecipe = R"(# A recipe.
model: resnet18
epochs: 10
optimizer:
  name: adam
  rate: 1e-3
  betas: [0.9, 0.999]
data:
  - path: train
    shuffle: true
  - path: "12"
empty:
)";

TEST(Config, GivesTypedValues) {
  const Config recipe = read(kRecipe);
  EXPECT_EQ(recipe.get<std::string>("model"), "resnet18");
  EXPECT_EQ(recipe.get<int>("epochs"), 10);
  EXPECT_EQ(recipe.get<int>("absent", 7), 7);
  EXPECT_EQ(recipe.get<int>("empty", 7), 7) << "null counts as missing";
  const Config optimizer = recipe.section("optimizer");
  EXPECT_EQ(optimizer.get<double>("rate"), 1e-3);
  EXPECT_EQ(optimizer.get<std::vector<float>>("betas"), (std::vector<float>{0.9F, 0.999F}));
  EXPECT_EQ(optimizer.get<std::vector<std::string>>("name"), std::vector<std::string>{"adam"});
  const std::vector<Config> data = recipe.at("data").items();
  ASSERT_EQ(data.size(), 2U);
  EXPECT_EQ(data[0].get<std::string>("path"), "train");
  EXPECT_TRUE(data[0].get<bool>("shuffle"));
  EXPECT_EQ(data[1].get<std::string>("path"), "12");
  EXPECT_EQ(data[1].section("path").path(), "data[1].path");
  EXPECT_EQ(data[1].section("path").where(), "recipe.yaml:11");
  EXPECT_EQ(data[1].section("path").column(), 11);
  EXPECT_NO_THROW(recipe.finish());
}

TEST(Config, AbsentSectionsGiveDefaults) {
  const Config recipe = read("a: 1");
  const Config schedule = recipe.section("optimizer").section("schedule");
  EXPECT_FALSE(schedule);
  EXPECT_EQ(schedule.kind(), Config::Kind::absent);
  EXPECT_EQ(schedule.get<double>("warmup", 0.5), 0.5);
  EXPECT_EQ(schedule.get_choice("kind", "cosine", {"cosine", "step"}), "cosine");
  EXPECT_EQ(schedule.size(), 0U);
  EXPECT_TRUE(schedule.items().empty());
  EXPECT_TRUE(schedule.keys().empty());
  EXPECT_EQ(schedule.path(), "optimizer.schedule");
  EXPECT_EQ(failure([&] { schedule.at("kind"); }),
            "recipe.yaml:1: optimizer.schedule: 'kind' is missing; add it");
  EXPECT_EQ(Config().get<int>("a", 3), 3);
  EXPECT_EQ(failure([] { Config().at("a"); }), "configuration: 'a' is missing; add it");
}

TEST(Config, ScalarsFollowYaml12) {
  const auto as_double = [](std::string_view text) {
    return read("x: " + std::string(text)).get<double>("x");
  };
  EXPECT_EQ(as_double("-0.5"), -0.5);
  EXPECT_EQ(as_double("-.inf"), -INFINITY);
  EXPECT_TRUE(std::isnan(as_double(".nan")));
  const auto as_int = [](std::string_view text) {
    return read("x: " + std::string(text)).get<int64_t>("x");
  };
  EXPECT_EQ(as_int("0x1F"), 31);
  EXPECT_EQ(as_int("0o17"), 15);
  EXPECT_EQ(as_int("1e6"), 1'000'000);
  EXPECT_EQ(as_int("2.0"), 2);
  EXPECT_EQ(as_int("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(read("x: 18446744073709551615").get<uint64_t>("x"), UINT64_MAX);
  for (const char* wrong : {"2.5", "1e30", "'3'", "ten", "0x", "0o9", "inf", "0xfffffffffffffffff"})
    EXPECT_THROW(as_int(wrong), Error) << wrong;
  for (const char* wrong : {"nan", "inf", "'1.0'", "1,5", "true"})
    EXPECT_THROW(as_double(wrong), Error) << wrong;
  EXPECT_THROW(read("x: 3000000000").get<int>("x"), Error);
  EXPECT_THROW(read("x: -1").get<unsigned>("x"), Error);
  EXPECT_THROW(read("x: 1e300").get<float>("x"), Error);
  EXPECT_THROW(read("x: yes").get<bool>("x"), Error);
  EXPECT_TRUE(read("x: True").get<bool>("x"));
  EXPECT_EQ(read("x: !!str 12").get<std::string>("x"), "12");
  EXPECT_THROW(read("x: !!str 12").get<int>("x"), Error);
}

TEST(Config, WrongTypesAreExplained) {
  const Config recipe = read("epochs: ten\nrate: [1, 2]\nname: {a: 1}\nquoted: '3'\nlist: [1, x]");
  EXPECT_EQ(failure([&] { recipe.get<int64_t>("epochs"); }),
            "recipe.yaml:1: epochs: a whole number is expected, found 'ten'");
  EXPECT_EQ(failure([&] { recipe.get<double>("rate"); }),
            "recipe.yaml:2: rate: a number is expected, found a list of 2");
  EXPECT_EQ(failure([&] { recipe.get<std::string>("name", "x"); }),
            "recipe.yaml:3: name: text is expected, found a map");
  EXPECT_EQ(failure([&] { recipe.get<double>("quoted"); }),
            "recipe.yaml:4: quoted: a number is expected, found the text '3'");
  EXPECT_EQ(failure([&] { recipe.get<std::vector<int64_t>>("list"); }),
            "recipe.yaml:5: list[1]: a whole number is expected, found 'x'");
  EXPECT_EQ(failure([&] { recipe.section("epochs").get<int>("x", 1); }),
            "recipe.yaml:1: epochs: a map is expected, found 'ten'");
  EXPECT_EQ(failure([&] { read("- 1").get<int>("x", 1); }),
            "recipe.yaml:1: a map is expected, found a list of 1");
}

TEST(Config, RangesAndChoices) {
  const Config recipe = read("rate: 12\nname: adm\nother: zzz");
  EXPECT_EQ(recipe.get_in<int>("rate", 1, 0, 12), 12);
  EXPECT_EQ(recipe.get_in<int>("absent", 1, 5, 12), 1);
  EXPECT_EQ(failure([&] { recipe.get_in<double>("rate", 0.1, 0.0, 10.0); }),
            "recipe.yaml:1: rate: 12 is out of range; use 0 to 10");
  EXPECT_THROW(read("x: .nan").get_in<double>("x", 0, 0, 1), Error);
  EXPECT_EQ(failure([&] {
              recipe.get_choice("name", "sgd", {"sgd", "adam"});
            }),
            "recipe.yaml:2: name: 'adm' is not known; did you mean 'adam'?");
  EXPECT_EQ(failure([&] {
              recipe.get_choice("other", "sgd", {"sgd", "adam"});
            }),
            "recipe.yaml:3: other: 'zzz' is not known; use sgd or adam");
}

TEST(Config, UnknownKeysAreFound) {
  const std::string text = "model: m\noptimizer:\n  rte: 1\n";
  const auto use = [](const Config& recipe) {
    (void)recipe.get<std::string>("model");
    (void)recipe.section("optimizer").get<double>("rate", 0.1);
    (void)recipe.section("optimizer").get<std::string>("name", "sgd");
    recipe.finish();
  };
  EXPECT_EQ(failure([&] { use(read(text)); }),
            "recipe.yaml:3: unknown key 'rte' in optimizer; did you mean 'rate'?");
  EXPECT_EQ(failure([&] { use(read("\noptimzer: 1\nmodel: m")); }),
            "recipe.yaml:2: unknown key 'optimzer'; did you mean 'optimizer'?");
  EXPECT_EQ(failure([&] { use(read("model: m\nzebra: 1")); }),
            "recipe.yaml:2: unknown key 'zebra'; use model or optimizer");
  EXPECT_EQ(failure([] { read("modle: 1").at("model"); }),
            "recipe.yaml:1: unknown key 'modle'; did you mean 'model'?");
  EXPECT_EQ(failure([] {
              const Config list = read("layers:\n- {units: 1}\n- {unit: 2}");
              for (const Config& layer : list.at("layers").items())
                (void)layer.get<int>("units", 1);
              list.finish();
            }),
            "recipe.yaml:3: unknown key 'unit' in layers[1]; did you mean 'units'?");
  const Config handed_on = read("extra: {a: {b: 1}}");
  handed_on.section("extra").use_all();
  EXPECT_NO_THROW(handed_on.finish());
}

TEST(Config, ManyQuestionsAboutMissingKeysAreCheap) {
  const Config recipe = read("a: 1");
  for (int i = 0; i < 110'000; ++i) {
    EXPECT_FALSE(recipe.section("missing"));
    EXPECT_EQ(recipe.get<int>("other", 1), 1);
  }
}

TEST(Config, MalformedTextIsRefused) {
  const auto refused = [](std::string_view text) { return failure([&] { read(text); }); };
  EXPECT_TRUE(refused("a: [1, 2").starts_with("recipe.yaml:1:")) << refused("a: [1, 2");
  EXPECT_TRUE(refused("a: 1\n  b: 2").starts_with("recipe.yaml:2:")) << refused("a: 1\n  b: 2");
  EXPECT_EQ(refused("a: 1\nb: 2\na: 3"),
            "recipe.yaml:3: the key 'a' is given twice, first on line 1; remove one");
  EXPECT_EQ(refused("a: 1\n---\nb: 2"),
            "recipe.yaml:2: a second document begins; keep one per file");
  EXPECT_EQ(refused("[a, b]: 1"),
            "recipe.yaml:1: a key must be text; write it on one line before ':'");
  EXPECT_EQ(refused("a: !secret x"),
            "recipe.yaml:1: the tag '!secret' is not supported; remove it");
  EXPECT_EQ(refused(std::string_view("a: 1\nb: \0", 9)),
            "recipe.yaml:2: the control character '\\x00' is not YAML; remove it");
  EXPECT_EQ(refused("a: \xff"), "recipe.yaml: not UTF-8 text; save it as UTF-8");
  EXPECT_TRUE(refused("a: *none").starts_with("recipe.yaml:1:"));
  EXPECT_EQ(read("").kind(), Config::Kind::null);
  EXPECT_EQ(read("# only a comment\n").get<int>("a", 1), 1);
}

TEST(Config, AliasesAndMerges) {
  const Config recipe = read(R"(
base: &base {rate: 1, name: sgd}
more: &more {decay: 5, rate: 9}
a: *base
b:
  <<: [*base, *more]
  name: adam
c: {<<: *base, inner: {<<: *more}}
)");
  EXPECT_EQ(recipe.at("a").get<int>("rate"), 1);
  EXPECT_EQ(recipe.at("b").get<int>("rate"), 1) << "the first of several";
  EXPECT_EQ(recipe.at("b").get<int>("decay"), 5);
  EXPECT_EQ(recipe.at("b").get<std::string>("name"), "adam") << "its own key wins";
  EXPECT_EQ(recipe.at("b").at("rate").path(), "b.rate");
  EXPECT_EQ(recipe.at("b").at("rate").line(), 2) << "where it is written";
  EXPECT_EQ(recipe.at("c").at("inner").get<int>("rate"), 9);
  EXPECT_EQ(recipe.at("c").get<std::string>("name"), "sgd");
  EXPECT_EQ(failure([] { read("a: {<<: 3}"); }),
            "recipe.yaml:1: '<<' takes a map or a list of maps; name one with an alias");
  EXPECT_EQ(failure([] { read("a: &x [*x]"); }),
            "recipe.yaml:1: the alias refers to what contains it; write the value out");
}

TEST(Config, HostileTextIsBounded) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    laughs += fmt::format("a{0}: &a{0} [", i);
    for (int j = 0; j < 10; ++j) laughs += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    laughs += "]\n";
  }
  EXPECT_NE(failure([&] { read(laughs); }).find("more than 100000 values"), std::string::npos);
  EXPECT_NE(failure([] { read(std::string(100'000, '[')); }), "nothing was thrown");
  EXPECT_NE(
      failure([] { read(std::string(65, '[') + std::string(65, ']')); }).find("deeper than 64"),
      std::string::npos);
  // Each alias adds to the depth of the one before.
  std::string ladder = "a0: &a0 [[[[[[[[x]]]]]]]]\n";
  for (int i = 1; i < 10; ++i)
    ladder += fmt::format("a{0}: &a{0} [[[[[[[[*a{1}]]]]]]]]\n", i, i - 1);
  EXPECT_NE(failure([&] { read(ladder); }).find("deeper than 64"), std::string::npos);
}

TEST(Config, ValuesAreSetFromOutside) {
  Config recipe = read("optimizer:\n  rate: 1\nlayers:\n  - {units: 3}\n");
  recipe.set("optimizer.rate", "0.5");
  recipe.set("optimizer.schedule.kind", "cosine");
  recipe.set("layers.0.units", "4");
  recipe.set("tags", "[a, b]");
  EXPECT_EQ(recipe.at("optimizer").get<double>("rate"), 0.5);
  EXPECT_EQ(recipe.at("optimizer").at("schedule").get<std::string>("kind"), "cosine");
  EXPECT_EQ(recipe.at("layers").items()[0].get<int>("units"), 4);
  EXPECT_EQ(recipe.get<std::vector<std::string>>("tags").size(), 2U);
  recipe.finish();
  EXPECT_EQ(read(recipe.dump()).dump(), recipe.dump());

  recipe.set("optimizer.rate", "fast");
  EXPECT_EQ(failure([&] { recipe.at("optimizer").get<double>("rate"); }),
            "--set optimizer.rate: optimizer.rate: a number is expected, found 'fast'");
  recipe.set("optimzer.rate", "1");
  EXPECT_EQ(failure([&] { recipe.finish(); }),
            "--set optimzer.rate: unknown key 'optimzer'; did you mean 'optimizer'?");
  EXPECT_EQ(failure([&] { recipe.set("layers.1.units", "4"); }, ErrorKind::usage),
            "--set layers.1.units: '1' is not an item of a list of 1; count from 0");
  EXPECT_EQ(
      failure([&] { recipe.set("optimizer.rate.x", "4"); }, ErrorKind::usage),
      "--set optimizer.rate.x: 'optimizer.rate' is no map or list, so it has no 'x'; set it as "
      "a whole");
  EXPECT_EQ(failure([&] { recipe.set("a..b", "4"); }, ErrorKind::usage),
            "--set a..b: a name is missing between dots; write a.b.c=value");
  Config fresh;
  fresh.set("a.b", "1");
  EXPECT_EQ(fresh.at("a").get<int>("b"), 1);
}

TEST(Config, DumpKeepsValuesAndTypes) {
  const std::string text = "a: 1\nb: \"2\"\nc: [x, ~, true]\nd:\n  e: \"true\"\n  f: \"~\"\n";
  const Config before = read(text);
  const Config after = read(before.dump());
  EXPECT_EQ(after.get<int>("a"), 1);
  EXPECT_EQ(after.get<std::string>("b"), "2");
  EXPECT_THROW(after.get<int>("b"), Error);
  EXPECT_EQ(after.at("c").items()[1].kind(), Config::Kind::null);
  EXPECT_TRUE(after.at("c").items()[2].as<bool>());
  EXPECT_THROW(after.at("d").get<bool>("e"), Error);
  EXPECT_EQ(after.at("d").get<std::string>("f"), "~");
}

TEST(Config, DumpIsReadable) {
  const std::string text =
      "model: resnet 18\n"
      "rates: [1e-3, 0.5, \"1\"]\n"
      "empty: {}\n"
      "none: ~\n"
      "layers:\n"
      "  - units: 3\n"
      "    act: relu\n"
      "  - units: 4\n"
      "nested:\n"
      "  - [1, 2]\n"
      "  - - [3]\n"
      "    - deep: \"#\"\n"
      "\"null\": \"a: b\\n\"\n"
      "\"<<\": \"---\"\n";
  EXPECT_EQ(read(text).dump(), text);
  EXPECT_EQ(read("- a\n- [b]").dump(), "- a\n- [b]\n");
  EXPECT_EQ(read("x").dump(), "x\n");
  EXPECT_EQ(Config().dump(), "");
}

TEST(Config, FilesAreLoaded) {
  const TempDirectory directory("tenon_yaml_test");
  write_file(directory / "r.yaml", "a: {b: x}\n");
  EXPECT_EQ(failure([&] { Config::load(directory / "r.yaml").at("a").get<int64_t>("b"); }),
            (directory / "r.yaml") + ":1: a.b: a whole number is expected, found 'x'");
  EXPECT_THROW(Config::load(directory / "none.yaml"), Error);
}

}  // namespace
}  // namespace tenon
