#include "graph/drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "graph/layered_layout.h"
#include "profile/html.h"

namespace tenon::graph {

namespace {

using profile::escape_html;

// Labels stand to the right of what they name, beyond the last box too.
constexpr double kMargin = 24, kLabelRoom = 150, kGap = 22, kLetter = 7.2, kSmallLetter = 5.9;
constexpr double kTitleHeight = 24, kLineHeight = 14, kBetweenRows = 56;
constexpr size_t kMostConstants = 4, kLongestSize = 9;

constexpr std::string_view kStyle =
    "svg{font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;background:#fbfaf7}"
    "text{fill:#22252b;font-size:13px;text-anchor:middle}"
    ".small{font-size:10.5px;fill:#555b66}.shape{font-size:10.5px;fill:#6a6f7a;text-anchor:start}"
    "path{fill:none;stroke:#8b909b;stroke-width:1.3}rect{stroke:#00000030;rx:6px}"
    ".port rect{fill:#e6e6e3;rx:12px}.conv rect{fill:#9cc4ec}.product rect{fill:#8fd0d4}"
    ".norm rect{fill:#d9c3ee}.activation rect{fill:#f6c39a}.element rect{fill:#f7dd9b}"
    ".pool rect{fill:#b9dfa8}.move rect{fill:#dcdcdc}.quant rect{fill:#f0b6c6}"
    ".control rect{fill:#c9b79c}";

struct Kind {
  std::string_view css;
  std::string_view words;  // an operator whose name holds one of them
};
// The first that fits; elementwise arithmetic is what fits none.
constexpr Kind kKinds[] = {
    {"quant", "Quantize Quant"},
    {"conv", "Conv Col2Im DeformConv"},
    {"product", "MatMul Gemm Linear Attention LSTM GRU RNN Einsum Tree SVM DFT STFT"},
    {"norm", "Normalization Softmax Normalizer LRN MeanVariance Hardmax"},
    {"pool", "Pool Reduce ArgM TopK Resize Upsample GridSample Roi NonMax CumSum"},
    {"move",
     "Reshape Transpose Slice Concat Split Squeeze Unsqueeze Flatten Gather Scatter Pad Expand "
     "Tile "
     "Shape Size Cast Identity Constant Range DepthToSpace SpaceToDepth Reverse OneHot Compress "
     "Embed"},
    {"activation",
     "Relu Sigmoid Tanh Gelu Elu Selu Celu Swish Mish Softplus Softsign HardSw Clip Erf Shrink"},
};

std::string_view kind_of(const OpDef& op) {
  if (op.structural) return "control";
  for (const Kind& kind : kKinds)
    for (const std::string_view word : text::split_words(kind.words))
      if (op.name.find(word) != std::string_view::npos) return kind.css;
  return "element";
}

struct Box {
  std::string_view css;
  std::string title;
  std::vector<std::string> lines;
  std::string tooltip;

