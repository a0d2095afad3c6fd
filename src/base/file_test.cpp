#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/error.h"

namespace tenon {
namespace {

struct Failure {
  ErrorKind kind{};
  std::string message;
};
Failure failure(auto&& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.kind(), error.message()};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
size_t entries(const TempDirectory& directory) { return list_directory(directory.path()).size(); }

class File : public testing::Test {
 protected:
  TempDirectory directory_{"tenon_file_test"};
};

TEST_F(File, IsReadWhole) {
  const std::string path = directory_ / "a";
  const std::string bytes("a\0b\n", 4);
  write_file(path, bytes);
  EXPECT_EQ(read_file(path), bytes);
  EXPECT_EQ(read_file(path, 4), bytes);
  EXPECT_EQ(file_size(path), 4U);
  write_file(path, "");
  EXPECT_EQ(read_file(path, 0), "");
  EXPECT_FALSE(read_file("/proc/self/comm").empty()) << "its size is said to be 0";
}

TEST_F(File, TooLargeIsRefusedBeforeReading) {
  const std::string path = directory_ / "a";
  write_file(path, std::string(2000, 'x'));
  const Failure f = failure([&] { read_file(path, 1999); });
  EXPECT_EQ(f.kind, ErrorKind::data);
  EXPECT_EQ(f.message,
            path + ": 2.0 kB are more than the 2.0 kB allowed here; is it the right file?");
  EXPECT_EQ(failure([] { read_file("/dev/zero", 5'000'000); }).kind, ErrorKind::data)
      << "a file without an end";
}

TEST_F(File, MissingOnesAreNamed) {
  write_file(directory_ / "recipe.yaml", "");
  Failure f = failure([&] { read_file(directory_ / "recipe.yml"); });
  EXPECT_EQ(f.kind, ErrorKind::resource);
  EXPECT_EQ(f.message, (directory_ / "recipe.yml") +
                           ": cannot open: No such file or directory; did you mean '" +
                           (directory_ / "recipe.yaml") + "'?");
  f = failure([&] { read_file(directory_ / "no/such"); });
  EXPECT_TRUE(contains(f.message, "; there is no directory '" + (directory_ / "no") + "'"));
  f = failure([&] { read_file(directory_.path()); });
  EXPECT_TRUE(contains(f.message, "Is a directory; name a file inside it")) << f.message;
}

TEST_F(File, IsMapped) {
  const std::string path = directory_ / "a";
  write_file(path, "0123456789");
  MappedFile file(path, MappedFile::Access::random);
  EXPECT_EQ(file.text(), "0123456789");
  EXPECT_EQ(file.bytes(4, 2)[0], std::byte{'4'});
  EXPECT_EQ(file.bytes(10, 0).size(), 0U);
  EXPECT_EQ(
      failure([&] { file.bytes(8, 3); }).message,
      path + ": 3 bytes at offset 8 are past its end at 10; the file is truncated or corrupt");
  EXPECT_EQ(failure([&] { file.bytes(1, UINT64_MAX); }).kind, ErrorKind::data);

  const std::byte* address = file.data();
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.data(), address);
  EXPECT_EQ(file.size(), 0U);  // NOLINT: what a move leaves is defined
  write_file(path, "new");
  EXPECT_EQ(moved.text(), "0123456789") << "replacing the file leaves the mapping";

  write_file(path, "");
  EXPECT_EQ(MappedFile(path).size(), 0U);
  EXPECT_EQ(failure([] { MappedFile("/dev/null"); }).kind, ErrorKind::resource);
}

TEST_F(File, AppearsOnlyWhenCommitted) {
  const std::string path = directory_ / "a";
  {
    AtomicFile file(path);
    file.write("half");
    EXPECT_FALSE(exists(path));
  }
  EXPECT_EQ(entries(directory_), 0U) << "nothing is left beside it";
  write_file(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_EQ(read_file(path), "old");
    file.commit();
    EXPECT_EQ(read_file(path), "new");
  }
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(entries(directory_), 1U);
}

TEST_F(File, IsWrittenInPieces) {
  const std::string path = directory_ / "a";
  std::string expected;
  AtomicFile file(path);
  file.write(std::string(8, '?'));  // a header that is known at the end
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(static_cast<size_t>(i % 700), static_cast<char>('a' + i % 26));
    file.write(piece);
    expected += piece;
  }
  const std::string large(1'000'000, 'L');
  file.write(large);
  file.write("end");
  expected += large + "end";
  EXPECT_EQ(file.size(), expected.size() + 8);
  file.write_at(0, std::as_bytes(std::span(std::string_view("12345678"))));
  EXPECT_EQ(failure([&] { file.write_at(file.size(), std::as_bytes(std::span("x"))); }).kind,
            ErrorKind::bug);
  file.commit();
  EXPECT_EQ(read_file(path), "12345678" + expected);
}

