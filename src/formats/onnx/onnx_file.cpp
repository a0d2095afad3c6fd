#include "formats/onnx/onnx_file.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "formats/onnx/import.h"

namespace tenon::formats {

namespace {

// Which file a path names, and what changes when it is written to.
struct Stamp {
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t seconds = 0, nanoseconds = 0;

  bool is_other_file(const Stamp& other) const {
    return device != other.device || inode != other.inode;
  }
  bool operator==(const Stamp&) const = default;
};

Stamp stamp_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return {};
  return {facts.st_dev, facts.st_ino, static_cast<uint64_t>(facts.st_size), facts.st_mtim.tv_sec,
          facts.st_mtim.tv_nsec};
}

}  // namespace

struct OnnxFile::Opened {
  explicit Opened(const std::string& path)
      : stamp(stamp_of(path)), mapped(path, MappedFile::Access::sequential) {}

  const Stamp stamp;
  const MappedFile mapped;
  std::atomic<bool> external_data{false};
};

OnnxFile::OnnxFile(const std::string& path)
    : opened_(with_context([&] { return "while importing " + path; },
                           [&] { return std::make_shared<Opened>(path); })) {}

graph::Graph OnnxFile::import() const {
  const std::string& path = opened_->mapped.path();
  const std::filesystem::path file(path);
  const std::string folder = file.parent_path().empty() ? "." : file.parent_path().string();
  return with_context(
      [&] { return "while importing " + path; },
      [&] {
        const Stamp now = stamp_of(path);
        TENON_CHECK(now.is_other_file(opened_->stamp) || now == opened_->stamp, data,
                    "{}: it was written to while in use; load the model again, and replace files "
                    "by renaming new ones",
                    path);
        bool external = false;
        const ImportOptions options{.mapped = true, .external_data = &external};
        graph::Graph graph =
            import_onnx(opened_->mapped.bytes(), file.filename().string(), options, folder);
        opened_->external_data = external;
        return graph;
      });
}

bool OnnxFile::has_external_data() const { return opened_->external_data; }

}  // namespace tenon::formats
