// Einsum: sums of products over labelled axes, written out in matrix products.
#include <algorithm>
#include <optional>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/einsum_equation.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

using einsum::Label;
using Labels = std::vector<Label>;

bool holds(const Labels& labels, Label label) {
  return std::ranges::find(labels, label) != labels.end();
}

int64_t place_of(const Labels& labels, Label label) {
  return std::ranges::find(labels, label) - labels.begin();
}

void infer(InferContext& ctx) {
  std::vector<size_t> ranks;
  std::vector<Dims> operands;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    ranks.push_back(ctx.rank(i));
    operands.push_back(ctx.dims(i));
  }
  const einsum::Equation equation = einsum::parse(ctx.s("equation"), ranks);
  const einsum::Sizes sizes(equation, operands);
  Dims out;
  for (const Label label : equation.output) out.push_back(sizes.of(label));
  ctx.output(0, std::move(out));
}

// A factor of the product, each label on one axis.
struct Factor {
  Tensor x;
  Labels labels;

  Dim size(Label label) const { return x.dims()[static_cast<size_t>(place_of(labels, label))]; }
};

Tensor axis_list(const std::vector<int64_t>& axes) { return Tensor::ints(axes); }

// The number of elements of some axes as an int64 vector of one, computed where it is symbolic.
Tensor count_of(const Factor& factor, const Labels& labels) {
  Tensor count;
  int64_t fixed = 1;
  for (const Label label : labels) {
    const Dim size = factor.size(label);
    if (size.is_const()) {
      fixed *= size.value();
      continue;
    }
    const Tensor read = Gather(Shape(factor.x), Tensor::ints({place_of(factor.labels, label)}));
    count = count.defined() ? count * read : read;
  }
  if (!count.defined()) return Tensor::ints({fixed});
  return fixed == 1 ? count : count * Tensor::ints({fixed});
}

// A repeated label keeps the elements whose indices on its axes are equal: those at every n + 1st
// place of the two axes taken as one.
Factor diagonal(Factor factor) {
  for (size_t i = 0; i < factor.labels.size(); ++i) {
    const Label label = factor.labels[i];
    const auto again = std::find(factor.labels.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                 factor.labels.end(), label);
    if (again == factor.labels.end()) continue;
    const auto other = static_cast<size_t>(again - factor.labels.begin());
    std::vector<int64_t> order;
    Labels rest;
    for (size_t axis = 0; axis < factor.labels.size(); ++axis) {
      if (axis == i || axis == other) continue;
      order.push_back(static_cast<int64_t>(axis));
      rest.push_back(factor.labels[axis]);
    }
    order.push_back(static_cast<int64_t>(i));
    order.push_back(static_cast<int64_t>(other));
    const Tensor last = Transpose(factor.x, {{"perm", tenon::Shape(order)}});
    const Tensor n = count_of(factor, {label});
    TensorList target;
    for (const Label kept : rest) target.push_back(count_of(factor, {kept}));
    target.push_back(n * n);
    const Tensor flat = Reshape(last, Concat.all(target, {{"axis", 0}})[0], {{"allowzero", 1}});
    const Tensor zero = Tensor::from<int64_t>({0}, {});
    const Tensor side = Squeeze(n, Tensor::ints({0}));
    const Tensor places = Range(zero, side * side, side + 1);
    factor.x = Gather(flat, places, {{"axis", static_cast<int64_t>(rest.size())}});
    rest.push_back(label);
    return diagonal({factor.x, rest});
  }
  return factor;
}

// Sums over axes of labels that nobody else needs.
Factor summed(Factor factor, const Labels& needed) {
  std::vector<int64_t> axes;
  Labels kept;
  for (size_t axis = 0; axis < factor.labels.size(); ++axis) {
    if (holds(needed, factor.labels[axis]))
      kept.push_back(factor.labels[axis]);
    else
      axes.push_back(static_cast<int64_t>(axis));
  }
  if (axes.empty()) return factor;
  return {ReduceSum(factor.x, axis_list(axes), {{"keepdims", 0}}), kept};
}

// An axis of size 1 that others have longer is the same for all their elements: it goes.
Factor without_broadcast(Factor factor, const einsum::Sizes& sizes) {
  std::vector<int64_t> axes;
  Labels kept;
  for (size_t axis = 0; axis < factor.labels.size(); ++axis) {
    const Dim size = factor.x.dims()[axis];
    if (size == Dim(1) && !(sizes.of(factor.labels[axis]) == size))
      axes.push_back(static_cast<int64_t>(axis));
    else
      kept.push_back(factor.labels[axis]);
  }
  if (axes.empty()) return factor;
  return {Squeeze(factor.x, axis_list(axes)), kept};
}

Factor ordered(const Factor& factor, const Labels& order) {
  if (factor.labels == order) return factor;
  std::vector<int64_t> perm;
  for (const Label label : order) perm.push_back(place_of(factor.labels, label));
  return {Transpose(factor.x, {{"perm", tenon::Shape(perm)}}), order};
}

