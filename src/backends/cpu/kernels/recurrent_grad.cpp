// RNNGrad, GRUGrad and LSTMGrad in f32. Y holds the hidden state before every step, so the gates of
// all steps are found again by two matrix products; the way back through time then multiplies by a
// packed R step by step, and the gradients of the weights are matrix products over all steps.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/recurrent_call.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"

namespace tenon::cpu {

namespace {

using recurrent::Cell;

constexpr int64_t kParallelWork = int64_t{1} << 19;  // multiplications and additions

// What one thread works on: rows of a direction's batch.
struct Part {
  int64_t direction, begin, end;
};

class RecurrentGrad final : public Kernel {
 public:
  RecurrentGrad(const PrepareContext& ctx, Cell cell)
      : call_(ctx, cell), y_(recurrent::y_port(cell)) {
    for (size_t i = 0; i < 7; ++i) wanted_[i] = ctx.wants_output(i);
    const recurrent::Sizes& s = call_.sizes;
    const int64_t threads = thread_count();
    parts_ = s.directions >= threads || work() < kParallelWork
                 ? 1
                 : std::clamp<int64_t>(s.batch / 4, 1, (threads + s.directions - 1) / s.directions);
    parallel_ = work() >= kParallelWork;
    lay_out();
  }

  void run(const RunContext& ctx) const override {
    const recurrent::Sizes& s = call_.sizes;
    const Floats in(call_, ctx);
    const Run run{ctx, in, call_.lengths(ctx), static_cast<float*>(ctx.scratch)};
    for (int64_t d = 0; d < s.directions; ++d) {
      gather(run, d);
      find_gates(run, d);
    }
    const int64_t tasks = s.directions * parts_, rows = (s.batch + parts_ - 1) / parts_;
    parallel_for(0, tasks, parallel_ ? 1 : tasks, [&](int64_t from, int64_t to) {
      for (int64_t task = from; task < to; ++task) {
        const int64_t begin = task % parts_ * rows;
        const Part part{task / parts_, begin, std::min(s.batch, begin + rows)};
        if (part.begin >= part.end) continue;
        if (is(Cell::lstm)) {
          walk_lstm(run, part);
        } else if (is(Cell::gru)) {
          walk_gru(run, part);
        } else {
          walk_rnn(run, part);
        }
      }
    });
    for (int64_t d = 0; d < s.directions; ++d) add_up(run, d);
  }

 private:
  struct Run {
    const RunContext& ctx;
    const Floats& in;
    const int32_t* lengths;
    float* scratch;

    int64_t length(int64_t n, int64_t steps) const { return lengths ? lengths[n] : steps; }
  };
  // Places in the scratch memory of one direction, in floats. Rows are [steps, batch], in the order
  // of the direction's steps.
  struct Places {
    int64_t x = 0;       // X
    int64_t before = 0;  // H_{t-1}
    int64_t dy = 0;      // what flows into H_t from Y
    int64_t gates = 0;   // activated gates, then what flows into their inputs
    int64_t cells = 0;   // LSTM: C_t. GRU: what the reset gate multiplies in H's part of the fresh
                         // gate, or r * H_{t-1}
    int64_t into_h = 0;  // GRU with linear_before_reset: as gates, of H's side
    int64_t dh = 0, dc = 0, spare = 0;  // [batch, hidden]
    int64_t peep = 0;                   // what flows into P, for each row of the batch
    int64_t packed = 0, packed_fresh = 0, all = 0;
  };

  bool is(Cell cell) const { return call_.settings.cell == cell; }
  bool linear() const { return call_.settings.linear_before_reset; }
  int64_t rows() const { return call_.sizes.steps * call_.sizes.batch; }
  int64_t work() const {
    return rows() * call_.sizes.directions * call_.gate_columns() * call_.sizes.hidden;
  }
  size_t hidden() const { return static_cast<size_t>(call_.sizes.hidden); }

