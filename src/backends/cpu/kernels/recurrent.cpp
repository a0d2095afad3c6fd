// RNN, GRU and LSTM: X's part of all gates is one matrix product for many steps; then step by step
// H's part, from a packed R, and the gates. Constant weights are packed once. Sequences and
// directions are shared out among threads, or the columns of R where there is one sequence. f16 and
// bf16 are computed in f32.
#include <algorithm>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/packed_matrix.h"
#include "backends/cpu/recurrent_call.h"
#include "backends/cpu/through_f32.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

using recurrent::Cell;

// Rows of a call up to which R is read as it is: packing it takes as long as using it 20 times.
constexpr int64_t kFewRows = 24;
// Rows up to which X's part is found row by row too.
constexpr int64_t kFewProjected = 4;
// Floats of gates of one run of steps, so that they are still cached when their turn comes.
constexpr int64_t kRunFloats = int64_t{1} << 18;
// Multiplications and additions of one step from which several threads share it.
constexpr int64_t kSharedStep = int64_t{1} << 19;

class Recurrent final : public Kernel {
 public:
  Recurrent(const PrepareContext& ctx, Cell cell)
      : call_(ctx, cell), narrow_(half_conversion(DType::f32, call_.type)) {
    const recurrent::Sizes& s = call_.sizes;
    for (size_t i = 0; i < 3; ++i) wanted_[i] = ctx.wants_output(i);
    if (ctx.is_constant(recurrent::kW)) pack_w(ctx);
    if (ctx.is_constant(recurrent::kR)) pack_r(ctx);
    direct_ = packed_r_.empty() && s.steps * s.batch <= kFewRows;
    run_steps_ = std::clamp<int64_t>(
        kRunFloats / std::max<int64_t>(s.batch * call_.gate_columns() * s.directions, 1), 1,
        std::max<int64_t>(s.steps, 1));
    copies_x_ = call_.settings.batch_first || call_.has(recurrent::kSequenceLens);
    const int64_t step_work = s.batch * call_.gate_columns() * s.hidden;
    const int64_t threads = thread_count();
    tasks_a_direction_ =
        s.directions >= threads || step_work * s.steps < kSharedStep
            ? 1
            : std::clamp<int64_t>(s.batch / 4, 1, (threads + s.directions - 1) / s.directions);
    shares_steps_ =
        !direct_ && s.directions * tasks_a_direction_ < threads && step_work >= kSharedStep;
    parallel_ = step_work * s.steps * s.directions >= kSharedStep;
    lay_out();
  }

  void run(const RunContext& ctx) const override {
    const recurrent::Sizes& s = call_.sizes;
    const Floats in(call_, ctx, unread_);
    const Run run{ctx, in, call_.lengths(ctx), static_cast<float*>(ctx.scratch)};
    for (int64_t d = 0; d < s.directions; ++d) begin(run, d);
    const int64_t tasks = s.directions * tasks_a_direction_;
    for (int64_t first = 0; first < s.steps; first += run_steps_) {
      const int64_t last = std::min(s.steps, first + run_steps_);
      for (int64_t d = 0; d < s.directions; ++d) project(run, d, first, last);
      parallel_for(0, tasks, parallel_ ? 1 : tasks, [&](int64_t from, int64_t to) {
        for (int64_t task = from; task < to; ++task) {
          const int64_t d = task / tasks_a_direction_, share = task % tasks_a_direction_;
          const int64_t rows = (s.batch + tasks_a_direction_ - 1) / tasks_a_direction_;
          const int64_t begin_row = share * rows, end_row = std::min(s.batch, begin_row + rows);
          for (int64_t step = first; step < last && begin_row < end_row; ++step)
            take_step(run, d, step, first, begin_row, end_row);
        }
      });
    }
    finish(run);
  }

 private:
  struct Run {
    const RunContext& ctx;
    const Floats& in;
    const int32_t* lengths;
    float* scratch;

