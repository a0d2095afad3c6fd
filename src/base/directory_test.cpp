#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace tenon {
namespace {

// The tests of this program write many small files, each of them flushed: in memory that is quick.
class TemporariesInMemory : public testing::Environment {
 public:
  void SetUp() override {
    if (is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 0);
  }
};
[[maybe_unused]] const auto* const kTemporaries =
    testing::AddGlobalTestEnvironment(new TemporariesInMemory);

TEST(Directory, IsListedInOrder) {
  const TempDirectory directory("tenon_directory_test");
  create_directories(directory / "b/c");
  create_directories(directory / "b/c");
  write_file(directory / "a.JPG", "1");
  write_file(directory / "b/z.png", "1");
  write_file(directory / "b/c/y.txt", "1");
  std::filesystem::create_symlink("b", directory / "link");
  std::filesystem::create_symlink("nowhere", directory / "dangling");

  EXPECT_EQ(list_directory(directory.path()),
            (std::vector<DirectoryEntry>{{"a.JPG", EntryKind::file},
                                         {"b", EntryKind::directory},
                                         {"dangling", EntryKind::other},
                                         {"link", EntryKind::directory}}));
  EXPECT_EQ(list_files(directory.path()),
            (std::vector<std::string>{"a.JPG", "b/c/y.txt", "b/z.png"}));
  constexpr std::string_view kImages[] = {".jpg", ".png"};
  EXPECT_EQ(list_files(directory.path() + "/", kImages),
            (std::vector<std::string>{"a.JPG", "b/z.png"}));
}

TEST(Directory, FailuresNameThePath) {
  const TempDirectory directory("tenon_directory_test");
  write_file(directory / "file", "1");
  EXPECT_THROW(list_directory(directory / "none"), Error);
  EXPECT_THROW(list_files(directory / "file"), Error);
  EXPECT_THROW(create_directories(directory / "file/sub"), Error);
  EXPECT_THROW(create_directories(directory / "file"), Error);
  EXPECT_THROW(file_size(directory / "none"), Error);
  EXPECT_THROW(rename_path(directory / "none", directory / "x"), Error);
  try {
    list_directory(directory / "fill");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), (directory / "fill") +
                                   ": cannot list the directory: No such file or directory; did "
                                   "you mean '" +
                                   (directory / "file") + "'?");
  }
}

TEST(Directory, ThingsAreMovedAndRemoved) {
  const TempDirectory directory("tenon_directory_test");
  write_file(directory / "a", "1");
  rename_path(directory / "a", directory / "b");
  EXPECT_FALSE(exists(directory / "a"));
  remove_file(directory / "b");
  remove_file(directory / "b");
  EXPECT_FALSE(exists(directory / "b"));
  create_directories(directory / "t/u/v");
  EXPECT_TRUE(is_directory(directory / "t/u"));
  remove_tree(directory / "t");
  remove_tree(directory / "t");
  EXPECT_FALSE(exists(directory / "t"));
  EXPECT_GT(free_space(directory.path()), 0U);
}

TEST(TempDirectory, RemovesItself) {
  std::string path;
  {
    TempDirectory first("tenon_directory_test");
    path = first.path();
    write_file(first / "file", "1");
    const TempDirectory second = std::move(first);
    EXPECT_EQ(second.path(), path);
    EXPECT_TRUE(exists(path));
    const TempDirectory inside("inner", second.path());
    EXPECT_TRUE(inside.path().starts_with(path + "/inner-"));
  }
  EXPECT_FALSE(exists(path));
}

}  // namespace
}  // namespace tenon