  void lay_out() {
    const recurrent::Sizes& s = call_.sizes;
    const auto take = [&](int64_t floats) {
      const int64_t at = places_.all;
      places_.all += (floats + 15) / 16 * 16;
      return at;
    };
    const auto packed = [&](int64_t k, int64_t columns) {
      return static_cast<int64_t>(
          call_.loops.packed_size(static_cast<size_t>(k), static_cast<size_t>(columns)));
    };
    const bool gru = is(Cell::gru), lstm = is(Cell::lstm);
    places_.x = take(rows() * s.input);
    places_.before = take(rows() * s.hidden);
    places_.dy = take(rows() * s.hidden);
    places_.gates = take(rows() * call_.gate_columns());
    places_.cells = take(gru || lstm ? rows() * s.hidden : 0);
    places_.into_h = take(gru && linear() ? rows() * call_.gate_columns() : 0);
    places_.dh = take(s.batch * s.hidden);
    places_.dc = take(lstm ? s.batch * s.hidden : 0);
    places_.spare = take(s.batch * s.hidden * 2);
    places_.peep = take(lstm && call_.has(recurrent::kP) ? s.batch * s.hidden * 3 : 0);
    const bool apart = gru && !linear();
    places_.packed = take(packed(apart ? 2 * s.hidden : call_.gate_columns(), s.hidden));
    places_.packed_fresh = take(apart ? packed(s.hidden, s.hidden) : 0);
    scratch_bytes = static_cast<size_t>(places_.all * s.directions) * sizeof(float);
  }

  float* at(const Run& run, int64_t d, int64_t place) const {
    return run.scratch + d * places_.all + place;
  }
  const float* weights(const Run& run, size_t input, int64_t d) const {
    return run.in[input] + d * call_.counts[input] / call_.sizes.directions;
  }
  float* output(const Run& run, size_t i, int64_t d, int64_t count) const {
    return run.ctx.output<float>(i) + d * count;
  }
  int64_t row(int64_t step, int64_t n) const { return step * call_.sizes.batch + n; }

  // Brings a direction's X, H_{t-1} and dY into the order of its steps; zeros past a sequence's
  // end.
  void gather(const Run& run, int64_t d) const {
    const recurrent::Sizes& s = call_.sizes;
    float *x = at(run, d, places_.x), *before = at(run, d, places_.before),
          *dy = at(run, d, places_.dy);
    const float *y = run.in[y_], *given = run.in[y_ + 1];
    const auto copy = [](const float* from, int64_t count, float* to) {
      if (from)
        std::copy_n(from, count, to);
      else
        std::fill_n(to, count, 0.0F);
    };
    for (int64_t step = 0; step < s.steps; ++step)
      for (int64_t n = 0; n < s.batch; ++n) {
        const int64_t length = run.length(n, s.steps), to = row(step, n);
        const bool there = step < length;
        const int64_t t = call_.time_of(d, step, length);
        const float* first = run.in[recurrent::kInitialH]
                                 ? run.in[recurrent::kInitialH] + call_.state_at(d, n)
                                 : nullptr;
        copy(there ? run.in[recurrent::kX] + call_.x_at(t, n) : nullptr, s.input, x + to * s.input);
        copy(!there      ? nullptr
             : step == 0 ? first
                         : y + call_.y_at(call_.time_of(d, step - 1, length), d, n),
             s.hidden, before + to * s.hidden);
        copy(there && given ? given + call_.y_at(t, d, n) : nullptr, s.hidden, dy + to * s.hidden);
      }
    start(run, d, y_ + 2, at(run, d, places_.dh));
    if (is(Cell::lstm)) start(run, d, y_ + 3, at(run, d, places_.dc));
  }

  // What flows into the last states.
  void start(const Run& run, int64_t d, size_t input, float* to) const {
    const recurrent::Sizes& s = call_.sizes;
    for (int64_t n = 0; n < s.batch; ++n) {
      if (run.in[input] && !(run.lengths && run.lengths[n] == 0))
        std::copy_n(run.in[input] + call_.state_at(d, n), s.hidden, to + n * s.hidden);
      else
        std::fill_n(to + n * s.hidden, s.hidden, 0.0F);
    }
  }

  // The gates' inputs of all steps (GRU: all that does not wait for the reset gate).
  void find_gates(const Run& run, int64_t d) const {
    const recurrent::Sizes& s = call_.sizes;
    const int64_t columns = call_.gate_columns();
    float* gates = at(run, d, places_.gates);
    const float *before = at(run, d, places_.before), *r = weights(run, recurrent::kR, d);
    matrix_product(false, true, rows(), columns, s.input, at(run, d, places_.x),
                   weights(run, recurrent::kW, d), gates, false);
    const float* bias = run.in[recurrent::kB] ? weights(run, recurrent::kB, d) : nullptr;
    if (bias)
      for (int64_t i = 0; i < rows(); ++i)
        call_.loops.add(gates + i * columns, bias, static_cast<size_t>(columns));
    if (!is(Cell::gru)) {
      matrix_product(false, true, rows(), columns, s.hidden, before, r, gates, true);
      if (bias)
        for (int64_t i = 0; i < rows(); ++i)
          call_.loops.add(gates + i * columns, bias + columns, static_cast<size_t>(columns));
      call_.loops.pack(r, hidden(), static_cast<size_t>(columns), hidden(), true,
                       at(run, d, places_.packed));
    } else {
      find_gru_gates(run, d, gates, before, r, bias ? bias + columns : nullptr);
    }
  }