Labels joined(std::initializer_list<const Labels*> lists) {
  Labels all;
  for (const Labels* list : lists) all.insert(all.end(), list->begin(), list->end());
  return all;
}

// The factor as [batch..., rows, columns]; nothing is moved where that is what it is.
Tensor as_matrices(const Factor& factor, const Labels& batch, const Labels& rows,
                   const Labels& columns) {
  const Factor in_order = ordered(factor, joined({&batch, &rows, &columns}));
  if (rows.size() == 1 && columns.size() == 1) return in_order.x;
  TensorList target;
  for (const Label label : batch) target.push_back(count_of(in_order, {label}));
  target.push_back(count_of(in_order, rows));
  target.push_back(count_of(in_order, columns));
  return Reshape(in_order.x, Concat.all(target, {{"axis", 0}})[0], {{"allowzero", 1}});
}

// How two factors meet: labels of both that stay or go, and labels of one.
struct Meeting {
  Labels batch, inner, left, right;

  Meeting(const Factor& a, const Factor& b, const Labels& needed) {
    for (const Label label : a.labels) {
      if (!holds(b.labels, label))
        left.push_back(label);
      else
        (holds(needed, label) ? batch : inner).push_back(label);
    }
    for (const Label label : b.labels)
      if (!holds(a.labels, label)) right.push_back(label);
  }
  Labels result() const { return joined({&batch, &left, &right}); }
};

// Element by element: [batch, left, 1...] times [batch, 1..., right].
Factor multiplied(const Factor& a, const Factor& b, const Meeting& meeting) {
  Tensor x = ordered(a, joined({&meeting.batch, &meeting.left})).x;
  Tensor y = ordered(b, joined({&meeting.batch, &meeting.right})).x;
  const size_t batch = meeting.batch.size(), left = meeting.left.size();
  std::vector<int64_t> behind, between;
  for (size_t i = 0; i < meeting.right.size(); ++i)
    behind.push_back(static_cast<int64_t>(batch + left + i));
  for (size_t i = 0; i < left; ++i) between.push_back(static_cast<int64_t>(batch + i));
  if (!behind.empty()) x = Unsqueeze(x, axis_list(behind));
  if (!between.empty()) y = Unsqueeze(y, axis_list(between));
  return {x * y, meeting.result()};
}

Factor contracted(const Factor& a, const Factor& b, const Labels& needed) {
  const Meeting meeting(a, b, needed);
  if (meeting.inner.empty()) return multiplied(a, b, meeting);
  const Tensor product = MatMul(as_matrices(a, meeting.batch, meeting.left, meeting.inner),
                                as_matrices(b, meeting.batch, meeting.inner, meeting.right));
  if (meeting.left.size() == 1 && meeting.right.size() == 1) return {product, meeting.result()};
  TensorList target;
  for (const Label label : meeting.batch) target.push_back(count_of(a, {label}));
  for (const Label label : meeting.left) target.push_back(count_of(a, {label}));
  for (const Label label : meeting.right) target.push_back(count_of(b, {label}));
  const Tensor shape = target.empty() ? Tensor::ints({}) : Concat.all(target, {{"axis", 0}})[0];
  return {Reshape(product, shape, {{"allowzero", 1}}), meeting.result()};
}

// What the output or a factor other than `one` and `two` has.
Labels needed_beside(const std::vector<Factor>& factors, const Labels& output, size_t one,
                     size_t two) {
  Labels needed = output;
  for (size_t i = 0; i < factors.size(); ++i)
    if (i != one && i != two)
      needed.insert(needed.end(), factors[i].labels.begin(), factors[i].labels.end());
  return needed;
}

// The pair whose product is smallest, so that little is computed and held; the first two where
// sizes are symbolic.
std::pair<size_t, size_t> cheapest_pair(const std::vector<Factor>& factors, const Labels& output) {
  std::pair<size_t, size_t> best{0, 1};
  std::optional<double> least;
  for (size_t i = 0; i < factors.size(); ++i) {
    for (size_t k = i + 1; k < factors.size(); ++k) {
      const Meeting meeting(factors[i], factors[k], needed_beside(factors, output, i, k));
      double count = 1;
      for (const Factor* factor : {&factors[i], &factors[k]})
        for (const Label label : factor->labels) {
          const bool once = factor == &factors[i] || !holds(factors[i].labels, label);
          const Dim size = factor->size(label);
          if (!size.is_const()) return {0, 1};
          if (once && !holds(meeting.inner, label)) count *= static_cast<double>(size.value());
        }
      if (!least || count < *least) least = count, best = {i, k};
    }
  }
  return best;
}

