// The gradients of RNN, GRU and LSTM, written out in operators. What a step computed is found again
// from Y, which holds the hidden state before every step: all gates come from one product.
#include <array>
#include <limits>

#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/recurrent.h"
#include "ops/shape/catalog.h"

namespace tenon::recurrent {

namespace {

template <Cell cell>
const OpDef& grad_op() {
  return cell == Cell::rnn ? op::RNNGrad : cell == Cell::gru ? op::GRUGrad : op::LSTMGrad;
}

// The inputs that the outputs of a gradient operator belong to.
constexpr std::array<size_t, 7> kGradOf{kX, kW, kR, kB, kInitialH, kInitialC, kP};
constexpr size_t grad_outputs(Cell cell) { return cell == Cell::lstm ? 7 : 5; }

Tensor pick(const Tensor& x, int64_t axis, int64_t i) {
  return op::Gather(x, Tensor::from<int64_t>({i}, Shape{}), {{"axis", axis}});
}
Tensor swap_leading(const Tensor& x) { return op::Transpose(x, {{"perm", {1, 0, 2}}}); }
Tensor part(const Tensor& x, int64_t from, int64_t to) {  // of axis 0
  return op::Slice(x, Tensor::ints({from}), Tensor::ints({to}), Tensor::ints({0}));
}
TensorList split(const Tensor& x, int64_t count) {  // along the last axis
  return op::Split.all({x}, {{"axis", -1}, {"num_outputs", count}}, static_cast<size_t>(count));
}
Tensor concat(const TensorList& parts, int64_t axis) {
  return op::Concat.all(parts, {{"axis", axis}})[0];
}
Tensor stack(const TensorList& parts, int64_t axis) {
  TensorList list;
  for (const Tensor& each : parts) list.push_back(op::Unsqueeze(each, Tensor::ints({axis})));
  return concat(list, axis);
}

struct Activated {
  Tensor y, slope;
};

Activated activate(const Activation& a, const Tensor& x) {
  const auto steps = [&](const Tensor& is_above, double below) {
    return op::Where(is_above, constant_like(x, 1), constant_like(x, below));
  };
  switch (a.function) {
    case Function::affine: return {x * a.alpha + a.beta, constant_like(x, a.alpha)};
    case Function::elu: {
      const Tensor y = op::Elu(x, {{"alpha", a.alpha}});
      return {y, op::Where(op::Greater(x, constant_like(x, 0)), constant_like(x, 1), y + a.alpha)};
    }
    case Function::hard_sigmoid: {
      const Tensor line = x * a.alpha + a.beta;
      const Tensor inside =
          op::And(op::Greater(line, constant_like(x, 0)), op::Less(line, constant_like(x, 1)));
      return {op::HardSigmoid(x, {{"alpha", a.alpha}, {"beta", a.beta}}),
              op::Where(inside, constant_like(x, a.alpha), constant_like(x, 0))};
    }
    case Function::leaky_relu:
      return {op::LeakyRelu(x, {{"alpha", a.alpha}}),
              steps(op::GreaterOrEqual(x, constant_like(x, 0)), a.alpha)};
    case Function::relu: return {op::Relu(x), steps(op::Greater(x, constant_like(x, 0)), 0)};
    case Function::scaled_tanh: {
      const Tensor y = op::Tanh(x * a.beta);
      return {y * a.alpha, (1.0 - y * y) * (a.alpha * a.beta)};
    }
    case Function::sigmoid: {
      const Tensor y = op::Sigmoid(x);
      return {y, y * (1.0 - y)};
    }
    case Function::softplus: return {op::Softplus(x), op::Sigmoid(x)};
    case Function::softsign: {
      const Tensor size = op::Abs(x) + 1.0;
      return {x / size, op::Reciprocal(size * size)};
    }
    case Function::tanh: {
      const Tensor y = op::Tanh(x);
      return {y, 1.0 - y * y};
    }
    case Function::thresholded_relu:
      return {op::ThresholdedRelu(x, {{"alpha", a.alpha}}),
              steps(op::Greater(x, constant_like(x, a.alpha)), 0)};
  }
  return {};
}

// A slope at step t; constants have no steps.
Tensor step_of(const Tensor& x, int64_t t) { return x.rank() == 0 ? x : pick(x, 0, t); }

// One direction, all tensors in the order of its steps: [steps, batch, ...].
struct Direction {
  Direction(const Settings& of, int64_t direction, int64_t count)
      : settings(of), index(direction), steps(count) {}