  void find_gru_gates(const Run& run, int64_t d, float* gates, const float* before, const float* r,
                      const float* bias) const {
    const int64_t h = call_.sizes.hidden, columns = call_.gate_columns();
    std::vector<float> from_h(static_cast<size_t>(rows() * 2 * h));
    matrix_product(false, true, rows(), 2 * h, h, before, r, from_h.data(), false);
    float* cells = at(run, d, places_.cells);
    for (int64_t i = 0; i < rows(); ++i) {
      float* own = gates + i * columns;
      call_.loops.add(own, from_h.data() + i * 2 * h, 2 * hidden());
      call_.activate(d, 0, own, bias);
      call_.activate(d, 0, own + h, bias ? bias + h : nullptr);
      if (!linear()) call_.loops.product(cells + i * h, own + h, before + i * h, hidden());
    }
    std::vector<float> fresh(linear() ? 0 : static_cast<size_t>(rows() * h));
    float* product = linear() ? cells : fresh.data();
    matrix_product(false, true, rows(), h, h, linear() ? before : cells, r + 2 * h * h, product,
                   false);
    for (int64_t i = 0; i < rows(); ++i) {
      float *own = gates + i * columns, *from = product + i * h;
      if (bias) call_.loops.add(from, bias + 2 * h, hidden());
      if (linear())
        call_.loops.add_product(own + 2 * h, own + h, from, hidden());
      else
        call_.loops.add(own + 2 * h, from, hidden());
      call_.activate(d, 1, own + 2 * h, nullptr);
    }
    float* packed = at(run, d, places_.packed);
    if (linear()) {
      call_.loops.pack(r, hidden(), 3 * hidden(), hidden(), true, packed);
    } else {
      call_.loops.pack(r, hidden(), 2 * hidden(), hidden(), true, packed);
      call_.loops.pack(r + 2 * h * h, hidden(), hidden(), hidden(), true,
                       at(run, d, places_.packed_fresh));
    }
  }

  // to = a * (packed), row by row of a part's batch.
  void multiply(const float* a, int64_t a_stride, const float* packed, int64_t k, float* to,
                int64_t count) const {
    std::fill_n(to, count * call_.sizes.hidden, 0.0F);
    call_.loops.multiply(a, static_cast<size_t>(a_stride), packed, to, hidden(),
                         static_cast<size_t>(count), static_cast<size_t>(k), hidden(), 0,
                         (hidden() + call_.loops.panel - 1) / call_.loops.panel);
  }

  void walk_rnn(const Run& run, const Part& part) const {
    const recurrent::Sizes& s = call_.sizes;
    const int64_t d = part.direction, h = s.hidden;
    float *gates = at(run, d, places_.gates), *dh = at(run, d, places_.dh),
          *next = at(run, d, places_.spare) + part.begin * h;
    const float* dy = at(run, d, places_.dy);
    for (int64_t step = s.steps; step-- > 0;) {
      for (int64_t n = part.begin; n < part.end; ++n) {
        float *own = gates + row(step, n) * h, *flow = dh + n * h;
        if (step >= run.length(n, s.steps)) {
          std::fill_n(own, h, 0.0F);
          continue;
        }
        call_.loops.add(flow, dy + row(step, n) * h, hidden());
        call_.activate(d, 0, own, nullptr);
        call_.scale_by_slope(d, 0, own, flow);
        std::copy_n(flow, h, own);
      }
      multiply(gates + row(step, part.begin) * h, h, at(run, d, places_.packed), h, next,
               part.end - part.begin);
      for (int64_t n = part.begin; n < part.end; ++n)
        if (step < run.length(n, s.steps)) std::copy_n(next + (n - part.begin) * h, h, dh + n * h);
    }
  }