    int64_t length(int64_t n, int64_t steps) const { return lengths ? lengths[n] : steps; }
  };
  // Places in the scratch memory of one direction, in floats.
  struct Places {
    int64_t x = 0, gates = 0, h = 0, c = 0, extra = 0, bias = 0, hidden_bias = 0, packed = 0,
            all = 0;
  };

  bool is(Cell cell) const { return call_.settings.cell == cell; }
  // Columns of the product with H that need no reset gate first.
  int64_t plain_columns() const {
    return is(Cell::gru) ? 2 * call_.sizes.hidden : call_.gate_columns();
  }

  int64_t packed_floats(int64_t columns) const {
    return static_cast<int64_t>(call_.loops.packed_size(static_cast<size_t>(call_.sizes.hidden),
                                                        static_cast<size_t>(columns)));
  }

  // Packs a direction's R at `to`: first all columns that need no reset gate, then those that do.
  void pack_r(const float* r, float* to) const {
    const int64_t hidden = call_.sizes.hidden;
    const auto k = static_cast<size_t>(hidden);
    call_.loops.pack(r, k, k, static_cast<size_t>(plain_columns()), false, to);
    if (is(Cell::gru))
      call_.loops.pack(r + 2 * hidden * hidden, k, k, k, false,
                       to + packed_floats(plain_columns()));
  }

  // One for each direction, made once for all plans.
  void pack_w(const PrepareContext& ctx) {
    const recurrent::Sizes& s = call_.sizes;
    if (s.input == 0) return;
    kept_.push_back(constant_as_f32(ctx, recurrent::kW));
    for (int64_t d = 0; d < s.directions; ++d)
      packed_w_.push_back(
          pack_matrix(*ctx.packed, {kept_.back().data<float>() + d * call_.gate_columns() * s.input,
                                    s.input, call_.gate_columns(), 1, s.input}));
    unread_ |= 1U << recurrent::kW;
  }
  void pack_r(const PrepareContext& ctx) {
    const recurrent::Sizes& s = call_.sizes;
    kept_.push_back(constant_as_f32(ctx, recurrent::kR));
    const int64_t floats =
        packed_floats(plain_columns()) + (is(Cell::gru) ? packed_floats(s.hidden) : 0);
    for (int64_t d = 0; d < s.directions; ++d) {
      const float* r = kept_.back().data<float>() + d * call_.gate_columns() * s.hidden;
      const std::string layout = fmt::format("R of {} in panels of {}: {} x {}", call_.name,
                                             call_.loops.panel, call_.gate_columns(), s.hidden);
      const auto pack_now = [&] {
        Tensor made = Tensor::empty({floats}, DType::f32);
        pack_r(r, made.data<float>());
        return made;
      };
      packed_r_.push_back(ctx.packed->get(r, layout, pack_now, {DType::f32, floats}));
    }
    unread_ |= 1U << recurrent::kR;
  }

  void lay_out() {
    const recurrent::Sizes& s = call_.sizes;
    const auto take = [&](int64_t floats) {
      const int64_t at = places_.all;
      places_.all += (floats + 15) / 16 * 16;
      return at;
    };
    places_.x = take(copies_x_ || call_.settings.directions == 2 || call_.settings.only_reverse
                         ? run_steps_ * s.batch * s.input
                         : 0);
    places_.gates = take(run_steps_ * s.batch * call_.gate_columns());
    places_.h = take(s.batch * s.hidden);
    places_.c = take(is(Cell::lstm) ? s.batch * s.hidden : 0);
    places_.extra = take(is(Cell::rnn) ? 0 : s.batch * s.hidden);
    places_.bias = take(call_.gate_columns());
    places_.hidden_bias = take(s.hidden);
    if (!direct_ && packed_r_.empty())
      places_.packed =
          take(packed_floats(plain_columns()) + (is(Cell::gru) ? packed_floats(s.hidden) : 0));
    scratch_bytes = static_cast<size_t>(places_.all * s.directions) * sizeof(float);
  }