  const Settings& settings;
  int64_t index;
  int64_t steps;
  Tensor x, y, dy;      // dy is undefined where nothing flowed into Y
  Tensor w, r, wb, rb;  // wb and rb undefined without B
  Tensor p;             // undefined without peepholes
  Tensor h0, c0;        // [batch, hidden]
  Tensor dh, dc;        // what flowed into Y_h and Y_c
  Tensor lens;          // i32 [batch]; undefined where all sequences are whole

  // What flows into the gates' inputs, from X's side and from H's side (which differ in GRU).
  TensorList dax, dah;
  Tensor reset_h;  // r * H_{t-1} of GRU without linear_before_reset
  TensorList dp;

  const Activation& activation(size_t i) const { return settings.activation(index, i); }
  Tensor transposed(const Tensor& m) const { return op::Transpose(m, {{"perm", {1, 0}}}); }
  Tensor product(const Tensor& a, const Tensor& weights, const Tensor& bias) const {
    const Tensor y = op::MatMul(a, transposed(weights));
    return bias ? y + bias : y;
  }
  // The activation of a gate, and its slope there; clip is part of both.
  Activated gate(size_t i, const Tensor& x) const {
    if (!settings.has_clip) return activate(activation(i), x);
    const Tensor bound = constant_like(x, settings.clip);
    Activated a = activate(activation(i), op::Clip(x, constant_like(x, -settings.clip), bound));
    a.slope = op::Where(op::LessOrEqual(op::Abs(x), bound), a.slope, constant_like(x, 0));
    return a;
  }
  // Which sequences have step t: bool [batch, 1].
  Tensor has_step(int64_t t) const {
    return op::Unsqueeze(
        op::Greater(lens, Tensor::from<int32_t>({static_cast<int32_t>(t)}, Shape{})),
        Tensor::ints({1}));
  }
  Tensor before() const {  // H_{t-1} of every step
    const Tensor first = op::Unsqueeze(h0, Tensor::ints({0}));
    return steps == 1 ? first : concat({first, part(y, 0, steps - 1)}, 0);
  }

  // Calls back(t, dh, dc) from the last step to the first with what flows into H_t and C_t: it
  // replaces them by what flows into H_{t-1} and C_{t-1}. Sequences without step t get zeros there
  // and keep what they had.
  template <class Back>
  void walk(Back&& back) {
    const bool cells = dc.defined();
    if (lens) {
      const Tensor any = has_step(0), zero = constant_like(dh, 0);
      dh = op::Where(any, dh, zero);
      if (cells) dc = op::Where(any, dc, zero);
    }
    dax.resize(static_cast<size_t>(steps));
    dah.resize(static_cast<size_t>(steps));
    for (int64_t t = steps; t-- > 0;) {
      Tensor h = dy ? dh + pick(dy, 0, t) : dh, c = dc;
      if (!lens) {
        back(t, h, c);
      } else {
        const Tensor has = has_step(t), zero = constant_like(dh, 0);
        h = op::Where(has, h, zero);
        if (cells) c = op::Where(has, c, zero);
        back(t, h, c);
        h = op::Where(has, h, dh);
        if (cells) c = op::Where(has, c, dc);
      }
      dh = h;
      dc = c;
    }
  }

  void rnn() {
    const Tensor hidden = before();
    const Activated a = gate(0, product(x, w, wb) + product(hidden, r, rb));
    walk([&](int64_t t, Tensor& h, Tensor&) {
      const auto at = static_cast<size_t>(t);
      dax[at] = dah[at] = h * step_of(a.slope, t);
      h = op::MatMul(dax[at], r);
    });
  }

