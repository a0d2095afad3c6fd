// Files that appear complete or not at all.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tenon {

namespace {

constexpr size_t kBuffer = 256 << 10;

// Where a symbolic link leads, so that the link itself stays; other paths as they are.
std::string resolve_links(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return path;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target.string();
}

std::string parent_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

std::string temporary_name(const std::string& target) {
  static std::atomic<unsigned> next{0};
  const std::filesystem::path path(target);
  // A name may have 255 bytes; the end of a long one is cut for the temporary.
  const std::string stem = path.filename().string().substr(0, 200);
  return (path.parent_path() / fmt::format(".{}.{}-{}.part", stem, ::getpid(), next++)).string();
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(resolve_links(path)) {
  struct stat facts {};
  const bool existed = ::stat(target_.c_str(), &facts) == 0;
  if (existed && S_ISDIR(facts.st_mode)) fail_system(path_, "write", EISDIR);
  if (existed && !S_ISREG(facts.st_mode)) {
    file_ = Descriptor(::open(target_.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file_) fail_system(path_, "write", errno);
    return;
  }
  do {  // a name left behind by a process of the same number is passed over
    temporary_ = temporary_name(target_);
    file_ = Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  } while (!file_ && errno == EEXIST);
  if (!file_) {
    temporary_.clear();
    fail_system(path_, "create", errno);
  }
  if (existed) ::fchmod(file_.get(), facts.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  file_.reset();
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (buffer_.size() + bytes.size() > kBuffer) flush();
  if (bytes.size() >= kBuffer) {
    written_ += bytes.size();  // first, so that a failure names the whole
    write_through(bytes.data(), bytes.size(), -1);
  } else {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

void AtomicFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  TENON_BUG_IF(offset > size() || bytes.size() > size() - offset,
               "{}: write_at({}, {} bytes) is past the {} written", path_, offset, bytes.size(),
               size());
  flush();
  write_through(bytes.data(), bytes.size(), static_cast<int64_t>(offset));
}

void AtomicFile::flush() {
  if (buffer_.empty()) return;
  write_through(reinterpret_cast<const std::byte*>(buffer_.data()), buffer_.size(), -1);
  written_ += buffer_.size();
  buffer_.clear();
}

// At the end when `offset` is negative.
void AtomicFile::write_through(const std::byte* bytes, size_t count, int64_t offset) {
  TENON_BUG_IF(!file_, "{}: written to after commit()", path_);
  while (count > 0) {
    const ssize_t done = offset < 0 ? ::write(file_.get(), bytes, count)
                                    : ::pwrite(file_.get(), bytes, count, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_writing(errno);
    bytes += done;
    count -= static_cast<size_t>(done);
    if (offset >= 0) offset += done;
  }
}

void AtomicFile::fail_writing(int error) const {
  if (error != ENOSPC && error != EDQUOT) fail_system(path_, "write", error);
  std::error_code unknown;
  const auto space = std::filesystem::space(parent_of(target_), unknown);
  fail(ErrorKind::resource,
       "{}: the disk is full: {} to be written, {} free ({}); free some space "
       "or use another disk",
       path_, text::human_bytes(size()), unknown ? "?" : text::human_bytes(space.available),
       std::generic_category().message(error));
}

void AtomicFile::commit() {
  flush();
  // Pipes and devices cannot be flushed (EINVAL).
  if (::fsync(file_.get()) != 0 && errno != EINVAL && errno != EROFS) fail_writing(errno);
  if (file_.reset() != 0) fail_writing(errno);
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_system(path_, "replace", errno);
  temporary_.clear();
  // The new name is on the disk when its directory is. Some network file systems refuse; the file
  // is in place all the same.
  const Descriptor parent(::open(parent_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent) ::fsync(parent.get());
}

void write_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace tenon
