// A graph as a picture.
#pragma once

#include <string>

#include "graph/graph.h"

namespace tenon::graph {

// One SVG document: a box an operator, coloured by what it does, with its constants inside; below
// it the shapes of what it makes; inputs at the top, outputs at the bottom; names, origins and
// attributes as tooltips. Layered as by Sugiyama, Tagawa and Toda (1981): rows by the longest path,
// few crossings, straight long edges. Takes time in proportion to nodes times rows; readable up to
// some hundred nodes.
std::string draw_svg(const Graph& graph);

}  // namespace tenon::graph