TEST_F(File, KeepsModeAndLinks) {
  const std::string path = directory_ / "target", link = directory_ / "link";
  write_file(path, "old");
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  std::filesystem::create_symlink("target", link);
  write_file(link, "new");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(read_file(path), "new");
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0640U);
}

TEST_F(File, SpecialFilesAreWrittenInPlace) {
  write_file("/dev/null", "gone");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_TRUE(contains(failure([&] { AtomicFile(directory_.path()); }).message, "Is a directory"));
  EXPECT_TRUE(contains(failure([&] { AtomicFile(directory_ / "no/file"); }).message,
                       "cannot create: No such file or directory; there is no directory"));
}

TEST_F(File, LongNamesHaveRoomForTheTemporary) {
  const std::string path = directory_ / std::string(250, 'n');
  write_file(path, "x");
  EXPECT_EQ(read_file(path), "x");
}

TEST_F(File, WritersAtOnceLeaveOneWhole) {
  const std::string path = directory_ / "a";
  std::atomic<bool> stop{false};
  write_file(path, std::string(10'000, 'a'));
  std::thread reader([&] {
    while (!stop) {
      const std::string content = read_file(path);
      EXPECT_EQ(content.find_first_not_of(content[0]), std::string::npos);
    }
  });
  std::vector<std::thread> writers;
  for (char c : {'b', 'c'})
    writers.emplace_back([&, c] {
      for (int i = 0; i < 8; ++i) write_file(path, std::string(10'000, c));
    });
  for (std::thread& writer : writers) writer.join();
  stop = true;
  reader.join();
  EXPECT_EQ(entries(directory_), 1U);
}

// -- Full disks ------------------------------------------------------------------------------

TEST_F(File, AFullDeviceIsReported) {
  if (!exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const Failure f = failure([] { write_file("/dev/full", std::string(1'500'000, 'x')); });
  EXPECT_EQ(f.kind, ErrorKind::resource);
  EXPECT_TRUE(contains(f.message, "/dev/full: the disk is full: 1.5 MB to be written"))
      << f.message;
  EXPECT_TRUE(contains(f.message, "No space left on device); free some space or use another disk"));
}

TEST_F(File, AFullDiskLeavesTheOldFile) {
  const std::string mount_point = directory_ / "disk";
  create_directories(mount_point);
  if (mount("none", mount_point.c_str(), "tmpfs", 0, "size=256k") != 0)
    GTEST_SKIP() << "cannot mount a small disk: " << std::strerror(errno);
  const std::string path = mount_point + "/checkpoint";
  write_file(path, std::string(100'000, 'o'));
  const Failure f = failure([&] {
    AtomicFile file(path);
    for (int i = 0; i < 400; ++i) file.write(std::string(1000, 'n'));
    file.commit();
  });
  EXPECT_EQ(f.kind, ErrorKind::resource);
  EXPECT_TRUE(contains(f.message, path + ": the disk is full")) << f.message;
  EXPECT_EQ(read_file(path), std::string(100'000, 'o'));
  EXPECT_EQ(list_directory(mount_point).size(), 1U) << "no temporary is left";
  EXPECT_EQ(umount(mount_point.c_str()), 0);
}

TEST_F(File, ASizeLimitIsReported) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 100'000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const Failure f = failure([&] { write_file(directory_ / "a", std::string(300'000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(f.kind, ErrorKind::resource);
  EXPECT_TRUE(contains(f.message, "File too large")) << f.message;
  EXPECT_EQ(entries(directory_), 0U);
}

}  // namespace
}  // namespace tenon