  float* at(const Run& run, int64_t d, int64_t place) const {
    return run.scratch + d * places_.all + place;
  }
  const float* weights(const Run& run, size_t input, int64_t d) const {
    return run.in[input] + d * call_.counts[input] / call_.sizes.directions;
  }

  // Packs a direction's R, adds up its biases and sets its states.
  void begin(const Run& run, int64_t d) const {
    const recurrent::Sizes& s = call_.sizes;
    if (!direct_ && packed_r_.empty())
      pack_r(weights(run, recurrent::kR, d), at(run, d, places_.packed));
    const int64_t columns = call_.gate_columns();
    float* bias = at(run, d, places_.bias);
    float* hidden_bias = at(run, d, places_.hidden_bias);
    std::fill_n(hidden_bias, s.hidden, 0.0F);
    if (call_.has(recurrent::kB)) {
      const float* b = weights(run, recurrent::kB, d);
      for (int64_t i = 0; i < columns; ++i) bias[i] = b[i] + b[columns + i];
      if (call_.settings.linear_before_reset) {
        // The reset gate scales R's bias too.
        std::copy_n(b + 2 * s.hidden, s.hidden, bias + 2 * s.hidden);
        std::copy_n(b + columns + 2 * s.hidden, s.hidden, hidden_bias);
      }
    } else {
      std::fill_n(bias, columns, 0.0F);
    }
    load_state(run, d, recurrent::kInitialH, at(run, d, places_.h));
    if (is(Cell::lstm)) load_state(run, d, recurrent::kInitialC, at(run, d, places_.c));
  }

  void load_state(const Run& run, int64_t d, size_t input, float* to) const {
    const recurrent::Sizes& s = call_.sizes;
    for (int64_t n = 0; n < s.batch; ++n) {
      if (run.in[input])
        std::copy_n(run.in[input] + call_.state_at(d, n), s.hidden, to + n * s.hidden);
      else
        std::fill_n(to + n * s.hidden, s.hidden, 0.0F);
    }
  }

  // X's part of the gates of steps `first` to `last`.
  void project(const Run& run, int64_t d, int64_t first, int64_t last) const {
    const recurrent::Sizes& s = call_.sizes;
    const int64_t rows = (last - first) * s.batch;
    const float* x = run.in[recurrent::kX];
    if (copies_x_ || call_.settings.reversed(d)) {
      float* to = at(run, d, places_.x);
      for (int64_t step = first; step < last; ++step)
        for (int64_t n = 0; n < s.batch; ++n, to += s.input)
          std::copy_n(x + call_.x_at(call_.time_of(d, step, run.length(n, s.steps)), n), s.input,
                      to);
      x = at(run, d, places_.x);
    } else {
      x += call_.x_at(first, 0);
    }
    float* gates = at(run, d, places_.gates);
    if (!packed_w_.empty()) {
      LinearProduct product;
      product.x = x;
      product.rows = rows;
      product.x_stride = s.input;
      product.y = gates;
      product.y_stride = call_.gate_columns();
      cpu::multiply(packed_w_[static_cast<size_t>(d)], product);
      return;
    }
    const float* w = weights(run, recurrent::kW, d);
    if (rows > kFewProjected) {
      matrix_product(false, true, rows, call_.gate_columns(), s.input, x, w, gates, false);
      return;
    }
    std::fill_n(gates, rows * call_.gate_columns(), 0.0F);
    for (int64_t row = 0; row < rows; ++row)
      call_.loops.dots(x + row * s.input, w, gates + row * call_.gate_columns(),
                       static_cast<size_t>(s.input), static_cast<size_t>(call_.gate_columns()));
  }

