// Validation of scales and zero points.
#include "ops/quant/integer_rules.h"

namespace tenon::integer_rules {

namespace {

bool may_be(const Dim& dim, const Dim& wanted) {
  return dim == wanted || !dim.is_const() || !wanted.is_const();
}

bool is_single(const Dims& dims) {
  return dims.empty() || (dims.size() == 1 && may_be(dims[0], Dim(1)));
}

// `along` counts from the last axis of the matrix: 1 is the columns', 2 the rows'.
void check_lines(const InferContext& ctx, size_t at, size_t matrix, size_t along,
                 std::string_view what) {
  if (!ctx.has_input(at)) return;
  const Dims &given = ctx.dims(at), &whole = ctx.dims(matrix);
  const bool vector = whole.size() == 1;
  const Dim lines = vector ? Dim(1) : whole[whole.size() - along];
  bool fits = is_single(given) || (given.size() == 1 && may_be(given[0], lines));
  if (!fits && !vector && given.size() == whole.size()) {
    fits = true;
    for (size_t i = 0; i < given.size(); ++i) {
      const bool summed = i + (3 - along) == given.size();
      fits = fits && (may_be(given[i], Dim(1)) || (!summed && may_be(given[i], whole[i])));
    }
  }
  ctx.check(fits, "{} is {}; it must have one element, or one for each of the {} {} of {}",
            ctx.op.inputs[at].name, ctx.str(at), lines.str(), what, ctx.op.inputs[matrix].name);
}

// Of a parameter with as many axes as its matrix; `along` as above.
ParameterWalk walk_lines(const Shape& parameter, const product_rules::Sizes& sizes, size_t along) {
  ParameterWalk walk{Shape(sizes.batch.rank(), 0), 0};
  if (parameter.numel() == 1) return walk;
  if (parameter.rank() == 1) {
    walk.step = 1;
    return walk;
  }
  const size_t rank = parameter.rank();
  const Shape strides = parameter.row_major_strides();
  if (parameter[rank - along] != 1) walk.step = strides[rank - along];
  const size_t lead = sizes.batch.rank() + 2 - rank;
  for (size_t i = 0; i + 2 < rank; ++i)
    if (parameter[i] != 1) walk.batch_strides[lead + i] = strides[i];
  return walk;
}

}  // namespace

void check_single(const InferContext& ctx, size_t at) {
  ctx.check(!ctx.has_input(at) || is_single(ctx.dims(at)),
            "{} is {}; it must have one element, for the whole tensor", ctx.op.inputs[at].name,
            ctx.str(at));
}

void check_each(const InferContext& ctx, size_t at, const Dim& size, std::string_view what) {
  if (!ctx.has_input(at)) return;
  const Dims& given = ctx.dims(at);
  ctx.check(is_single(given) || (given.size() == 1 && may_be(given[0], size)),
            "{} is {}; it must have one element, or one for each of the {} {}",
            ctx.op.inputs[at].name, ctx.str(at), size.str(), what);
}

void check_rows(const InferContext& ctx, size_t at, size_t matrix) {
  check_lines(ctx, at, matrix, 2, "rows");
}
void check_columns(const InferContext& ctx, size_t at, size_t matrix) {
  check_lines(ctx, at, matrix, 1, "columns");
}

ParameterWalk walk_rows(const Shape& parameter, const product_rules::Sizes& sizes) {
  return walk_lines(parameter, sizes, 2);
}
ParameterWalk walk_columns(const Shape& parameter, const product_rules::Sizes& sizes) {
  return walk_lines(parameter, sizes, 1);
}

}  // namespace tenon::integer_rules