// Sums and matrix products are defined for these; narrower integers wrap to the same.
DType working_type(DType type) {
  constexpr TypeSet kNarrow = types(DType::i8, DType::i16, DType::u8, DType::u16);
  return kNarrow.has(type) ? DType::i32 : type;
}

TensorList expand(const ExpandContext& ctx) {
  std::vector<size_t> ranks;
  std::vector<Dims> dims;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    ranks.push_back(ctx.input(i).rank());
    dims.push_back(ctx.input(i).dims());
  }
  const einsum::Equation equation = einsum::parse(ctx.s("equation"), ranks);
  const einsum::Sizes sizes(equation, dims);
  const DType type = ctx.input(0).dtype();
  std::vector<Factor> factors;
  for (size_t i = 0; i < ctx.input_count(); ++i)
    factors.push_back(without_broadcast(
        diagonal({ctx.input(i).to(working_type(type)), equation.operands[i]}), sizes));
  for (size_t i = 0; i < factors.size(); ++i)
    factors[i] = summed(factors[i], needed_beside(factors, equation.output, i, i));
  while (factors.size() > 1) {
    const auto [i, k] = cheapest_pair(factors, equation.output);
    Factor product =
        contracted(factors[i], factors[k], needed_beside(factors, equation.output, i, k));
    factors.erase(factors.begin() + static_cast<std::ptrdiff_t>(k));
    factors[i] = std::move(product);
  }
  const Tensor y = ordered(factors[0], equation.output).x.to(type);
  return {y.same_as(ctx.input(0)) ? Identity(y) : y};
}

void samples(Samples& s) {
  const auto add = [&](const char* equation, std::vector<Arg> operands) -> Sample& {
    return s.add(operands, {{"equation", equation}});
  };
  add("ij,jk->ik", {arg::any({2, 3}), arg::any({3, 4})});
  add("ij,jk", {arg::any({2, 3}), arg::any({3, 2})});
  add("i,i->", {arg::any({3}), arg::any({3})});
  add("i,j->ij", {arg::any({2}), arg::any({3})});
  add("bhqd,bhkd->bhqk", {arg::any({2, 1, 3, 2}), arg::any({2, 1, 2, 2})});
  add("bij,bkj->bik", {arg::any({2, 2, 3}), arg::any({2, 2, 3})});
  add("...ii->...i", {arg::any({2, 3, 3})});
  add("iji->j", {arg::any({3, 2, 3})});
  add("iii", {arg::any({2, 2, 2})});
  add("ij->ji", {arg::any({2, 3})});
  add("ba", {arg::any({2, 3})});
  add("ij->i", {arg::any({2, 3})});
  add("ij->ij", {arg::any({2, 3})});
  add("->", {arg::any({})});
  add(" ... i j , ... j k -> ... i k ", {arg::any({2, 1, 2}), arg::any({1, 2, 3})});
  add("...ij,jk", {arg::any({2, 2, 3}), arg::any({3, 2})});
  add("ab,cd,bc->ad", {arg::any({2, 3}), arg::any({4, 2}), arg::any({3, 4})});
  add("abc,cd,be->aed", {arg::any({2, 2, 3}), arg::any({3, 2}), arg::any({2, 3})});
  add("ab,ab,c->", {arg::any({2, 2}), arg::any({2, 2}), arg::any({3})});
  add("Aab,Ab->aA", {arg::any({2, 3, 2}), arg::any({2, 2})});
  add("...a->a...", {arg::any({2, 2, 3})});
  add("ij,j->i", {arg::any({2, 1}), arg::any({3})});
  add("ij,jk->ik", {arg::any({0, 3}), arg::any({3, 4})});
  add("ij,jk->ik", {arg::any({2, 0}), arg::any({0, 3})});
  const auto bad = [&](const char* equation, std::vector<Arg> operands, const char* message) {
    s.bad(operands, {{"equation", equation}}, message);
  };
  bad("ij,jk", {arg::any({2, 3})}, "has 2 operands, but 1 are given");
  bad("ij", {arg::any({2})}, "operand 0 has 1 axes, but 'ij'");
  bad("i,i", {arg::any({2}), arg::any({3})}, "give equal sizes");
  bad("i->j", {arg::any({2})}, "names j, which no operand has");
  bad("i->ii", {arg::any({2})}, "names i twice");
  bad("i-j", {arg::any({2})}, "is neither a letter nor part of '...'");
  bad("...i...", {arg::any({2})}, "has two '...'");
}

}  // namespace

constinit const OpDef Einsum{
    .name = "Einsum",
    .doc =
        "The sum of products that `equation` says: ij,jk->ik is a matrix product; labels absent "
        "behind the arrow are summed, '...' stands for axes that broadcast.",
    .inputs = {variadic("Inputs", "T")},
    .outputs = {{"Output", "T"}},
    .types = {{"T", kNumeric}},
    .attrs = {required("equation", AttrType::s)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 12},
    .samples = samples,
};

}  // namespace tenon::op
