// RNN, GRU and LSTM: sequence by sequence, step by step.
#include "ops/nn/recurrent.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/reference/kernels/catalog.h"
#include "backends/reference/windows.h"
#include "ops/nn/catalog.h"
#include "ops/nn/sequence_lengths.h"

namespace tenon::reference {

namespace {

using recurrent::Activation;
using recurrent::Cell;
using recurrent::Function;
using recurrent::Settings;
using recurrent::Sizes;
using Vector = std::vector<double>;

double activated(const Activation& a, double x) {
  switch (a.function) {
    case Function::affine: return a.alpha * x + a.beta;
    case Function::elu: return x > 0 ? x : a.alpha * std::expm1(x);
    case Function::hard_sigmoid: return std::clamp(a.alpha * x + a.beta, 0.0, 1.0);
    case Function::leaky_relu: return x >= 0 ? x : a.alpha * x;
    case Function::relu: return x > 0 ? x : 0;
    case Function::scaled_tanh: return a.alpha * std::tanh(a.beta * x);
    case Function::sigmoid: return 1 / (1 + std::exp(-x));
    case Function::softplus: return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    case Function::softsign: return x / (1 + std::abs(x));
    case Function::tanh: return std::tanh(x);
    case Function::thresholded_relu: return x > a.alpha ? x : 0;
  }
  return x;
}

// One direction's weights, as doubles.
struct Weights {
  const double *w, *r;
  const double* b = nullptr;  // of W, then of R; null without
  const double* p = nullptr;
};

struct Recurrent final : Kernel {
  Recurrent(const PrepareContext& ctx, Cell cell)
      : settings(recurrent::settings_of(ctx, cell)),
        sizes(recurrent::sizes_of(settings, ctx.inputs[0].shape, ctx.inputs[2].shape)),
        name(ctx.op.name),
        type(ctx.inputs[0].dtype) {
    for (size_t i = 0; i < ctx.inputs.size(); ++i) {
      given[i] = ctx.has_input(i);
      if (given[i]) counts[i] = ctx.inputs[i].numel();
    }
    for (size_t i = 0; i < 3; ++i) wanted[i] = ctx.wants_output(i);
  }

  Vector input(const RunContext& ctx, size_t i) const {
    return given[i] ? widened(type, ctx.in[i], counts[i]) : Vector();
  }

  void run(const RunContext& ctx) const override {
    const int32_t* lengths =
        given[recurrent::kSequenceLens] ? ctx.input<int32_t>(recurrent::kSequenceLens) : nullptr;
    if (lengths) check_lengths(name, "X", lengths, sizes.batch, sizes.steps);
    const Vector x = input(ctx, recurrent::kX), w = input(ctx, recurrent::kW),
                 r = input(ctx, recurrent::kR), b = input(ctx, recurrent::kB),
                 p = input(ctx, recurrent::kP), h0 = input(ctx, recurrent::kInitialH),
                 c0 = input(ctx, recurrent::kInitialC);
    const int64_t rows = sizes.gates * sizes.hidden;
    Vector y(static_cast<size_t>(sizes.steps * sizes.directions * sizes.batch * sizes.hidden));
    Vector last_h(static_cast<size_t>(sizes.directions * sizes.batch * sizes.hidden));
    Vector last_c = last_h;
    for (int64_t d = 0; d < sizes.directions; ++d) {
      const Weights weights{w.data() + d * rows * sizes.input, r.data() + d * rows * sizes.hidden,
                            b.empty() ? nullptr : b.data() + d * rows * 2,
                            p.empty() ? nullptr : p.data() + d * sizes.hidden * 3};
      for (int64_t n = 0; n < sizes.batch; ++n) {
        const int64_t length = lengths ? lengths[n] : sizes.steps;
        const int64_t state = state_at(d, n);
        Vector h(static_cast<size_t>(sizes.hidden)), c = h;
        if (!h0.empty()) std::copy_n(h0.begin() + state, sizes.hidden, h.begin());
        if (!c0.empty()) std::copy_n(c0.begin() + state, sizes.hidden, c.begin());
        for (int64_t s = 0; s < length; ++s) {
          const int64_t t = settings.reversed(d) ? length - 1 - s : s;
          step(d, weights, x.data() + x_at(t, n), h, c);
          std::ranges::copy(h, y.begin() + y_at(t, d, n));
        }
        // A sequence without steps leaves zeros, as ONNX Runtime has it.
        if (length == 0 && lengths) continue;
        std::ranges::copy(h, last_h.begin() + state);
        std::ranges::copy(c, last_c.begin() + state);
      }
    }
    if (wanted[0]) store_all(type, ctx.out[0], y);
    if (wanted[1]) store_all(type, ctx.out[1], last_h);
    if (wanted[2]) store_all(type, ctx.out[2], last_c);
  }

