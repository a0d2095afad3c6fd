// Folders of pictures, one a class.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "data/image.h"
#include "data/sources.h"
#include "data/sources/catalog.h"

namespace tenon::data {

namespace {

constexpr std::array<std::string_view, 3> kExtensions{".jpg", ".jpeg", ".png"};

class Folder final : public Source {
 public:
  explicit Folder(const ImageFolderOptions& options)
      : path_(options.path),
        decode_{.channels = options.channels, .max_pixels = options.max_pixels} {
    TENON_CHECK(options.channels == 1 || options.channels == 3, usage,
                "image_folder: {} channels; use 1 (grey) or 3 (RGB)", options.channels);
    std::vector<std::string> folders;
    for (const DirectoryEntry& entry : list_directory(path_))
      if (entry.kind == EntryKind::directory && !entry.name.starts_with('.'))
        folders.push_back(entry.name);
    TENON_CHECK(
        !folders.empty(), data,
        "image_folder: {} has no folders; put the pictures of each class into one of its name",
        path_);
    const std::vector<std::string>& classes = options.classes.empty() ? folders : options.classes;
    for (const std::string& folder : folders)
      TENON_CHECK(std::find(classes.begin(), classes.end(), folder) != classes.end(), data,
                  "image_folder: {} has a folder '{}' that is no class{}", path_, folder,
                  text::suggestion(folder, classes));
    for (size_t label = 0; label < classes.size(); ++label) {
      if (std::find(folders.begin(), folders.end(), classes[label]) == folders.end()) continue;
      for (const std::string& file : list_files(path_ + "/" + classes[label], kExtensions))
        items_.push_back({classes[label] + "/" + file, static_cast<int64_t>(label)});
    }
    TENON_CHECK(!items_.empty(), data,
                "image_folder: {} has no .jpg, .jpeg or .png in the folders {}; look at the path",
                path_, text::join(folders, ", "));
    schema_ = {{"image", DType::u8, {kVaries, kVaries, options.channels}, Role::image},
               {"label", DType::i64, {}, Role::value, classes}};
  }

  const Schema& schema() const override { return schema_; }
  int64_t size() const override { return static_cast<int64_t>(items_.size()); }
  std::string describe(int64_t index, int64_t) const override {
    return path_ + "/" + items_[static_cast<size_t>(index)].file;
  }

 private:
  struct Item {
    std::string file;  // relative to path_
    int64_t label;
  };

  Sample read_item(int64_t index, int64_t) const override {
    const Item& item = items_[static_cast<size_t>(index)];
    const std::string bytes = read_file(path_ + "/" + item.file);
    return {{"image", decode_image(std::as_bytes(std::span(bytes)), decode_)},
            {"label", Tensor::from<int64_t>({item.label}, {})}};
  }

  std::string path_;
  DecodeOptions decode_;
  std::vector<Item> items_;
  Schema schema_;
};

SourcePtr make(const Config& config) {
  return image_folder(
      {.path = config.get<std::string>("path"),
       .channels = config.get_in<int>("channels", 3, 1, 3),
       .classes = config.get<std::vector<std::string>>("classes", {}),
       .max_pixels = config.get_in<int64_t>("max_pixels", 100'000'000, 1, INT64_MAX)});
}

constexpr std::array kKeys{
    Key{"path", "the folder whose folders are the classes"},
    Key{"channels", "3 for RGB (default), 1 for grey"},
    Key{"classes", "names and order of the classes (default: the folders, sorted)"},
    Key{"max_pixels", "larger pictures are refused (default 100000000)"}};

}  // namespace

constinit const SourceDef sources::ImageFolder{
    "image_folder", "JPEG and PNG files, one folder a class", kKeys, make};

SourcePtr image_folder(const ImageFolderOptions& options) {
  return std::make_shared<Folder>(options);
}

}  // namespace tenon::data