  // y += h R^T for `columns` of R's rows from `from` on: 0, or where the fresh gates' begin.
  void multiply(const Run& run, int64_t d, int64_t from, int64_t columns, const float* h, float* y,
                int64_t y_stride, int64_t rows) const {
    const auto k = static_cast<size_t>(call_.sizes.hidden), n = static_cast<size_t>(columns);
    if (direct_) {
      const float* r = weights(run, recurrent::kR, d) + from * call_.sizes.hidden;
      for (int64_t row = 0; row < rows; ++row)
        call_.loops.dots(h + row * call_.sizes.hidden, r, y + row * y_stride, k, n);
      return;
    }
    const float* packed = packed_r_.empty() ? at(run, d, places_.packed)
                                            : packed_r_[static_cast<size_t>(d)].data<float>();
    if (from > 0) packed += packed_floats(plain_columns());
    const auto panels = static_cast<int64_t>((n + call_.loops.panel - 1) / call_.loops.panel);
    const auto some = [&](int64_t first, int64_t last) {
      call_.loops.multiply(h, k, packed, y, static_cast<size_t>(y_stride),
                           static_cast<size_t>(rows), k, n, static_cast<size_t>(first),
                           static_cast<size_t>(last));
    };
    if (shares_steps_)
      parallel_for(0, panels, 1, some);
    else
      some(0, panels);
  }

