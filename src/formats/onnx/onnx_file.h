// An ONNX file that is imported more than once.
#pragma once

#include <memory>
#include <string>

#include "graph/graph.h"

namespace tenon::formats {

// What a path named when this was made, even where another file takes that place later. The file
// must not be shortened meanwhile. Thread-safe.
class OnnxFile {
 public:
  explicit OnnxFile(const std::string& path);

  // Fails as import_onnx does, and (data) where the file was written to since it was opened.
  graph::Graph import() const;
  // Whether weights lie in other files, where imported graphs show them. Known after import().
  bool has_external_data() const;

 private:
  struct Opened;
  std::shared_ptr<Opened> opened_;
};

}  // namespace tenon::formats