  double width() const {
    double most = kLetter * static_cast<double>(title.size());
    for (const std::string& line : lines)
      most = std::max(most, kSmallLetter * static_cast<double>(line.size()));
    return std::max(56.0, most + 20);
  }
  double height() const { return kTitleHeight + kLineHeight * static_cast<double>(lines.size()); }
};

// A constant inside its reader: "W f32[64, 3, 7, 7]", or its value where it is one number.
std::string constant_line(std::string_view port, const Value& value) {
  const Tensor& contents = value.type.constant;
  if (contents.numel() == 1 && kNumeric.has(contents.dtype()))
    return fmt::format("{} = {:.4g}", port, contents.item<double>());
  if (is_int(contents.dtype()) && contents.rank() == 1 && contents.numel() <= 6)
    return fmt::format("{} = [{}]", port, fmt::join(contents.to_vector<int64_t>(), ", "));
  return fmt::format("{} {}", port, value.type.str());
}

// Short enough for a place beside an edge: long sizes, such as those of pooled symbols, are left
// out.
std::string label_of(const TensorType& type) {
  if (!type.ranked || is_container(type.dtype)) return type.str();
  std::vector<std::string> sizes;
  for (const Dim& dim : type.dims) {
    std::string size = dim.str();
    sizes.push_back(size.size() > kLongestSize ? "..." : std::move(size));
  }
  return fmt::format("{}[{}]", name(type.dtype), text::join(sizes, ", "));
}

std::string_view port_name(const OpDef& op, size_t i) {
  if (op.inputs.size() == 0) return "input";
  return op.inputs[std::min(i, op.inputs.size() - 1)].name;
}

Box box_of(const Graph& graph, const Node& node) {
  Box box{kind_of(*node.op), std::string(node.op->name), {}, {}};
  size_t constants = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Value& value = graph.value(node.inputs[i]);
    if (!value.is_constant()) continue;
    if (++constants <= kMostConstants)
      box.lines.push_back(constant_line(port_name(*node.op, i), value));
  }
  if (constants > kMostConstants)
    box.lines.push_back(fmt::format("{} more constants", constants - kMostConstants));
  box.tooltip = fmt::format("{} {}", node.op->name, node.name);
  if (!node.attrs.empty()) box.tooltip += "\n" + node.attrs.str();
  if (!node.origin.empty()) box.tooltip += "\n" + node.origin;
  for (ValueId id : node.outputs)
    if (id != kNoValue)
      box.tooltip += fmt::format("\n{}: {}", graph.value(id).name, graph.value(id).type.str());
  return box;
}

// The graph as boxes: its inputs, its nodes, its outputs.
class Drawing {
 public:
  explicit Drawing(const Graph& graph) : graph_(graph) {
    for (ValueId id : graph.inputs) add(port_box(id));
    for (const Node& node : graph.nodes()) add(box_of(graph, node));
    for (ValueId id : graph.outputs) add(port_box(id));
    connect();
    layout_.arrange(kGap);
    measure_rows();
  }

