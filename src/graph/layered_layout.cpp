#include "graph/layered_layout.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace tenon::graph {

namespace {

constexpr int kOrderSweeps = 16;
constexpr int kPlaceSweeps = 24;
constexpr double kBendWidth = 8;

// A node, or a bend: the place where a net passes a row.
struct Item {
  size_t node = 0;  // of Layout::nodes; of nets where `bend`
  bool bend = false;
  int row = 0;
  double width = 0, x = 0;
  double key = 0;  // by which a row is ordered
  std::vector<size_t> above, below;
};

class Arranger {
 public:
  Arranger(Layout& layout, double gap) : layout_(layout), gap_(gap) {}

  void run() {
    choose_rows();
    make_items();
    for (int sweep = 0; sweep < kOrderSweeps; ++sweep) order(sweep % 2 == 0);
    pack();
    for (int sweep = 0; sweep < kPlaceSweeps; ++sweep) place(sweep % 2 == 0);
    finish();
  }

 private:
  void choose_rows() {
    std::vector<LayoutNode>& nodes = layout_.nodes;
    std::vector<bool> led_to(nodes.size(), false);
    for (LayoutNode& node : nodes) node.row = 0;
    // Nets by their beginnings, which are in order: rows above are final when they are looked at.
    std::vector<size_t> nets(layout_.nets.size());
    std::iota(nets.begin(), nets.end(), size_t{0});
    std::stable_sort(nets.begin(), nets.end(), [&](size_t a, size_t b) {
      return layout_.nets[a].from < layout_.nets[b].from;
    });
    for (const size_t n : nets)
      for (const size_t to : layout_.nets[n].to) {
        TENON_BUG_IF(to <= layout_.nets[n].from, "an edge of the drawing leads back from {} to {}",
                     layout_.nets[n].from, to);
        led_to[to] = true;
        nodes[to].row = std::max(nodes[to].row, nodes[layout_.nets[n].from].row + 1);
      }
    for (size_t node = 0; node < nodes.size(); ++node) {
      if (led_to[node]) continue;
      int first = -1;
      for (const LayoutNet& net : layout_.nets)
        if (net.from == node)
          for (const size_t to : net.to)
            first = first < 0 ? nodes[to].row : std::min(first, nodes[to].row);
      nodes[node].row = std::max(0, first - 1);
    }
    layout_.rows = 0;
    for (const LayoutNode& node : nodes) layout_.rows = std::max(layout_.rows, node.row + 1);
  }

  void make_items() {
    for (size_t n = 0; n < layout_.nodes.size(); ++n)
      items_.push_back(
          {.node = n, .row = layout_.nodes[n].row, .width = layout_.nodes[n].width, .key = 0});
    bends_.resize(layout_.nets.size());
    for (size_t n = 0; n < layout_.nets.size(); ++n) {
      const LayoutNet& net = layout_.nets[n];
      int last = layout_.nodes[net.from].row;
      for (const size_t to : net.to) last = std::max(last, layout_.nodes[to].row);
      size_t before = net.from;
      for (int row = layout_.nodes[net.from].row + 1; row < last; ++row) {
        const size_t bend = items_.size();
        items_.push_back({.node = n, .bend = true, .row = row, .width = kBendWidth});
        connect(before, bend);
        bends_[n].push_back(bend);
        before = bend;
      }
      for (const size_t to : net.to) {
        const int steps = layout_.nodes[to].row - layout_.nodes[net.from].row;
        connect(steps == 1 ? net.from : bends_[n][static_cast<size_t>(steps - 2)], to);
      }
    }
    rows_.resize(static_cast<size_t>(layout_.rows));
    for (size_t i = 0; i < items_.size(); ++i)
      rows_[static_cast<size_t>(items_[i].row)].push_back(i);
    number_rows();
  }

  void connect(size_t above, size_t below) {
    items_[above].below.push_back(below);
    items_[below].above.push_back(above);
  }

  void number_rows() {
    for (const auto& row : rows_)
      for (size_t i = 0; i < row.size(); ++i) items_[row[i]].x = static_cast<double>(i);
  }

