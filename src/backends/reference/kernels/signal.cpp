// Fourier transforms, by their definition, and mel filters.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/signal/catalog.h"

namespace tenon::reference {

namespace {

struct Complex {
  double re = 0, im = 0;
};

// e^(-2 pi i k / n) for k from 0 to n-1.
std::vector<Complex> roots_of_unity(int64_t n) {
  std::vector<Complex> roots;
  for (int64_t k = 0; k < n; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    roots.push_back({std::cos(angle), -std::sin(angle)});
  }
  return roots;
}

// y[k] = sum over n of x[n] e^(-2 pi i k n / N), or with the other sign over N, for each of `bins`.
void transform(const std::vector<Complex>& x, const std::vector<Complex>& roots, bool inverse,
               std::vector<Complex>& y) {
  const size_t length = roots.size();
  for (size_t k = 0; k < y.size(); ++k) {
    Complex sum;
    for (size_t n = 0; n < length; ++n) {
      const Complex& root = roots[k * n % length];
      const double im = inverse ? -root.im : root.im;
      sum.re += x[n].re * root.re - x[n].im * im;
      sum.im += x[n].re * im + x[n].im * root.re;
    }
    const double scale = inverse ? 1 / static_cast<double>(length) : 1;
    y[k] = {sum.re * scale, sum.im * scale};
  }
}

// The bins of a real signal past the first half, from those of it; what cannot be is left out.
void mirror(std::vector<Complex>& x) {
  const size_t length = x.size();
  x[0].im = 0;
  if (length % 2 == 0) x[length / 2].im = 0;
  for (size_t k = length / 2 + 1; k < length; ++k) x[k] = {x[length - k].re, -x[length - k].im};
}

Prepared prepare_dft(const PrepareContext& ctx) {
  const TensorSpec& in = ctx.inputs[0];
  const TensorSpec& out = ctx.outputs[0];
  const int64_t named = ctx.has_input(2) ? ctx.inputs[2].constant_ints().at(0) : -2;
  const auto axis = static_cast<size_t>(normalize_axis(named, in.rank(), ctx.op.name));
  const bool inverse = ctx.i("inverse") != 0, onesided = ctx.i("onesided") != 0;
  const int64_t given = in.shape[axis], made = out.shape[axis];
  int64_t length = made;
  if (ctx.has_input(1))
    length = ctx.inputs[1].constant_ints().at(0);
  else if (onesided && !inverse)
    length = given;
  int64_t outer = 1, inner = 1;
  for (size_t a = 0; a < axis; ++a) outer *= in.shape[a];
  for (size_t a = axis + 1; a + 1 < in.rank(); ++a) inner *= in.shape[a];
  const int64_t in_parts = in.shape.back(), out_parts = out.shape.back();
  const int64_t read = std::min(given, inverse && onesided ? length / 2 + 1 : length);
  return make_kernel([=, type = in.dtype](const RunContext& run) {
    const In<double> x(type, run.in[0]);
    const Out<double> y(type, run.out[0]);
    const std::vector<Complex> roots = roots_of_unity(length);
    std::vector<Complex> bins(static_cast<size_t>(made));
    for (int64_t line = 0; line < outer * inner; ++line) {
      const int64_t o = line / inner, i = line % inner;
      std::vector<Complex> signal(static_cast<size_t>(length));
      for (int64_t n = 0; n < read; ++n) {
        const int64_t at = ((o * given + n) * inner + i) * in_parts;
        signal[static_cast<size_t>(n)] = {x[at], in_parts == 2 ? x[at + 1] : 0};
      }
      if (inverse && onesided) mirror(signal);
      transform(signal, roots, inverse, bins);
      for (int64_t k = 0; k < made; ++k) {
        const int64_t at = ((o * made + k) * inner + i) * out_parts;
        y.set(at, bins[static_cast<size_t>(k)].re);
        if (out_parts == 2) y.set(at + 1, bins[static_cast<size_t>(k)].im);
      }
    }
  });
}

double mel_of(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double hertz_of(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

Prepared prepare_mel(const PrepareContext& ctx) {
  const int64_t bands = ctx.inputs[0].constant_ints().at(0);
  const int64_t length = ctx.inputs[1].constant_ints().at(0);
  const DType rate_type = ctx.inputs[2].dtype, edge_type = ctx.inputs[3].dtype;
  return make_kernel([=, out = ctx.outputs[0]](const RunContext& run) {
    const int64_t rate = In<int64_t>(rate_type, run.in[2])[0];
    const double low = In<double>(edge_type, run.in[3])[0];
    const double high = In<double>(edge_type, run.in[4])[0];
    TENON_CHECK(rate >= 1, usage, "MelWeightMatrix: sample_rate is {}; use 1 or more", rate);
    const int64_t rows = out.shape[0];
    // The first bin of each band; a band reaches to the first bin of the next but one.
    std::vector<int64_t> edges;
    const double step = (mel_of(high) - mel_of(low)) / static_cast<double>(bands + 2);
    for (int64_t band = 0; band < bands + 2; ++band) {
      const double hertz = hertz_of(static_cast<double>(band) * step + mel_of(low));
      const double bin =
          std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
      TENON_CHECK(
          bin >= 0 && bin < static_cast<double>(rows), usage,
          "MelWeightMatrix: bands from lower_edge_hertz = {} to upper_edge_hertz = {} reach "
          "bin {} of {}; use edges from 0 to half the sample_rate of {}",
          low, high, bin, rows, rate);
      edges.push_back(static_cast<int64_t>(bin));
    }
    for (int64_t i = 1; i <= bands + 1; ++i)
      TENON_CHECK(edges[static_cast<size_t>(i)] >= edges[static_cast<size_t>(i - 1)], usage,
                  "MelWeightMatrix: lower_edge_hertz is {} and upper_edge_hertz {}; the upper must "
                  "be the greater",
                  low, high);
    const Out<double> y(out.dtype, run.out[0]);
    clear_elements(out.dtype, run.out[0], 0, out.numel());
    for (int64_t band = 0; band < bands; ++band) {
      const int64_t left = edges[static_cast<size_t>(band)];
      const int64_t centre = edges[static_cast<size_t>(band) + 1];
      const int64_t right = edges[static_cast<size_t>(band) + 2];
      for (int64_t bin = left; bin < centre; ++bin)
        y.set(bin * bands + band,
              static_cast<double>(bin - left) / static_cast<double>(centre - left));
      y.set(centre * bands + band, 1);
      for (int64_t bin = centre; bin < right; ++bin)
        y.set(bin * bands + band,
              static_cast<double>(right - bin) / static_cast<double>(right - centre));
    }
  });
}

}  // namespace

constinit const KernelList signal{
    {&op::DFT, "reference.dft", prepare_dft},
    {&op::MelWeightMatrix, "reference.mel_weight_matrix", prepare_mel},
};

}  // namespace tenon::reference