  void gru();
  void lstm();
};

void Direction::gru() {
  const Tensor hidden = before();
  const TensorList from_x = split(product(x, w, wb), 3);
  const TensorList rows = op::Split.all({r}, {{"axis", 0}, {"num_outputs", 3}}, 3);
  TensorList biases(3);
  if (rb) biases = split(rb, 3);
  const Activated z = gate(0, from_x[0] + product(hidden, rows[0], biases[0]));
  const Activated reset = gate(0, from_x[1] + product(hidden, rows[1], biases[1]));
  const bool linear = settings.linear_before_reset;
  Tensor from_h;
  if (linear) {
    from_h = product(hidden, rows[2], biases[2]);
  } else {
    reset_h = reset.y * hidden;
  }
  const Activated n =
      gate(1, from_x[2] + (linear ? reset.y * from_h : product(reset_h, rows[2], biases[2])));
  const Tensor first_rows = op::Concat.all({rows[0], rows[1]}, {{"axis", 0}})[0];
  walk([&](int64_t t, Tensor& h, Tensor&) {
    const auto at = static_cast<size_t>(t);
    const Tensor zt = pick(z.y, 0, t), rt = pick(reset.y, 0, t), ht = pick(hidden, 0, t);
    const Tensor dz = h * (ht - pick(n.y, 0, t)) * step_of(z.slope, t);
    const Tensor dn = h * (1.0 - zt) * step_of(n.slope, t);
    const Tensor through = h * zt;
    if (linear) {
      const Tensor dr = dn * pick(from_h, 0, t) * step_of(reset.slope, t);
      dax[at] = concat({dz, dr, dn}, 1);
      dah[at] = concat({dz, dr, dn * rt}, 1);
      h = through + op::MatMul(dah[at], r);
    } else {
      const Tensor dq = op::MatMul(dn, rows[2]);
      const Tensor dr = dq * ht * step_of(reset.slope, t);
      dax[at] = dah[at] = concat({dz, dr, dn}, 1);
      h = through + dq * rt + op::MatMul(concat({dz, dr}, 1), first_rows);
    }
  });
}

void Direction::lstm() {
  struct Step {
    Activated i, o, f, g, h;
    Tensor c_before, c;
  };
  const Tensor gates = product(x, w, wb) + product(before(), r, rb);
  TensorList peep(3);
  if (p) peep = split(p, 3);
  std::vector<Step> list;
  Tensor c = c0;
  for (int64_t t = 0; t < steps; ++t) {
    const TensorList a = split(pick(gates, 0, t), 4);
    Step s;
    s.c_before = c;
    s.i = gate(0, p ? a[0] + peep[0] * c : a[0]);
    if (settings.input_forget)
      s.f = {1.0 - s.i.y, Tensor()};
    else
      s.f = gate(0, p ? a[2] + peep[2] * c : a[2]);
    s.g = gate(1, a[3]);
    c = s.f.y * c + s.i.y * s.g.y;
    s.c = c;
    s.o = gate(0, p ? a[1] + peep[1] * c : a[1]);
    s.h = activate(activation(2), c);
    list.push_back(std::move(s));
  }
  if (p) dp.resize(3);
  walk([&](int64_t t, Tensor& h, Tensor& dc_now) {
    const auto at = static_cast<size_t>(t);
    const Step& s = list[at];
    const Tensor dov = h * s.h.y * s.o.slope;
    Tensor dct = dc_now + h * s.o.y * s.h.slope;
    if (p) dct = dct + dov * peep[1];
    const Tensor into_i = settings.input_forget ? s.g.y - s.c_before : s.g.y;
    const Tensor di = dct * into_i * s.i.slope;
    const Tensor df = settings.input_forget ? di * 0.0 : dct * s.c_before * s.f.slope;
    const Tensor dg = dct * s.i.y * s.g.slope;
    dc_now = dct * s.f.y;
    if (p) {
      dc_now = dc_now + di * peep[0] + df * peep[2];
      const std::array<Tensor, 3> flows{di * s.c_before, dov * s.c, df * s.c_before};
      for (size_t k = 0; k < 3; ++k) dp[k] = dp[k] ? dp[k] + flows[k] : flows[k];
    }
    dax[at] = dah[at] = concat({di, dov, df, dg}, 1);
    h = op::MatMul(dax[at], r);
  });
}

// sum over steps of a_t^T b_t: [columns of a, columns of b].
Tensor weight_grad(const Tensor& a, const Tensor& b) {
  return op::MatMul(op::Transpose(a, {{"perm", {0, 2, 1}}}), b).sum({0});
}

// The gradients of a call, direction by direction.
template <Cell cell>
class Backward {
 public:
  explicit Backward(const ExpandContext& ctx)
      : ctx_(ctx), settings_(settings_of(ctx, cell)), type_(compute_type(ctx.input(kX).dtype())) {
    const Dims y = ctx.input(y_port(cell)).dims();
    const Dim steps = y[settings_.batch_first ? 1 : 0];
    batch_ = y[settings_.batch_first ? 0 : 2];
    hidden_ = y[3];
    TENON_CHECK(steps.is_const(), unsupported,
                "{}: it is written out step by step, and the number of steps is {}; give the axis "
                "a fixed size",
                ctx.op.name, steps.str());
    steps_ = steps.value();
  }

