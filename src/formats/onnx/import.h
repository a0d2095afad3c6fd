// Importing ONNX models: a graph of canonical operators, whatever opset the file was written for.
//
//   graph::Graph g = formats::import_onnx("resnet50.onnx");
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tenon::formats {

struct ImportOptions {
  // Float initialisers become parameters, so that the graph can be trained: all but those that
  // decide shapes and the running statistics of BatchNormalization.
  bool trainable = false;
  // Sizes for named axes ("batch"), which are fixed then.
  Dim::Bindings sizes = {};
  // What export_own_bytes() wrote: operators of Tenon's own (domain ai.tenon) are taken too, nodes
  // come from where they are noted to come from, and placed constants lie in `place`, which
  // `place_owner` keeps alive; they are shown there, not copied.
  bool own = false;
  std::span<const std::byte> place = {};
  std::shared_ptr<const void> place_owner = {};
  // The bytes are those of a mapped file: pages that were read need not stay.
  bool mapped = false;
  // Set to whether weights lie in other files, where the graph shows them.
  bool* external_data = nullptr;
};

// Values keep the file's names, nodes say where they come from ("node conv1 of resnet50.onnx"), and
// small computations on constants are done right away. Fails with kind data on files that are
// damaged or no ONNX models, and with kind unsupported on what Tenon does not know, naming node,
// operator, domain and opset.
graph::Graph import_onnx(const std::string& path, const ImportOptions& options = {});
// From memory; `name` is used in messages, and `folder` is where external data lies, if any does.
graph::Graph import_onnx(std::span<const std::byte> bytes, const std::string& name,
                         const ImportOptions& options = {}, const std::string& folder = {});

// What of a model Tenon cannot import, each thing once, in the order of the file: "operator Scan",
// "element type FLOAT8E4M3FN", "sequence values". Nothing when all is known. Fails (data) as
// import.
std::vector<std::string> import_obstacles(const std::string& path);

}  // namespace tenon::formats
