// Exporting graphs as ONNX models.
//
//   graph::Graph g = graph::capture(...);
//   formats::export_onnx(g, "model.onnx", {.opset = 17});
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "graph/graph.h"

namespace tenon::formats {

inline constexpr int kMinExportOpset = 13;
inline constexpr int kMaxExportOpset = 22;

struct ExportOptions {
  int opset = 17;  // kMinExportOpset to kMaxExportOpset
  std::string producer = "tenon";
  std::string doc = {};
  // Constants of more bytes than this in all go into a second file, "<path>.data": an ONNX file
  // holds 2 GiB at most.
  uint64_t max_inline_bytes = 1'900'000'000;
};

// Inputs and outputs keep the graph's names, symbolic axes are written as text ("batch",
// "2*seq+1"). Operators that the opset does not have are rewritten for it, or written out in
// simpler ones where they have an expansion; else this fails (unsupported) naming the node and the
// reason. The file appears complete or not at all; equal graphs give equal bytes.
void export_onnx(const graph::Graph& graph, const std::string& path,
                 const ExportOptions& options = {});
// The same in memory, everything inline.
std::string export_onnx_bytes(const graph::Graph& graph, const ExportOptions& options = {});

// Where a constant's contents go: their offset in a place of the caller's. Nothing: they stay in
// the model.
using PlaceConstant = std::function<std::optional<uint64_t>(const Tensor&)>;

// The graph as it is, for Tenon alone (ImportOptions::own reads it): every operator in its
// canonical form, those of Tenon's own included. `place` is asked for each constant of plain
// elements; it sees row-major ones. Fails (unsupported) on constants that files cannot hold, and
// past 2 GiB.
std::string export_own_bytes(const graph::Graph& graph, const PlaceConstant& place);

}  // namespace tenon::formats
