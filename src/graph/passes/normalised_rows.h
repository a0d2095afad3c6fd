// Rows divided by their root mean square, or by their standard deviation after the mean was taken
// off, as exporters spell them: what LayerNormalization and RMSNormalization begin with.
#pragma once

#include <optional>

#include "graph/passes/pattern.h"

namespace tenon::passes {

// scale * (x - mean) / sqrt(mean((x - mean)^2) + epsilon) + shift, or the same without the mean.
struct NormalisedRows {
  graph::ValueId x = graph::kNoValue;
  graph::ValueId y = graph::kNoValue;      // the whole
  graph::ValueId scale = graph::kNoValue;  // absent: 1
  graph::ValueId shift = graph::kNoValue;  // absent: 0
  size_t axis = 0;                         // rows are the axes from here on
  double epsilon = 0;
  // f16 or bf16 where the spelling goes on in it after a Cast of the normalised rows; x is f32
  // then.
  DType narrow = DType::undefined;
};

// The rows whose root (Sqrt, or Pow with -1/2) is node n, with as much of scale and shift as there
// is, read by nobody else on the way. `centred`: with or without the mean.
std::optional<NormalisedRows> normalised_rows(const graph::Rewriter& r, graph::NodeId n,
                                              bool centred);

// What an operator that normalises rows reads: all of one type, vectors in a row's shape.
struct RowInputs {
  graph::ValueId x, scale, shift;
};
// Values are added for it. Nothing where the shapes or types do not fit.
std::optional<RowInputs> row_inputs(graph::Rewriter& r, const NormalisedRows& rows);
// A vector in a narrower type: itself where it is of it, what a Cast widened, or a constant that
// loses nothing; else kNoValue.
graph::ValueId narrowed(graph::Rewriter& r, graph::ValueId id, DType type);
// Where `op` normalises rows of f32 that come from f16 or bf16 and go back there, it does so
// without the Casts: its statistics are f32 in any case.
void drop_casts(graph::Rewriter& r, const OpDef& op);

}  // namespace tenon::passes