  const std::vector<size_t>& neighbours(const Item& item, bool downwards) const {
    return downwards ? item.above : item.below;
  }

  double mean_place(const Item& item, bool downwards) const {
    const std::vector<size_t>& others = neighbours(item, downwards);
    if (others.empty()) return item.x;
    double sum = 0;
    for (const size_t other : others) sum += items_[other].x;
    return sum / static_cast<double>(others.size());
  }

  // Each row by the mean place of what it is connected to in the row before.
  void order(bool downwards) {
    const auto one = [&](std::vector<size_t>& row) {
      for (const size_t i : row) items_[i].key = mean_place(items_[i], downwards);
      std::stable_sort(row.begin(), row.end(),
                       [&](size_t a, size_t b) { return items_[a].key < items_[b].key; });
      for (size_t i = 0; i < row.size(); ++i) items_[row[i]].x = static_cast<double>(i);
    };
    if (downwards)
      for (auto& row : rows_) one(row);
    else
      for (size_t r = rows_.size(); r-- > 0;) one(rows_[r]);
  }

  double distance(size_t left, size_t right) const {
    return (items_[left].width + items_[right].width) / 2 + gap_;
  }

  void pack() {
    for (const auto& row : rows_) {
      double at = 0;
      for (size_t i = 0; i < row.size(); ++i) {
        if (i > 0) at += distance(row[i - 1], row[i]);
        items_[row[i]].x = at;
      }
      for (const size_t i : row) items_[i].x -= at / 2;
    }
  }

  // Moves the items of each row as near as their order and widths allow to the mean of what they
  // are connected to: least squares under order constraints, by pooling neighbours that want to
  // pass.
  void place(bool downwards) {
    const auto one = [&](const std::vector<size_t>& row) {
      struct Pool {
        double sum, weight;
        size_t count;
        double mean() const { return sum / weight; }
      };
      std::vector<Pool> pools;
      std::vector<double> offsets;
      double offset = 0;
      for (size_t i = 0; i < row.size(); ++i) {
        if (i > 0) offset += distance(row[i - 1], row[i]);
        offsets.push_back(offset);
        const Item& item = items_[row[i]];
        // Long edges are to be straight, and what nothing pulls stays where it is.
        const double weight = item.bend ? 8 : neighbours(item, downwards).empty() ? 0.1 : 1;
        pools.push_back({weight * (mean_place(item, downwards) - offset), weight, 1});
        while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
          const Pool last = pools.back();
          pools.pop_back();
          pools.back().sum += last.sum;
          pools.back().weight += last.weight;
          pools.back().count += last.count;
        }
      }
      size_t i = 0;
      for (const Pool& pool : pools)
        for (size_t k = 0; k < pool.count; ++k, ++i) items_[row[i]].x = pool.mean() + offsets[i];
    };
    if (downwards)
      for (const auto& row : rows_) one(row);
    else
      for (size_t r = rows_.size(); r-- > 0;) one(rows_[r]);
  }

  void finish() {
    double left = 0, right = 0;
    for (size_t i = 0; i < items_.size(); ++i) {
      left = i == 0 ? items_[i].x - items_[i].width / 2
                    : std::min(left, items_[i].x - items_[i].width / 2);
      right = i == 0 ? items_[i].x + items_[i].width / 2
                     : std::max(right, items_[i].x + items_[i].width / 2);
    }
    for (size_t n = 0; n < layout_.nodes.size(); ++n) layout_.nodes[n].x = items_[n].x - left;
    for (size_t n = 0; n < layout_.nets.size(); ++n) {
      layout_.nets[n].through.clear();
      for (const size_t bend : bends_[n]) layout_.nets[n].through.push_back(items_[bend].x - left);
    }
    layout_.width = right - left;
  }

  Layout& layout_;
  const double gap_;
  std::vector<Item> items_;                 // the nodes, then the bends
  std::vector<std::vector<size_t>> bends_;  // by net
  std::vector<std::vector<size_t>> rows_;   // items, from left to right
};

}  // namespace

void Layout::arrange(double gap) { Arranger(*this, gap).run(); }

}  // namespace tenon::graph
