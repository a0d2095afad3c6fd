// Paths and directories.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

void check(const std::error_code& error, std::string_view path, std::string_view action) {
  if (error) fail_system(path, action, error.value());
}

EntryKind kind_of(const fs::directory_entry& entry) {
  std::error_code dangling;
  if (entry.is_directory(dangling)) return EntryKind::directory;
  return entry.is_regular_file(dangling) ? EntryKind::file : EntryKind::other;
}

bool has_extension(const std::string& name, std::span<const std::string_view> extensions) {
  if (extensions.empty()) return true;
  const std::string lower = text::lower(name);
  return std::any_of(extensions.begin(), extensions.end(), [&](std::string_view extension) {
    return lower.ends_with(text::lower(extension));
  });
}

}  // namespace

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool is_directory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

uint64_t file_size(const std::string& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  check(error, path, "read its size");
  return size;
}

void create_directories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path, error)) error.assign(ENOTDIR, std::generic_category());
  check(error, path, "create the directory");
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail_system(path, "remove", errno);
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  check(error, path, "remove");
}

void rename_path(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  check(error, from, fmt::format("rename to {}", to));
}

uint64_t free_space(const std::string& path) {
  std::error_code error;
  const fs::space_info space = fs::space(path, error);
  check(error, path, "ask for free space");
  return space.available;
}

std::vector<DirectoryEntry> list_directory(const std::string& path) {
  std::vector<DirectoryEntry> entries;
  std::error_code error;
  for (fs::directory_iterator it(path, error); !error && it != fs::directory_iterator();
       it.increment(error))
    entries.push_back({it->path().filename().string(), kind_of(*it)});
  check(error, path, "list the directory");
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

std::vector<std::string> list_files(const std::string& path,
                                    std::span<const std::string_view> extensions) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator it(path, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    std::error_code dangling;
    if (it->is_regular_file(dangling) && has_extension(it->path().filename().string(), extensions))
      files.push_back(it->path().lexically_relative(path).generic_string());
  }
  check(error, path, "list the directory");
  std::sort(files.begin(), files.end());
  return files;
}

TempDirectory::TempDirectory(std::string_view prefix, const std::string& parent) {
  const char* variable = std::getenv("TMPDIR");
  const std::string place = !parent.empty()                            ? parent
                            : variable != nullptr && *variable != '\0' ? variable
                                                                       : "/tmp";
  path_ = fmt::format("{}/{}-XXXXXX", place, prefix);
  if (::mkdtemp(path_.data()) == nullptr) {
    const int error = errno;
    path_.clear();
    fail_system(place, "make a temporary directory in it", error);
  }
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

TempDirectory::TempDirectory(TempDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

TempDirectory& TempDirectory::operator=(TempDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

std::string TempDirectory::operator/(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

}  // namespace tenon