  TensorList run() {
    if (steps_ == 0) return nothing_flows();
    std::array<TensorList, 7> found;  // of each direction
    Tensor dx;
    for (int64_t d = 0; d < settings_.directions; ++d) {
      Direction dir = direction(d);
      if constexpr (cell == Cell::rnn) dir.rnn();
      if constexpr (cell == Cell::gru) dir.gru();
      if constexpr (cell == Cell::lstm) dir.lstm();
      const Tensor dax = stack(dir.dax, 0), dah = stack(dir.dah, 0);
      const Tensor own = in_order(op::MatMul(dax, dir.w), d);
      dx = dx ? dx + own : own;
      found[1].push_back(weight_grad(dax, dir.x));
      found[2].push_back(recurrent_weight_grad(dir, dah));
      found[3].push_back(concat({dax.sum({0, 1}), dah.sum({0, 1})}, 0));
      found[4].push_back(dir.dh);
      found[5].push_back(dir.dc);
      if (dir.p) found[6].push_back(concat(sums(dir.dp), 0));
    }
    TensorList outputs{settings_.batch_first ? swap_leading(dx) : dx};
    for (size_t i = 1; i < ctx_.output_count(); ++i) {
      if (found[i].empty())
        outputs.push_back(peepholes_absent());
      else
        outputs.push_back(stack(found[i], i == 4 || i == 5 ? state_axis() : 0));
    }
    for (Tensor& output : outputs) output = output.to(ctx_.input(kX).dtype());
    return outputs;
  }

 private:
  static TensorList sums(const TensorList& list) {
    TensorList made;
    for (const Tensor& tensor : list) made.push_back(tensor.sum({0}));
    return made;
  }
  static Tensor recurrent_weight_grad(const Direction& dir, const Tensor& dah) {
    const Tensor hidden = dir.before();
    if (!dir.reset_h) return weight_grad(dah, hidden);
    const TensorList parts = split(dah, 3);
    return concat(
        {weight_grad(concat({parts[0], parts[1]}, 2), hidden), weight_grad(parts[2], dir.reset_h)},
        0);
  }

  Tensor given(size_t i) const { return ctx_.has_input(i) ? ctx_.input(i).to(type_) : Tensor(); }
  int64_t state_axis() const { return settings_.batch_first ? 1 : 0; }
  Tensor zeros(const Dims& dims) const { return full(dims, 0, type_, ctx_.input(y_port(cell))); }
  Tensor peepholes_absent() const { return zeros({Dim(settings_.directions), hidden_ * Dim(3)}); }

  // [steps, batch, ...] in the order of the direction's steps, and back.
  Tensor in_order(const Tensor& x, int64_t d) const {
    if (!settings_.reversed(d)) return x;
    if (ctx_.has_input(kSequenceLens))
      return op::ReverseSequence(x, ctx_.input(kSequenceLens).to(DType::i64));
    return op::Slice.all({x, Tensor::ints({-1}),
                          Tensor::ints({std::numeric_limits<int64_t>::min()}), Tensor::ints({0}),
                          Tensor::ints({-1})})[0];
  }
  // A direction's part of Y, or of what flowed into it.
  Tensor sequence(const Tensor& y, int64_t d) const {
    if (!y) return y;
    if (!settings_.batch_first) return in_order(pick(y, 1, d), d);
    return in_order(swap_leading(pick(y, 2, d)), d);
  }
  Tensor state(size_t port, int64_t d) const {
    const Tensor x = given(port);
    return x ? pick(x, state_axis(), d) : zeros({batch_, hidden_});
  }