  void walk_gru(const Run& run, const Part& part) const {
    const recurrent::Sizes& s = call_.sizes;
    const RecurrentLoops& loops = call_.loops;
    const int64_t d = part.direction, h = s.hidden, columns = call_.gate_columns();
    float *gates = at(run, d, places_.gates), *dh = at(run, d, places_.dh),
          *cells = at(run, d, places_.cells), *into_h = at(run, d, places_.into_h);
    float* next = at(run, d, places_.spare) + part.begin * h;
    float* through = at(run, d, places_.spare) + (s.batch + part.begin) * h;
    const float *dy = at(run, d, places_.dy), *before = at(run, d, places_.before);
    const int64_t count = part.end - part.begin;
    std::vector<float> temporary(hidden()), reset(static_cast<size_t>(count * h));
    for (int64_t step = s.steps; step-- > 0;) {
      for (int64_t n = part.begin; n < part.end; ++n) {
        float *z = gates + row(step, n) * columns, *r = z + h, *fresh = r + h;
        float *flow = dh + n * h, *keep = through + (n - part.begin) * h;
        float* own_reset = reset.data() + (n - part.begin) * h;
        if (step >= run.length(n, s.steps)) {
          std::fill_n(z, columns, 0.0F);
          std::fill_n(own_reset, h, 0.0F);
          if (linear()) std::fill_n(into_h + row(step, n) * columns, columns, 0.0F);
          continue;
        }
        const float* old = before + row(step, n) * h;
        loops.add(flow, dy + row(step, n) * h, hidden());
        loops.product(keep, flow, z, hidden());
        std::copy_n(r, h, own_reset);
        // dn = flow * (1 - z) * n', dz = flow * (H_{t-1} - n) * z'
        float* dn = temporary.data();
        for (int64_t k = 0; k < h; ++k) dn[k] = flow[k] - keep[k];
        call_.scale_by_slope(d, 1, fresh, dn);
        for (int64_t k = 0; k < h; ++k) flow[k] *= old[k] - fresh[k];
        call_.scale_by_slope(d, 0, z, flow);
        std::copy_n(flow, h, z);
        std::copy_n(dn, h, fresh);
        if (!linear()) continue;
        float* side = into_h + row(step, n) * columns;
        std::copy_n(z, h, side);
        loops.product(side + 2 * h, dn, r, hidden());
        loops.product(dn, dn, cells + row(step, n) * h, hidden());
        call_.scale_by_slope(d, 0, r, dn);
        std::copy_n(dn, h, r);
        std::copy_n(dn, h, side + h);
      }
      float* first = gates + row(step, part.begin) * columns;
      if (linear()) {
        multiply(into_h + row(step, part.begin) * columns, columns, at(run, d, places_.packed),
                 columns, next, count);
      } else {
        // What flows into r * H_{t-1} goes on to r and, by way of r, to H_{t-1}.
        multiply(first + 2 * h, columns, at(run, d, places_.packed_fresh), h, next, count);
        for (int64_t i = 0; i < count; ++i) {
          if (step >= run.length(part.begin + i, s.steps)) continue;
          float *r = first + i * columns + h, *dq = next + i * h;
          loops.add_product(through + i * h, dq, reset.data() + i * h, hidden());
          loops.product(dq, dq, before + row(step, part.begin + i) * h, hidden());
          call_.scale_by_slope(d, 0, r, dq);
          std::copy_n(dq, h, r);
        }
        multiply(first, columns, at(run, d, places_.packed), 2 * h, next, count);
      }
      for (int64_t i = 0; i < count; ++i) {
        if (step >= run.length(part.begin + i, s.steps)) continue;
        std::copy_n(next + i * h, h, dh + (part.begin + i) * h);
        loops.add(dh + (part.begin + i) * h, through + i * h, hidden());
      }
    }
  }

