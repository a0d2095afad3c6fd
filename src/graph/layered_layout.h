// Places for the nodes of a directed graph without circles: rows from top to bottom, edges
// downwards.
#pragma once

#include <cstddef>
#include <vector>

namespace tenon::graph {

struct LayoutNode {
  double width = 0;
  int row = 0;   // found by arrange()
  double x = 0;  // of the centre; found by arrange()
};

// What one node hands to others: a bundle of edges with a common beginning.
struct LayoutNet {
  size_t from = 0;
  std::vector<size_t> to;
  // Found by arrange(): where the bundle passes the rows between its ends, from top to bottom. An
  // end in row r is reached from the place in row r - 1, or from `from` itself.
  std::vector<double> through;
};

struct Layout {
  std::vector<LayoutNode> nodes;
  std::vector<LayoutNet> nets;
  int rows = 0;
  double width = 0;

  // Fills in what is to be found. Nodes that nothing leads to are put just above the first that
  // they lead to. `gap` lies between neighbours. The nodes must be in an order in which edges go
  // forward.
  void arrange(double gap);
};

}  // namespace tenon::graph
