#include "graph/drawing.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/layered_layout.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::graph {
namespace {

size_t count_of(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(LayeredLayout, EdgesGoDownAndNeighboursDoNotOverlap) {
  // 0 leads to 1, 2 and (past two rows) 4; 1 and 2 lead to 3, which leads to 4.
  Layout layout;
  layout.nodes.assign(5, {.width = 40});
  layout.nets = {{.from = 0, .to = {1, 2, 4}},
                 {.from = 1, .to = {3}},
                 {.from = 2, .to = {3}},
                 {.from = 3, .to = {4}}};
  layout.arrange(10);
  EXPECT_EQ(layout.rows, 4);
  for (const LayoutNet& net : layout.nets)
    for (const size_t to : net.to) EXPECT_GT(layout.nodes[to].row, layout.nodes[net.from].row);
  EXPECT_EQ(layout.nodes[1].row, layout.nodes[2].row);
  EXPECT_GE(std::abs(layout.nodes[1].x - layout.nodes[2].x), 50 - 1e-9);
  ASSERT_EQ(layout.nets[0].through.size(), 2U) << "one place in each row between";
  EXPECT_TRUE(layout.nets[1].through.empty());
  for (const LayoutNode& node : layout.nodes) {
    EXPECT_GE(node.x, 20 - 1e-9);
    EXPECT_LE(node.x, layout.width - 20 + 1e-9);
  }
}

TEST(LayeredLayout, SourcesStandAboveTheirFirstReader) {
  Layout layout;  // a chain 0, 1, 2, 3 that a late input, 4 before 5, joins
  layout.nodes.assign(6, {.width = 10});
  layout.nets = {{.from = 0, .to = {1}},
                 {.from = 1, .to = {2}},
                 {.from = 2, .to = {3}},
                 {.from = 3, .to = {5}},
                 {.from = 4, .to = {5}}};
  layout.arrange(4);
  EXPECT_EQ(layout.nodes[5].row, 4);
  EXPECT_EQ(layout.nodes[4].row, 3);
}

TEST(LayeredLayout, OfNothing) {
  Layout layout;
  layout.arrange(10);
  EXPECT_EQ(layout.rows, 0);
  EXPECT_EQ(layout.width, 0);
}

TEST(Drawing, ShowsBoxesShapesAndConstants) {
  Graph graph;
  graph.name = "a<b";
  const ValueId x = graph.add_input("x", DType::f32, {Dim::symbol("batch"), 3, 8, 8});
  const ValueId w = graph.add_constant("w", Tensor::zeros({4, 3, 3, 3}));
  const NodeId conv = graph.add_node(op::Conv, {}, {x, w}, 1, "conv1", "node conv1");
  const NodeId relu = graph.add_node(op::Relu, {}, {graph.node(conv).outputs[0]}, 1, "relu1");
  const NodeId sum = graph.add_node(
      op::Add, {}, {graph.node(conv).outputs[0], graph.node(relu).outputs[0]}, 1, "sum");
  graph.outputs = {graph.node(sum).outputs[0]};
  const std::string svg = draw_svg(graph);
  EXPECT_TRUE(svg.starts_with("<svg ")) << svg.substr(0, 40);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("<title>a&lt;b</title>"), std::string::npos);
  EXPECT_EQ(count_of(svg, "<rect "), 5U) << "an input, three nodes, an output";
  EXPECT_EQ(count_of(svg, "<path "), 4U) << "a net for each value that is read";
  EXPECT_NE(svg.find("W f32[4, 3, 3, 3]"), std::string::npos);
  EXPECT_NE(svg.find("f32[batch, 4, 6, 6]"), std::string::npos);
  EXPECT_EQ(count_of(svg, "class=\"conv\""), 1U);
  EXPECT_EQ(count_of(svg, "class=\"activation\""), 1U);
  EXPECT_EQ(count_of(svg, "class=\"element\""), 1U);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Drawing, OfAGraphThatHandsItsInputOn) {
  Graph graph;
  graph.outputs = {graph.add_input("x", DType::f32, {2})};
  EXPECT_EQ(count_of(draw_svg(graph), "<rect "), 2U);
}

}  // namespace
}  // namespace tenon::graph