  void take_step(const Run& run, int64_t d, int64_t step, int64_t first, int64_t begin_row,
                 int64_t end_row) const {
    const recurrent::Sizes& s = call_.sizes;
    const int64_t columns = call_.gate_columns(), rows = end_row - begin_row;
    float* h = at(run, d, places_.h) + begin_row * s.hidden;
    float* gates = at(run, d, places_.gates) + ((step - first) * s.batch + begin_row) * columns;
    multiply(run, d, 0, plain_columns(), h, gates, columns, rows);
    if (is(Cell::gru)) prepare_fresh(run, d, h, gates, begin_row, rows);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t n = begin_row + row;
      const int64_t length = run.length(n, s.steps);
      if (step < length) {
        float* own = gates + row * columns;
        float* state = h + row * s.hidden;
        if (is(Cell::lstm))
          lstm(run, d, n, own, state);
        else if (is(Cell::gru))
          gru(run, d, own, state);
        else
          rnn(run, d, own, state);
        if (wanted_[0]) store(run, 0, call_.y_at(call_.time_of(d, step, length), d, n), state);
      } else if (wanted_[0]) {
        store(run, 0, call_.y_at(step, d, n), nullptr);
      }
    }
  }

  void rnn(const Run& run, int64_t d, float* gates, float* h) const {
    call_.activate(d, 0, gates, at(run, d, places_.bias));
    std::copy_n(gates, call_.sizes.hidden, h);
  }

  // Activates the reset gates and adds to the fresh gates what comes from H.
  void prepare_fresh(const Run& run, int64_t d, const float* h, float* gates, int64_t begin_row,
                     int64_t rows) const {
    const int64_t hidden = call_.sizes.hidden, columns = call_.gate_columns();
    const auto n = static_cast<size_t>(hidden);
    const float* bias = at(run, d, places_.bias);
    float* extra = at(run, d, places_.extra) + begin_row * hidden;
    for (int64_t row = 0; row < rows; ++row)
      call_.activate(d, 0, gates + row * columns + hidden, bias + hidden);
    if (call_.settings.linear_before_reset) {
      for (int64_t row = 0; row < rows; ++row)
        std::copy_n(at(run, d, places_.hidden_bias), hidden, extra + row * hidden);
      multiply(run, d, 2 * hidden, hidden, h, extra, hidden, rows);
      for (int64_t row = 0; row < rows; ++row)
        call_.loops.add_product(gates + row * columns + 2 * hidden, gates + row * columns + hidden,
                                extra + row * hidden, n);
    } else {
      for (int64_t row = 0; row < rows; ++row)
        call_.loops.product(extra + row * hidden, gates + row * columns + hidden, h + row * hidden,
                            n);
      multiply(run, d, 2 * hidden, hidden, extra, gates + 2 * hidden, columns, rows);
    }
  }

  void gru(const Run& run, int64_t d, float* gates, float* h) const {
    const int64_t hidden = call_.sizes.hidden;
    const float* bias = at(run, d, places_.bias);
    call_.activate(d, 0, gates, bias);
    call_.activate(d, 1, gates + 2 * hidden, bias + 2 * hidden);
    call_.loops.blend(h, gates, gates + 2 * hidden, static_cast<size_t>(hidden));
  }

  void lstm(const Run& run, int64_t d, int64_t row, float* gates, float* h) const {
    const int64_t hidden = call_.sizes.hidden;
    const auto n = static_cast<size_t>(hidden);
    const RecurrentLoops& loops = call_.loops;
    float *i = gates, *o = i + hidden, *f = o + hidden, *g = f + hidden;
    const float* bias = at(run, d, places_.bias);
    const float* peep = run.in[recurrent::kP] ? weights(run, recurrent::kP, d) : nullptr;
    float* c = at(run, d, places_.c) + row * hidden;
    if (peep) loops.add_product(i, peep, c, n);
    call_.activate(d, 0, i, bias);
    if (call_.settings.input_forget) {
      loops.complement(f, i, n);
    } else {
      if (peep) loops.add_product(f, peep + 2 * hidden, c, n);
      call_.activate(d, 0, f, bias + 2 * hidden);
    }
    call_.activate(d, 1, g, bias + 3 * hidden);
    loops.remember(c, f, i, g, n);
    if (peep) loops.add_product(o, peep + hidden, c, n);
    call_.activate(d, 0, o, bias + hidden);
    std::copy_n(c, hidden, h);
    call_.activate_cell(d, h);
    loops.product(h, h, o, n);
  }

  // Writes one state of an output, zeros for null.
  void store(const Run& run, size_t output, int64_t where, const float* from) const {
    const auto hidden = static_cast<size_t>(call_.sizes.hidden);
    std::byte* to = static_cast<std::byte*>(run.ctx.out[output]) +
                    static_cast<size_t>(where) * size_of(call_.type);
    if (!from)
      std::memset(to, 0, hidden * size_of(call_.type));
    else if (narrow_)
      narrow_(from, to, hidden);
    else
      std::memcpy(to, from, hidden * sizeof(float));
  }

  void finish(const Run& run) const {
    const recurrent::Sizes& s = call_.sizes;
    for (int64_t d = 0; d < s.directions; ++d)
      for (int64_t n = 0; n < s.batch; ++n)
        for (size_t output = 1; output < 3; ++output) {
          if (!wanted_[output]) continue;
          const float* state = at(run, d, output == 1 ? places_.h : places_.c) + n * s.hidden;
          const bool none = run.lengths && run.lengths[n] == 0;
          store(run, output, call_.state_at(d, n), none ? nullptr : state);
        }
  }

  const RecurrentCall call_;
  const ConvertFn narrow_;  // null for f32
  // Weights that never change, packed, one a direction; empty for others.
  std::vector<PackedMatrix> packed_w_;
  std::vector<Tensor> packed_r_;
  TensorList kept_;      // what they were packed from
  uint32_t unread_ = 0;  // the ports of those weights
  Places places_;
  int64_t run_steps_ = 1, tasks_a_direction_ = 1;
  bool wanted_[3] = {};
  bool direct_ = false, copies_x_ = false, shares_steps_ = false, parallel_ = false;
};

template <Cell cell>
Prepared prepare(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype == DType::f64) return refuse("only f16, bf16, f32; X is f64");
  if (ctx.inputs[recurrent::kR].numel() == 0) return refuse("nothing to compute");
  return std::make_unique<Recurrent>(ctx, cell);
}

}  // namespace

constinit const KernelList recurrent{
    {&op::RNN, "cpu.rnn", prepare<Cell::rnn>},
    {&op::GRU, "cpu.gru", prepare<Cell::gru>},
    {&op::LSTM, "cpu.lstm", prepare<Cell::lstm>},
};

}  // namespace tenon::cpu