  void walk_lstm(const Run& run, const Part& part) const {
    const recurrent::Sizes& s = call_.sizes;
    const RecurrentLoops& loops = call_.loops;
    const int64_t d = part.direction, h = s.hidden, columns = call_.gate_columns();
    const bool coupled = call_.settings.input_forget;
    float *gates = at(run, d, places_.gates), *cells = at(run, d, places_.cells);
    const float* peep = run.in[recurrent::kP] ? weights(run, recurrent::kP, d) : nullptr;
    const float* c0 = run.in[recurrent::kInitialC];
    const std::vector<float> zeros(hidden());
    const auto cell_before = [&](int64_t step, int64_t n) -> const float* {
      if (step > 0) return cells + row(step - 1, n) * h;
      return c0 ? c0 + call_.state_at(d, n) : zeros.data();
    };
    for (int64_t step = 0; step < s.steps; ++step)
      for (int64_t n = part.begin; n < part.end; ++n) {
        if (step >= run.length(n, s.steps)) continue;
        float *i = gates + row(step, n) * columns, *o = i + h, *f = o + h, *g = f + h;
        const float* old = cell_before(step, n);
        float* c = cells + row(step, n) * h;
        if (peep) loops.add_product(i, peep, old, hidden());
        call_.activate(d, 0, i, nullptr);
        if (coupled) {
          loops.complement(f, i, hidden());
        } else {
          if (peep) loops.add_product(f, peep + 2 * h, old, hidden());
          call_.activate(d, 0, f, nullptr);
        }
        call_.activate(d, 1, g, nullptr);
        std::copy_n(old, h, c);
        loops.remember(c, f, i, g, hidden());
        if (peep) loops.add_product(o, peep + h, c, hidden());
        call_.activate(d, 0, o, nullptr);
      }

    float *dh = at(run, d, places_.dh), *dc = at(run, d, places_.dc);
    float* next = at(run, d, places_.spare) + part.begin * h;
    float* dp = at(run, d, places_.peep) + part.begin * h * 3;
    if (peep) std::fill_n(dp, (part.end - part.begin) * h * 3, 0.0F);
    const float* dy = at(run, d, places_.dy);
    std::vector<float> cell(hidden()), into_c(hidden()), into_o(hidden());
    for (int64_t step = s.steps; step-- > 0;) {
      for (int64_t n = part.begin; n < part.end; ++n) {
        float *i = gates + row(step, n) * columns, *o = i + h, *f = o + h, *g = f + h;
        if (step >= run.length(n, s.steps)) {
          std::fill_n(i, columns, 0.0F);
          continue;
        }
        float *flow = dh + n * h, *memory = dc + n * h;
        const float *c = cells + row(step, n) * h, *old = cell_before(step, n);
        loops.add(flow, dy + row(step, n) * h, hidden());
        std::copy_n(c, h, cell.data());
        call_.activate_cell(d, cell.data());
        // Into C_t by way of H_t, into o.
        loops.product(into_c.data(), flow, o, hidden());
        call_.scale_by_slope(d, 2, cell.data(), into_c.data());
        loops.add(memory, into_c.data(), hidden());
        loops.product(into_o.data(), flow, cell.data(), hidden());
        call_.scale_by_slope(d, 0, o, into_o.data());
        std::copy_n(into_o.data(), h, o);
        if (peep) loops.add_product(memory, o, peep + h, hidden());
        float* own_dp = dp + (n - part.begin) * h * 3;
        if (peep) loops.add_product(own_dp + h, o, c, hidden());
        // Into i, f and g, and on to C_{t-1}.
        std::copy_n(memory, h, into_c.data());
        loops.product(memory, memory, f, hidden());
        float *di = into_o.data(), *dg = cell.data();
        loops.product(di, into_c.data(), g, hidden());
        loops.product(dg, into_c.data(), i, hidden());
        call_.scale_by_slope(d, 1, g, dg);
        if (coupled) {
          for (int64_t k = 0; k < h; ++k) di[k] -= into_c[static_cast<size_t>(k)] * old[k];
          std::fill_n(f, h, 0.0F);
        } else {
          loops.product(into_c.data(), into_c.data(), old, hidden());
          call_.scale_by_slope(d, 0, f, into_c.data());
          std::copy_n(into_c.data(), h, f);
        }
        call_.scale_by_slope(d, 0, i, di);
        std::copy_n(di, h, i);
        std::copy_n(dg, h, g);
        if (!peep) continue;
        loops.add_product(memory, i, peep, hidden());
        loops.add_product(memory, f, peep + 2 * h, hidden());
        loops.add_product(own_dp, i, old, hidden());
        loops.add_product(own_dp + 2 * h, f, old, hidden());
      }
      multiply(gates + row(step, part.begin) * columns, columns, at(run, d, places_.packed),
               columns, next, part.end - part.begin);
      for (int64_t n = part.begin; n < part.end; ++n)
        if (step < run.length(n, s.steps)) std::copy_n(next + (n - part.begin) * h, h, dh + n * h);
    }
  }