  int64_t x_at(int64_t t, int64_t n) const {
    return (settings.batch_first ? n * sizes.steps + t : t * sizes.batch + n) * sizes.input;
  }
  int64_t y_at(int64_t t, int64_t d, int64_t n) const {
    return (settings.batch_first ? (n * sizes.steps + t) * sizes.directions + d
                                 : (t * sizes.directions + d) * sizes.batch + n) *
           sizes.hidden;
  }
  int64_t state_at(int64_t d, int64_t n) const {
    return (settings.batch_first ? n * sizes.directions + d : d * sizes.batch + n) * sizes.hidden;
  }

  // A row of weights times a vector, with its bias; `side` 0 is W's, 1 is R's.
  double sum(const Weights& weights, int64_t side, int64_t row, const double* v) const {
    const int64_t length = side == 0 ? sizes.input : sizes.hidden;
    const double* m = (side == 0 ? weights.w : weights.r) + row * length;
    double total = weights.b ? weights.b[side * sizes.gates * sizes.hidden + row] : 0;
    for (int64_t k = 0; k < length; ++k) total += m[k] * v[k];
    return total;
  }
  double gate(int64_t d, size_t function, double x) const {
    if (settings.has_clip) x = std::clamp(x, -settings.clip, settings.clip);
    return activated(settings.activation(d, function), x);
  }

  // Replaces H and C by those of the next step.
  void step(int64_t d, const Weights& weights, const double* x, Vector& h, Vector& c) const {
    const int64_t hidden = sizes.hidden;
    const auto both = [&](int64_t row) {
      return sum(weights, 0, row, x) + sum(weights, 1, row, h.data());
    };
    Vector next(h.size());
    if (settings.cell == Cell::rnn) {
      for (int64_t k = 0; k < hidden; ++k) next[static_cast<size_t>(k)] = gate(d, 0, both(k));
    } else if (settings.cell == Cell::gru) {
      Vector reset(h.size()), reset_h(h.size());
      for (int64_t k = 0; k < hidden; ++k) {
        const auto at = static_cast<size_t>(k);
        reset[at] = gate(d, 0, both(hidden + k));
        reset_h[at] = reset[at] * h[at];
      }
      for (int64_t k = 0; k < hidden; ++k) {
        const auto at = static_cast<size_t>(k);
        const double update = gate(d, 0, both(k));
        const double from_h = settings.linear_before_reset
                                  ? reset[at] * sum(weights, 1, 2 * hidden + k, h.data())
                                  : sum(weights, 1, 2 * hidden + k, reset_h.data());
        const double fresh = gate(d, 1, sum(weights, 0, 2 * hidden + k, x) + from_h);
        next[at] = (1 - update) * fresh + update * h[at];
      }
    } else {
      const auto peep = [&](int64_t which, int64_t k) {
        return weights.p ? weights.p[which * hidden + k] : 0;
      };
      for (int64_t k = 0; k < hidden; ++k) {
        const auto at = static_cast<size_t>(k);
        const double in = gate(d, 0, both(k) + peep(0, k) * c[at]);
        const double forget =
            settings.input_forget ? 1 - in : gate(d, 0, both(2 * hidden + k) + peep(2, k) * c[at]);
        c[at] = forget * c[at] + in * gate(d, 1, both(3 * hidden + k));
        const double out = gate(d, 0, both(hidden + k) + peep(1, k) * c[at]);
        // As in ONNX Runtime, clip does not bound the cell state itself.
        next[at] = out * activated(settings.activation(d, 2), c[at]);
      }
    }
    h = std::move(next);
  }

  Settings settings;
  Sizes sizes;
  std::string_view name;
  DType type;
  int64_t counts[8] = {};
  bool given[8] = {}, wanted[3] = {};
};

template <Cell cell>
Prepared prepare(const PrepareContext& ctx) {
  return std::make_unique<Recurrent>(ctx, cell);
}

}  // namespace

constinit const KernelList recurrent{
    {&op::RNN, "reference.rnn", prepare<Cell::rnn>},
    {&op::GRU, "reference.gru", prepare<Cell::gru>},
    {&op::LSTM, "reference.lstm", prepare<Cell::lstm>},
};

}  // namespace tenon::reference
