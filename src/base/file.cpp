// Reading files, and the errors of all that touches them.
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/text.h"

namespace tenon {

namespace {

constexpr size_t kChunk = 1 << 20;

// The last clause of an error.
std::string remedy(std::string_view path, int error) {
  switch (error) {
    case ENOENT: {
      const std::filesystem::path missing(path);
      const std::filesystem::path parent = missing.has_parent_path() ? missing.parent_path() : ".";
      std::error_code ignored;
      if (!std::filesystem::is_directory(parent, ignored))
        return fmt::format("; there is no directory {}", text::quoted(parent.string(), 200));
      std::vector<std::string> names;
      constexpr size_t kMost = 10000;  // enough to be useful, little enough to be quick
      for (auto it = std::filesystem::directory_iterator(parent, ignored);
           it != std::filesystem::directory_iterator() && names.size() < kMost;
           it.increment(ignored))
        names.push_back(it->path().filename().string());
      const std::string nearest = text::did_you_mean(missing.filename().string(), names);
      if (nearest.empty()) return "; check the path";
      return fmt::format("; did you mean {}?",
                         text::quoted((missing.parent_path() / nearest).string(), 200));
    }
    case EACCES:
    case EPERM:
    case EROFS: return "; check its permissions, or use another place";
    case EISDIR: return "; name a file inside it";
    case ENOTDIR: return "; a part of the path is a file, check it";
    case EMFILE:
    case ENFILE: return "; raise the limit of open files (ulimit -n)";
    case ENOSPC:
    case EDQUOT: return "; free some space or use another disk";
    case ENOMEM: return "; close other programs or use a larger machine";
    default: return "";
  }
}

Descriptor open_for_reading(const std::string& path, struct stat& facts) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail_system(path, "open", errno);
  if (::fstat(file.get(), &facts) != 0) fail_system(path, "read", errno);
  if (S_ISDIR(facts.st_mode)) fail_system(path, "read", EISDIR);
  return file;
}

[[noreturn]] void fail_too_large(const std::string& path, uint64_t size, uint64_t max_bytes) {
  fail(ErrorKind::data, "{}: {} are more than the {} allowed here; is it the right file?", path,
       text::human_bytes(size), text::human_bytes(max_bytes));
}

}  // namespace

void fail_system(std::string_view path, std::string_view action, int error) {
  fail(ErrorKind::resource, "{}: cannot {}: {}{}", path, action,
       std::generic_category().message(error), remedy(path, error));
}

std::string read_file(const std::string& path, uint64_t max_bytes) {
  struct stat facts {};
  const Descriptor file = open_for_reading(path, facts);
  // The size is a promise only of regular files, and files of /proc say 0.
  const auto promised = S_ISREG(facts.st_mode) ? static_cast<uint64_t>(facts.st_size) : 0;
  if (promised > max_bytes) fail_too_large(path, promised, max_bytes);
  std::string content;
  content.resize(promised + 1);  // one more, to see the end without growing
  size_t filled = 0;
  while (true) {
    if (filled == content.size()) content.resize(content.size() + std::max(kChunk, filled / 2));
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system(path, "read", errno);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
    if (filled > max_bytes) fail_too_large(path, filled, max_bytes);
  }
  content.resize(filled);
  return content;
}

MappedFile::MappedFile(const std::string& path, Access access) : path_(path) {
  struct stat facts {};
  const Descriptor file = open_for_reading(path, facts);
  TENON_CHECK(S_ISREG(facts.st_mode), resource,
              "{}: cannot map: not a regular file; copy it to one first", path);
  size_ = static_cast<size_t>(facts.st_size);
  if (size_ == 0) return;
  void* memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) fail_system(path, "map", errno);
  data_ = static_cast<const std::byte*>(memory);
  if (access != Access::normal)
    ::madvise(memory, size_, access == Access::random ? MADV_RANDOM : MADV_SEQUENTIAL);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

std::span<const std::byte> MappedFile::bytes(uint64_t offset, uint64_t count) const {
  TENON_CHECK(offset <= size_ && count <= size_ - offset, data,
              "{}: {} bytes at offset {} are past its end at {}; the file is truncated or corrupt",
              path_, count, offset, size_);
  return bytes().subspan(offset, count);
}

}  // namespace tenon