  // The gradients of a direction from what flows into its gates.
  void add_up(const Run& run, int64_t d) const {
    const recurrent::Sizes& s = call_.sizes;
    const int64_t columns = call_.gate_columns(), h = s.hidden;
    const float *gates = at(run, d, places_.gates), *before = at(run, d, places_.before);
    const float* side = is(Cell::gru) && linear() ? at(run, d, places_.into_h) : gates;
    if (wanted_[1])
      matrix_product(true, false, columns, s.input, rows(), gates, at(run, d, places_.x),
                     output(run, 1, d, columns * s.input), false);
    if (wanted_[2]) {
      float* dr = output(run, 2, d, columns * h);
      matrix_product(true, false, columns, h, rows(), side, before, dr, false);
      // The fresh gate of GRU saw r * H_{t-1}.
      if (is(Cell::gru) && !linear()) {
        std::vector<float> all(static_cast<size_t>(columns * h));
        matrix_product(true, false, columns, h, rows(), gates, at(run, d, places_.cells),
                       all.data(), false);
        std::copy_n(all.data() + 2 * h * h, h * h, dr + 2 * h * h);
      }
    }
    if (wanted_[3]) {
      float* db = output(run, 3, d, columns * 2);
      std::fill_n(db, columns * 2, 0.0F);
      for (int64_t i = 0; i < rows(); ++i) {
        call_.loops.add(db, gates + i * columns, static_cast<size_t>(columns));
        call_.loops.add(db + columns, side + i * columns, static_cast<size_t>(columns));
      }
    }
    for (size_t i = 4; i < 6; ++i) {
      if (!wanted_[i]) continue;
      const float* flow = at(run, d, i == 4 ? places_.dh : places_.dc);
      for (int64_t n = 0; n < s.batch; ++n)
        std::copy_n(flow + n * h, h, run.ctx.output<float>(i) + call_.state_at(d, n));
    }
    if (wanted_[6]) {
      float* dp = output(run, 6, d, h * 3);
      std::fill_n(dp, h * 3, 0.0F);
      if (call_.has(recurrent::kP))
        for (int64_t n = 0; n < s.batch; ++n)
          call_.loops.add(dp, at(run, d, places_.peep) + n * h * 3, 3 * hidden());
    }
    if (wanted_[0]) add_dx(run, d, gates);
  }

  void add_dx(const Run& run, int64_t d, const float* gates) const {
    const recurrent::Sizes& s = call_.sizes;
    float* found = at(run, d, places_.x);  // X is not read any more
    matrix_product(false, false, rows(), s.input, call_.gate_columns(), gates,
                   weights(run, recurrent::kW, d), found, false);
    auto* dx = run.ctx.output<float>(0);
    for (int64_t step = 0; step < s.steps; ++step)
      for (int64_t n = 0; n < s.batch; ++n) {
        const int64_t t = call_.time_of(d, step, run.length(n, s.steps));
        float* to = dx + call_.x_at(t, n);
        const float* from = found + row(step, n) * s.input;
        if (d == 0)
          std::copy_n(from, s.input, to);
        else
          call_.loops.add(to, from, static_cast<size_t>(s.input));
      }
  }

  const RecurrentCall call_;
  const size_t y_;  // port of Y
  Places places_;
  bool wanted_[7] = {};
  int64_t parts_ = 1;
  bool parallel_ = false;
};

template <Cell cell>
Prepared prepare(const PrepareContext& ctx) {
  if (ctx.inputs[0].dtype != DType::f32)
    return refuse(fmt::format("only f32; X is {}", name(ctx.inputs[0].dtype)));
  if (ctx.inputs[recurrent::kR].numel() == 0) return refuse("nothing to compute");
  const recurrent::Settings settings = recurrent::settings_of(ctx, cell);
  if (settings.has_clip) return refuse("clip, whose slope is not to be found from outputs");
  const RecurrentLoops loops = recurrent_loops();
  for (const recurrent::Activation& activation : settings.activations)
    if (!loops.slope(activation.function))
      return refuse("an activation whose slope is not to be found from its value");
  return std::make_unique<RecurrentGrad>(ctx, cell);
}

}  // namespace

constinit const KernelList recurrent_grad{
    {&op::RNNGrad, "cpu.rnn_grad", prepare<Cell::rnn>},
    {&op::GRUGrad, "cpu.gru_grad", prepare<Cell::gru>},
    {&op::LSTMGrad, "cpu.lstm_grad", prepare<Cell::lstm>},
};

}  // namespace tenon::cpu