  Direction direction(int64_t d) const {
    const size_t y = y_port(cell);
    const Tensor x = given(kX);
    Direction dir(settings_, d, steps_);
    dir.x = in_order(settings_.batch_first ? swap_leading(x) : x, d);
    dir.y = sequence(given(y), d);
    dir.dy = sequence(given(y + 1), d);
    dir.w = pick(given(kW), 0, d);
    dir.r = pick(given(kR), 0, d);
    if (ctx_.has_input(kB)) {
      const TensorList both = split(pick(given(kB), 0, d), 2);
      dir.wb = both[0];
      dir.rb = both[1];
    }
    dir.h0 = state(kInitialH, d);
    dir.dh = state(y + 2, d);
    if constexpr (cell == Cell::lstm) {
      if (ctx_.has_input(kP)) dir.p = pick(given(kP), 0, d);
      dir.c0 = state(kInitialC, d);
      dir.dc = state(y + 3, d);
    }
    if (ctx_.has_input(kSequenceLens)) dir.lens = ctx_.input(kSequenceLens);
    return dir;
  }

  // Without steps the final states are the initial ones, or zeros where sequence lengths say 0.
  TensorList nothing_flows() const {
    const size_t y = y_port(cell);
    const bool lens = ctx_.has_input(kSequenceLens);
    const auto zeros_of = [&](size_t i) {
      return full(ctx_.input(i).dims(), 0, type_, ctx_.input(i));
    };
    const Dim columns = hidden_ * Dim(gates_of(cell) * 2);
    const Dims state = settings_.batch_first ? Dims{batch_, Dim(settings_.directions), hidden_}
                                             : Dims{Dim(settings_.directions), batch_, hidden_};
    const auto flow = [&](size_t i) {
      return ctx_.has_input(i) && !lens ? given(i) : zeros(state);
    };
    TensorList outputs{zeros_of(kX), zeros_of(kW), zeros_of(kR),
                       zeros({Dim(settings_.directions), columns}), flow(y + 2)};
    if (cell == Cell::lstm) {
      outputs.push_back(flow(y + 3));
      outputs.push_back(peepholes_absent());
    }
    outputs.resize(ctx_.output_count());
    for (Tensor& output : outputs) output = output.to(ctx_.input(kX).dtype());
    return outputs;
  }

  const ExpandContext& ctx_;
  Settings settings_;
  DType type_;
  Dim batch_, hidden_;
  int64_t steps_ = 0;
};

}  // namespace

template <Cell cell>
TensorList grad(const GradContext& ctx) {
  TensorList inputs;
  for (size_t i = 0; i < y_port(cell); ++i) inputs.push_back(ctx.input(i));
  inputs.push_back(ctx.output(0));
  for (size_t i = 0; i < ctx.output_count(); ++i)
    inputs.push_back(ctx.has_grad(i) ? ctx.grad(i) : Tensor());
  const auto wanted = [&](size_t i) { return ctx.has_input(kGradOf[i]) && ctx.needs(kGradOf[i]); };
  size_t count = 0;
  for (size_t i = 0; i < grad_outputs(cell); ++i)
    if (wanted(i)) count = i + 1;
  TensorList grads = ctx.none();
  if (count == 0) return grads;
  const TensorList found = grad_op<cell>().all(inputs, ctx.attrs, count);
  for (size_t i = 0; i < count; ++i)
    if (wanted(i)) grads[kGradOf[i]] = found[i];
  return grads;
}

template <Cell cell>
TensorList expand_grad(const ExpandContext& ctx) {
  return Backward<cell>(ctx).run();
}

template TensorList grad<Cell::rnn>(const GradContext&);
template TensorList grad<Cell::gru>(const GradContext&);
template TensorList grad<Cell::lstm>(const GradContext&);
template TensorList expand_grad<Cell::rnn>(const ExpandContext&);
template TensorList expand_grad<Cell::gru>(const ExpandContext&);
template TensorList expand_grad<Cell::lstm>(const ExpandContext&);

}  // namespace tenon::recurrent
