// Files: read whole, mapped, written so that they are either complete or not there; compressed
// ones; directories. Every failure names the path and the system's reason: kind resource where the
// system refuses, kind data where the content is wrong. Paths are UTF-8 text; a
// std::filesystem::path converts by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"

namespace tenon {

inline constexpr uint64_t kNoLimit = UINT64_MAX;

// Throws what this header throws when the system refuses: "<path>: cannot <action>: <reason of
// errno>; <what to do>", kind resource.
[[noreturn]] void fail_system(std::string_view path, std::string_view action, int error);

// -- Reading -----------------------------------------------------------------------------------
// All bytes. Fails (data) when there are more than `max_bytes`, before reading them. A missing file
// is reported with the name in its directory that is nearest.
std::string read_file(const std::string& path, uint64_t max_bytes = kNoLimit);

// A whole regular file, mapped for reading. Moving keeps the address. The file must not be
// shortened by anybody while it is mapped: reading past its new end would raise SIGBUS.
class MappedFile {
 public:
  enum class Access { normal, sequential, random };

  MappedFile() = default;
  explicit MappedFile(const std::string& path, Access access = Access::normal);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  // `count` bytes from `offset`; fails (data), naming path and range, where the file has no such.
  std::span<const std::byte> bytes(uint64_t offset, uint64_t count) const;
  const std::string& path() const { return path_; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::string path_;
};

// -- Writing -----------------------------------------------------------------------------------
// A file that appears under its name complete or not at all: bytes go to a file beside it, which
// commit() flushes to the disk and renames. Without commit() it is removed. A full disk fails with
// kind resource, path and size. An existing file keeps its permissions, a symbolic link its place;
// what is no regular file (/dev/stdout, a pipe) is written to directly.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // At the end. Small writes are gathered.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Over bytes written before: a header whose values are known last.
  void write_at(uint64_t offset, std::span<const std::byte> bytes);
  uint64_t size() const { return written_ + buffer_.size(); }
  void commit();
  const std::string& path() const { return path_; }

 private:
  void flush();
  void write_through(const std::byte* bytes, size_t count, int64_t offset);
  [[noreturn]] void fail_writing(int error) const;

  std::string path_;       // as asked for
  std::string target_;     // links resolved
  std::string temporary_;  // empty when writing directly, and after commit()
  Descriptor file_;
  uint64_t written_ = 0;
  std::string buffer_;
};

// The whole file at once, by way of AtomicFile.
void write_file(const std::string& path, std::string_view bytes);

// -- gzip --------------------------------------------------------------------------------------
// The uncompressed content of a .gz file of one or several members. Fails (data) when it is
// truncated, corrupt, not gzip, or expands past `max_bytes`.
std::string read_gz(const std::string& path, uint64_t max_bytes);
// The same for bytes in memory; errors begin with `where`.
std::string gunzip(std::span<const std::byte> bytes, uint64_t max_bytes, std::string_view where);
// One member, without name or time, so that equal input gives equal output. Level 1 to 9.
std::string gzip(std::string_view bytes, int level = 6);

// -- Paths and directories ---------------------------------------------------------------------
bool exists(const std::string& path);
bool is_directory(const std::string& path);
uint64_t file_size(const std::string& path);
// With all parents; no failure when it exists already.
void create_directories(const std::string& path);
void remove_file(const std::string& path);  // no failure when it is not there
void remove_tree(const std::string& path);  // everything below and itself; links are not followed
void rename_path(const std::string& from, const std::string& to);
// Bytes a user may still write on the disk that holds `path`.
uint64_t free_space(const std::string& path);

enum class EntryKind { file, directory, other };
struct DirectoryEntry {
  std::string name;  // relative to the directory that was listed
  EntryKind kind = EntryKind::file;
  bool operator==(const DirectoryEntry&) const = default;
};
// By name, bytewise; links count as what they point to.
std::vector<DirectoryEntry> list_directory(const std::string& path);
// The files below, at any depth, sorted: "a.txt", "sub/b.txt". Links to directories are not
// followed. `extensions` such as {".jpg", ".png"} keeps those alone, in any case.
std::vector<std::string> list_files(const std::string& path,
                                    std::span<const std::string_view> extensions = {});

// A new directory under TMPDIR (or /tmp), or under `parent`, removed with its content at the end.
class TempDirectory {
 public:
  explicit TempDirectory(std::string_view prefix = "tenon", const std::string& parent = "");
  ~TempDirectory();
  TempDirectory(TempDirectory&& other) noexcept;
  TempDirectory& operator=(TempDirectory&& other) noexcept;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const;

 private:
  std::string path_;
};

}  // namespace tenon