  std::string str() const {
    const double width = layout_.width + 2 * kMargin + kLabelRoom;
    const double height = tops_.back() + 2 * kMargin;
    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0f}\" height=\"{:.0f}\" "
        "viewBox=\"{:.0f} {:.0f} {:.0f} {:.0f}\"><title>{}</title><style>{}</style>\n",
        width, height, -kMargin, -kMargin, width, height, escape_html(graph_.name), kStyle);
    for (size_t n = 0; n < layout_.nets.size(); ++n) draw_net(n, out);
    for (size_t b = 0; b < boxes_.size(); ++b) draw_box(b, out);
    return out + "</svg>\n";
  }

 private:
  Box port_box(ValueId id) const {
    const Value& value = graph_.value(id);
    return {"port", value.name, {value.type.str()}, value.name + ": " + value.type.str()};
  }

  void add(Box box) {
    layout_.nodes.push_back({.width = box.width()});
    boxes_.push_back(std::move(box));
  }

  // A net for each value that somebody reads.
  void connect() {
    std::vector<std::vector<size_t>> readers(graph_.values().size());
    const size_t first = graph_.inputs.size();
    for (size_t n = 0; n < graph_.nodes().size(); ++n)
      for (ValueId id : graph_.nodes()[n].inputs) {
        if (id == kNoValue) continue;
        std::vector<size_t>& list = readers[static_cast<size_t>(id)];
        if (list.empty() || list.back() != first + n) list.push_back(first + n);
      }
    for (size_t i = 0; i < graph_.outputs.size(); ++i)
      readers[static_cast<size_t>(graph_.outputs[i])].push_back(first + graph_.nodes().size() + i);
    const auto add_net = [&](size_t from, ValueId id) {
      if (id == kNoValue || readers[static_cast<size_t>(id)].empty()) return;
      layout_.nets.push_back({.from = from, .to = readers[static_cast<size_t>(id)]});
      values_.push_back(id);
    };
    for (size_t i = 0; i < graph_.inputs.size(); ++i) add_net(i, graph_.inputs[i]);
    for (size_t n = 0; n < graph_.nodes().size(); ++n)
      for (ValueId id : graph_.nodes()[n].outputs) add_net(first + n, id);
  }

  // tops_[r] is where row r begins, tops_.back() where the last one ends.
  void measure_rows() {
    heights_.assign(static_cast<size_t>(layout_.rows), kTitleHeight);
    for (size_t b = 0; b < boxes_.size(); ++b) {
      double& height = heights_[static_cast<size_t>(layout_.nodes[b].row)];
      height = std::max(height, boxes_[b].height());
    }
    double at = 0;
    for (size_t r = 0; r < heights_.size(); ++r) {
      tops_.push_back(at);
      at += heights_[r] + (r + 1 < heights_.size() ? kBetweenRows : 0);
    }
    tops_.push_back(at);
  }

  double bottom_of(size_t box) const {
    return tops_[static_cast<size_t>(layout_.nodes[box].row)] + boxes_[box].height();
  }

  static std::string curve(double x0, double y0, double x1, double y1) {
    const double bend = (y1 - y0) / 2;
    return fmt::format("M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", x0, y0, x0,
                       y0 + bend, x1, y1 - bend, x1, y1);
  }

  void draw_net(size_t n, std::string& out) const {
    const LayoutNet& net = layout_.nets[n];
    const auto first = static_cast<size_t>(layout_.nodes[net.from].row);
    std::string path;
    // The trunk, row by row, and how far it has come.
    double x = layout_.nodes[net.from].x, y = bottom_of(net.from);
    const Value& value = graph_.value(values_[n]);
    const double label_x = x + 5, label_y = y + 13;
    std::vector<std::pair<double, double>> trunk{{x, y}};
    for (size_t i = 0; i < net.through.size(); ++i) {
      const size_t row = first + 1 + i;
      path += curve(x, y, net.through[i], tops_[row]);
      x = net.through[i], y = tops_[row] + heights_[row];
      path += fmt::format("V{:.1f}", y);
      trunk.emplace_back(x, y);
    }
    for (const size_t to : net.to) {
      const auto row = static_cast<size_t>(layout_.nodes[to].row);
      const auto [from_x, from_y] = trunk[row - first - 1];
      path += curve(from_x, from_y, layout_.nodes[to].x, tops_[row]);
    }
    out += fmt::format("<g><title>{}: {}</title><path d=\"{}\"/>", escape_html(value.name),
                       escape_html(value.type.str()), path);
    // An input shows its type already.
    if (value.producer >= 0)
      out += fmt::format("<text class=\"shape\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", label_x,
                         label_y, escape_html(label_of(value.type)));
    out += "</g>\n";
  }

  void draw_box(size_t b, std::string& out) const {
    const Box& box = boxes_[b];
    const LayoutNode& node = layout_.nodes[b];
    const double top = tops_[static_cast<size_t>(node.row)];
    out += fmt::format(
        "<g class=\"{}\"><title>{}</title><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"/><text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
        box.css, escape_html(text::printable(box.tooltip)), node.x - node.width / 2, top,
        node.width, box.height(), node.x, top + 16, escape_html(text::printable(box.title)));
    for (size_t i = 0; i < box.lines.size(); ++i)
      out += fmt::format("<text class=\"small\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", node.x,
                         top + kTitleHeight + 6 + kLineHeight * static_cast<double>(i),
                         escape_html(text::printable(box.lines[i])));
    out += "</g>\n";
  }

  const Graph& graph_;
  std::vector<Box> boxes_;
  Layout layout_;
  std::vector<ValueId> values_;  // by net
  std::vector<double> tops_, heights_;
};

}  // namespace

std::string draw_svg(const Graph& graph) { return Drawing(graph).str(); }

}  // namespace tenon::graph
