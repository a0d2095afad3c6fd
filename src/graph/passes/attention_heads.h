// Queries, keys and values of attention as a graph lays them out: by heads, by rows, or as one axis
// of all heads, with the transposes, reshapes and scales in between.
#pragma once

#include <optional>

#include "graph/passes/pattern.h"

namespace tenon::passes {

// The same contents in several layouts; each absent one would have to be made. The contents are a
// layout's times its factor.
struct AttentionHeads {
  struct Place {
    graph::ValueId value = graph::kNoValue;
    double factor = 1;

    explicit operator bool() const { return value != graph::kNoValue; }
  };

  Dims dims;      // [batch, heads, length, size], as the products see it
  Dim own_heads;  // fewer than that where several query heads share one
  Place heads;    // [batch, own heads, length, size]
  Place rows;     // [batch, length, own heads, size]
  Place flat;     // [batch, length, own heads * size]
  Place packed;   // [batch, length, parts, heads, size], of which it is `part`
  int64_t part = 0;
  Place single;  // [batch * heads, length, size], where the product has rank 3

  // Whether to_flat() moves no data.
  bool is_flat() const { return flat || rows || packed; }
  bool is_headed() const { return heads || rows; }
  // Nodes are added for a layout that is absent.
  Place to_flat(graph::Rewriter& r) const;
  Place to_heads(graph::Rewriter& r) const;
};

// An operand of rank 3 or 4 of a batched product; `transposed`: [..., size, length]. `scaled`:
// factors may be taken out of it.
std::optional<AttentionHeads> attention_heads(const graph::Rewriter& r, graph::ValueId operand,
                                              bool transposed, bool scaled);

// Whether a Transpose orders the axes so.
bool has_order(const graph::Node& transpose, std::initializer_list<int64_t> order);

}  // namespace tenon::passes
