#include "data/sources.h"

#include "base/file.h"
#include "base/yaml.h"
#include "data/image.h"
#include "data/recipe.h"
#include "data/testing.h"

namespace tenon::data {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string idx(std::vector<int64_t> sizes, std::string_view elements, char type = 0x08) {
  std::string file{'\0', '\0', type, static_cast<char>(sizes.size())};
  for (const int64_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(size >> shift);
  return file.append(elements);
}

TEST(Idx, ReadsPlainAndCompressed) {
  const std::string file = idx({2, 1, 3}, "abcdef");
  for (const std::string& stored : {file, gzip(file)}) {
    const Tensor values = decode_idx(bytes_of(stored), "test");
    EXPECT_EQ(values.shape(), (Shape{2, 1, 3}));
    EXPECT_EQ(values.dtype(), DType::u8);
    EXPECT_EQ(values.data<uint8_t>()[5], 'f');
  }
}

TEST(Idx, TurnsBytesAround) {
  using namespace std::literals;
  EXPECT_EQ(decode_idx(bytes_of(idx({2}, "\x01\x02\xff\xfe"sv, 0x0b)), "test").to_vector<int16_t>(),
            (std::vector<int16_t>{258, -2}));
  EXPECT_EQ(decode_idx(bytes_of(idx({1}, "\x3f\x80\x00\x00"sv, 0x0d)), "test").to_vector<float>(),
            std::vector<float>{1});
}

TEST(Idx, RefusesWhatTheHeaderCannotMean) {
  EXPECT_FAILURE(decode_idx(bytes_of(""), "f"), "data: f: does not start as an IDX file does");
  EXPECT_FAILURE(decode_idx(bytes_of(idx({3}, "abc", 0x0a)), "f"), "type 0x0a is none of IDX");
  EXPECT_FAILURE(decode_idx(bytes_of(idx({}, "")), "f"), "has 0 axes");
  EXPECT_FAILURE(decode_idx(bytes_of(idx({2, 2}, "abc")), "f"),
                 "the header says u8 [2, 2], but 3 bytes of elements follow");
  // Sizes whose product wraps around to 0 and to 4 in 64 bits.
  const int64_t big = 0x80000000;
  EXPECT_FAILURE(decode_idx(bytes_of(idx({big, big, 4}, "")), "f"), "bytes of elements follow");
  EXPECT_FAILURE(decode_idx(bytes_of(idx({0xffffffff, 0xffffffff}, "abcd", 0x0e)), "f"),
                 "bytes of elements follow");
}

TEST(Idx, RefusesEveryTruncation) {
  const std::string file = idx({4, 5, 5}, std::string(100, 'x'));
  for (const std::string& stored : {file, gzip(file)})
    for (size_t length = 0; length < stored.size(); ++length)
      EXPECT_THROW(decode_idx(bytes_of(stored).first(length), "f"), Error) << length;
}

TEST(Idx, LimitsWhatExpands) {
  const std::string bomb = gzip(idx({1 << 20}, std::string(1 << 20, '\0')));
  EXPECT_FAILURE(decode_idx(bytes_of(bomb), "f", 1000), "data: f");
}

TEST(Idx, MakesASource) {
  const TempDirectory folder;
  write_file(folder / "images.gz", gzip(idx({3, 2, 2}, "aaaabbbbcccc")));
  write_file(folder / "labels", idx({3}, "\x02\x01\x07"));
  const SourcePtr source =
      idx_source({.images = folder / "images.gz", .labels = folder / "labels"});
  EXPECT_EQ(source->schema().str(), "image: u8 [2, 2], label: i64 []");
  EXPECT_EQ(source->schema()["image"].role, Role::image);
  EXPECT_EQ(source->read(2)["label"].item<int64_t>(), 7);
  const Sample batch = source->read_batch(std::vector<int64_t>{2, 0});
  EXPECT_EQ(batch["image"].shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(batch["image"].data<uint8_t>()[0], 'c');
  write_file(folder / "labels", idx({2}, "\x02\x01"));
  EXPECT_FAILURE(idx_source({.images = folder / "images.gz", .labels = folder / "labels"}),
                 "2 labels for the 3 images");
}

TEST(Idx, ReadsFashionMnist) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (!exists(folder)) GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  const SourcePtr source = idx_source({.images = folder + "t10k-images-idx3-ubyte.gz",
                                       .labels = folder + "t10k-labels-idx1-ubyte.gz"});
  EXPECT_EQ(source->size(), 10000);
  EXPECT_EQ(source->schema().str(), "image: u8 [28, 28], label: i64 []");
  EXPECT_EQ(source->read_batch(std::vector<int64_t>{0, 1, 2, 3})["label"].to_vector<int64_t>(),
            (std::vector<int64_t>{9, 2, 1, 1}));
}

TEST(Idx, NamesThePackageOfAMissingDataSet) {
  EXPECT_FAILURE(
      idx_source({.images = "/usr/share/datasets/no-such-set/images.gz"}),
      "resource: idx: there is no /usr/share/datasets/no-such-set/images.gz; install the "
      "data set: apt-get install dataset-no-such-set");
}

TEST(Tensors, ChecksColumns) {
  EXPECT_FAILURE(tensor_source({}), "no columns");
  EXPECT_FAILURE(tensor_source({{"x", Tensor::scalar(1)}}), "'x' has no axis of items");
  EXPECT_FAILURE(tensor_source({{"x", Tensor::arange(2)}, {"y", Tensor::arange(3)}}),
                 "'y' has 3 items and 'x' 2");
  EXPECT_FAILURE(tensor_source({{"x", Tensor::arange(2)}, {"x", Tensor::arange(2)}}),
                 "two columns are called 'x'");
}

TEST(Tensors, GathersStrings) {
  const SourcePtr source = tensor_source({{"s", Tensor::strings({"a", "b", "c", "d"}, {2, 2})}});
  const Sample batch = source->read_batch(std::vector<int64_t>{1, 0, 1});
  EXPECT_EQ(batch["s"].shape(), (Shape{3, 2}));
  EXPECT_EQ(batch["s"].data<std::string>()[3], "b");
  EXPECT_EQ(batch["s"].data<std::string>()[4], "c");
}

// A version 1.0 file, as numpy.save writes it.
std::string npy(std::string header, std::string_view elements, char version = 1) {
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file = "\x93NUMPY";
  file += {version, '\0', static_cast<char>(header.size()), static_cast<char>(header.size() >> 8)};
  if (version > 1) file += std::string(2, '\0');
  return file + header + std::string(elements);
}

TEST(Npy, MapsArrays) {
  using namespace std::literals;
  const TempDirectory folder;
  write_file(folder / "x.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }",
                                   "\0\0\x80\x3f\0\0\0\x40"sv));
  write_file(folder / "y.npy",
             npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\5\6"));
  write_file(folder / "v2.npy",
             npy("{'shape':(1,2),'fortran_order':False,'descr':'<i2'}", "\1\0\2\0"sv, 2));
  const SourcePtr source = npy_source({{"x", folder / "x.npy"}, {"y", folder / "y.npy"}});
  EXPECT_EQ(source->schema().str(), "x: f32 [1], y: u8 []");
  EXPECT_EQ(source->read(1)["x"].item<float>(), 2);
  EXPECT_EQ(source->read_batch(std::vector<int64_t>{1, 0})["y"].to_vector<uint8_t>(),
            (std::vector<uint8_t>{6, 5}));
  EXPECT_EQ(map_npy(folder / "v2.npy").to_vector<int16_t>(), (std::vector<int16_t>{1, 2}));
}

TEST(Npy, RefusesOthers) {
  const TempDirectory folder;
  const auto read = [&](const std::string& content) {
    write_file(folder / "x.npy", content);
    return map_npy(folder / "x.npy");
  };
  const std::string good =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", "12345678");
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_THROW(read(good.substr(0, length)), Error) << length;
  EXPECT_FAILURE(read(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", "12345678")),
                 "unsupported: npy: ");
  EXPECT_FAILURE(
      read(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }", "12345678")),
      "is in Fortran order");
  for (const char* header :
       {"", "{", "{}", "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1)}"})
    EXPECT_FAILURE(read(npy(header, "12345678")), "is not NumPy's");
  EXPECT_FAILURE(
      read(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "")),
      "but 0 bytes of elements follow");
}

TEST(ImageFolder, NumbersSortedFolders) {
  const TempDirectory folder;
  const std::string png = encode_png(Tensor::full({2, 3}, 9, DType::u8));
  for (const char* name : {"dog", "cat", "cat/more", ".cache"}) create_directories(folder / name);
  for (const char* name : {"dog/b.png", "dog/a.PNG", "cat/x.png", "cat/more/y.png"})
    write_file(folder / name, png);
  write_file(folder / "cat/notes.txt", "no picture");
  write_file(folder / "dog/c.jpg", "no picture either");
  const SourcePtr source = image_folder({.path = folder.path()});
  EXPECT_EQ(source->schema()["label"].classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(source->schema().str(), "image: u8 [?, ?, 3], label: i64 []");
  ASSERT_EQ(source->size(), 5);
  EXPECT_EQ(source->describe(0, 0), folder / "cat/more/y.png");
  EXPECT_EQ(source->describe(2, 0), folder / "dog/a.PNG");
  EXPECT_EQ(source->read(2)["label"].item<int64_t>(), 1);
  EXPECT_EQ(source->read(2)["image"].shape(), (Shape{2, 3, 3}));
  EXPECT_FAILURE(source->read(4), "while reading item 4 (" + folder.path() + "/dog/c.jpg)");
  EXPECT_FAILURE(image_folder({.path = folder.path(), .classes = {"dog", "cats"}}),
                 "has a folder 'cat' that is no class; did you mean 'cats'?");
}

TEST(ImageFolder, SaysWhatIsMissing) {
  const TempDirectory folder;
  EXPECT_FAILURE(image_folder({.path = folder.path()}), "has no folders");
  create_directories(folder / "cat");
  EXPECT_FAILURE(image_folder({.path = folder.path()}), "in the folders cat");
}

TEST(Recipe, MakesSources) {
  const Config config = Config::parse(R"(
type: tensors
columns: {x: [[0, 1.5], [1, 0], [1, 1]], y: [0, 1, 0]}
slice: [1, 3]
cache: 1MB
)",
                                      "recipe.yaml");
  const SourcePtr source = make_source(config);
  config.finish();
  EXPECT_EQ(source->schema().str(), "x: f32 [2], y: i64 []");
  EXPECT_EQ(source->size(), 2);
  EXPECT_EQ(source->read(0)["y"].item<int64_t>(), 1);
}

TEST(Recipe, SaysWhatIsWrong) {
  const auto make = [](const char* text) {
    return failure([&] {
      const Config config = Config::parse(text, "recipe.yaml");
      make_source(config);
      config.finish();
    });
  };
  const auto expect = [&](const char* text, const char* part) {
    const std::string error = make(text);
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  expect("type: idxs\n", "recipe.yaml:1: no type of source is called 'idxs'; did you mean 'idx'?");
  expect("type: idx\nimage: a.gz\n", "images");
  expect("type: tensors\ncolumns: {x: [1, 2]}\nslise: [0, 1]\n", "did you mean 'slice'?");
  expect("type: tensors\ncolumns: {x: [1, 2]}\nslice: [0, 3]\n",
         "while making the source of recipe.yaml:1");
  expect("type: tensors\ncolumns: {x: [[1], [2, 3]]}\n", "1 values are expected here");
  expect("type: tensors\ncolumns: {x: 3}\n", "a column is a list");
  expect("type: tensors\ncolumns: {x: [1]}\ncache: much\n", "cache is 'much'");
  expect("type: npy\ncolumns: {x: none.npy}\nimages: y\n", "no column is called 'y'");
}

TEST(Recipe, MakesTransforms) {
  const Config config = Config::parse(R"(
- {type: random_crop, size: 24, padding: 2}
- {type: resize, size: [12, 10]}
- {type: center_crop, size: [8, 8]}
- horizontal_flip
- to_float
- {type: normalize, mean: [0.5], std: 0.25}
)",
                                      "recipe.yaml");
  const auto transforms = make_transforms(config);
  config.finish();
  ASSERT_EQ(transforms.size(), 6U);
  Column column{"image", Tensor::zeros({3, 28, 28}, DType::u8), Role::image};
  const SourcePtr source = transform(tensor_source({column}), transforms, 1);
  EXPECT_EQ(source->schema().str(), "image: f32 [1, 8, 8]");
  EXPECT_FLOAT_EQ(source->read(0)["image"].to_vector<float>()[0], -2);
  EXPECT_TRUE(make_transforms(Config()).empty());
  EXPECT_FAILURE(make_transforms(Config::parse("[resise]", "r.yaml")), "did you mean 'resize'?");
}

}  // namespace
}  // namespace tenon::data
