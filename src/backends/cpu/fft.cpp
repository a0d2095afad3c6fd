// Mixed-radix transforms without bit reversal (Stockham; Van Loan, "Computational Frameworks for
// the Fast Fourier Transform", 1992, section 1.7): the innermost loop runs over signals and what
// earlier stages made adjacent, which the compiler vectorises for each target.
#include "backends/cpu/fft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/fft.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

// One stage: `blocks` butterflies of `radix` inputs, each of `width` adjacent elements.
struct Pass {
  int64_t radix, blocks, width;
  const double* twiddles;
  const double* roots;
  const double* HWY_RESTRICT xr;
  const double* HWY_RESTRICT xi;
  double* HWY_RESTRICT yr;
  double* HWY_RESTRICT yi;
};

void pass_2(const Pass& p) {
  const int64_t w = p.width, far = p.blocks * w;
  for (int64_t b = 0; b < p.blocks; ++b) {
    const double cr = p.twiddles[2 * b], ci = p.twiddles[2 * b + 1];
    const double *HWY_RESTRICT ar = p.xr + b * w, *HWY_RESTRICT ai = p.xi + b * w;
    double *HWY_RESTRICT yr = p.yr + 2 * b * w, *HWY_RESTRICT yi = p.yi + 2 * b * w;
    for (int64_t q = 0; q < w; ++q) {
      const double r0 = ar[q], i0 = ai[q], r1 = ar[q + far], i1 = ai[q + far];
      const double dr = r0 - r1, di = i0 - i1;
      yr[q] = r0 + r1;
      yi[q] = i0 + i1;
      yr[q + w] = dr * cr - di * ci;
      yi[q + w] = dr * ci + di * cr;
    }
  }
}

void pass_3(const Pass& p) {
  constexpr double kSin = 0.86602540378443864676;  // of 60 degrees
  const int64_t w = p.width, far = p.blocks * w;
  for (int64_t b = 0; b < p.blocks; ++b) {
    const double* c = p.twiddles + 4 * b;
    const double c1r = c[0], c1i = c[1], c2r = c[2], c2i = c[3];
    const double *HWY_RESTRICT ar = p.xr + b * w, *HWY_RESTRICT ai = p.xi + b * w;
    double *HWY_RESTRICT yr = p.yr + 3 * b * w, *HWY_RESTRICT yi = p.yi + 3 * b * w;
    for (int64_t q = 0; q < w; ++q) {
      const double sr = ar[q + far] + ar[q + 2 * far], si = ai[q + far] + ai[q + 2 * far];
      const double dr = (ar[q + far] - ar[q + 2 * far]) * kSin;
      const double di = (ai[q + far] - ai[q + 2 * far]) * kSin;
      const double mr = ar[q] - 0.5 * sr, mi = ai[q] - 0.5 * si;
      const double r1 = mr + di, i1 = mi - dr, r2 = mr - di, i2 = mi + dr;
      yr[q] = ar[q] + sr;
      yi[q] = ai[q] + si;
      yr[q + w] = r1 * c1r - i1 * c1i;
      yi[q + w] = r1 * c1i + i1 * c1r;
      yr[q + 2 * w] = r2 * c2r - i2 * c2i;
      yi[q + 2 * w] = r2 * c2i + i2 * c2r;
    }
  }
}

void pass_4(const Pass& p) {
  const int64_t w = p.width, far = p.blocks * w;
  for (int64_t b = 0; b < p.blocks; ++b) {
    const double* c = p.twiddles + 6 * b;
    const double c1r = c[0], c1i = c[1], c2r = c[2], c2i = c[3], c3r = c[4], c3i = c[5];
    const double *HWY_RESTRICT ar = p.xr + b * w, *HWY_RESTRICT ai = p.xi + b * w;
    double *HWY_RESTRICT yr = p.yr + 4 * b * w, *HWY_RESTRICT yi = p.yi + 4 * b * w;
    for (int64_t q = 0; q < w; ++q) {
      const double s02r = ar[q] + ar[q + 2 * far], s02i = ai[q] + ai[q + 2 * far];
      const double d02r = ar[q] - ar[q + 2 * far], d02i = ai[q] - ai[q + 2 * far];
      const double s13r = ar[q + far] + ar[q + 3 * far], s13i = ai[q + far] + ai[q + 3 * far];
      const double d13r = ar[q + far] - ar[q + 3 * far], d13i = ai[q + far] - ai[q + 3 * far];
      const double r1 = d02r + d13i, i1 = d02i - d13r;
      const double r2 = s02r - s13r, i2 = s02i - s13i;
      const double r3 = d02r - d13i, i3 = d02i + d13r;
      yr[q] = s02r + s13r;
      yi[q] = s02i + s13i;
      yr[q + w] = r1 * c1r - i1 * c1i;
      yi[q + w] = r1 * c1i + i1 * c1r;
      yr[q + 2 * w] = r2 * c2r - i2 * c2i;
      yi[q + 2 * w] = r2 * c2i + i2 * c2r;
      yr[q + 3 * w] = r3 * c3r - i3 * c3i;
      yi[q + 3 * w] = r3 * c3i + i3 * c3r;
    }
  }
}

void pass_5(const Pass& p) {
  // Cosines and sines of 72 and 144 degrees.
  constexpr double kCos1 = 0.30901699437494742410, kCos2 = -0.80901699437494742410;
  constexpr double kSin1 = 0.95105651629515357212, kSin2 = 0.58778525229247312917;
  const int64_t w = p.width, far = p.blocks * w;
  for (int64_t b = 0; b < p.blocks; ++b) {
    const double* c = p.twiddles + 8 * b;
    const double c1r = c[0], c1i = c[1], c2r = c[2], c2i = c[3];
    const double c3r = c[4], c3i = c[5], c4r = c[6], c4i = c[7];
    const double *HWY_RESTRICT ar = p.xr + b * w, *HWY_RESTRICT ai = p.xi + b * w;
    double *HWY_RESTRICT yr = p.yr + 5 * b * w, *HWY_RESTRICT yi = p.yi + 5 * b * w;
    for (int64_t q = 0; q < w; ++q) {
      const double s14r = ar[q + far] + ar[q + 4 * far], s14i = ai[q + far] + ai[q + 4 * far];
      const double d14r = ar[q + far] - ar[q + 4 * far], d14i = ai[q + far] - ai[q + 4 * far];
      const double s23r = ar[q + 2 * far] + ar[q + 3 * far],
                   s23i = ai[q + 2 * far] + ai[q + 3 * far];
      const double d23r = ar[q + 2 * far] - ar[q + 3 * far],
                   d23i = ai[q + 2 * far] - ai[q + 3 * far];
      const double m1r = ar[q] + kCos1 * s14r + kCos2 * s23r;
      const double m1i = ai[q] + kCos1 * s14i + kCos2 * s23i;
      const double m2r = ar[q] + kCos2 * s14r + kCos1 * s23r;
      const double m2i = ai[q] + kCos2 * s14i + kCos1 * s23i;
      const double n1r = kSin1 * d14r + kSin2 * d23r, n1i = kSin1 * d14i + kSin2 * d23i;
      const double n2r = kSin2 * d14r - kSin1 * d23r, n2i = kSin2 * d14i - kSin1 * d23i;
      const double r1 = m1r + n1i, i1 = m1i - n1r, r4 = m1r - n1i, i4 = m1i + n1r;
      const double r2 = m2r + n2i, i2 = m2i - n2r, r3 = m2r - n2i, i3 = m2i + n2r;
      yr[q] = ar[q] + s14r + s23r;
      yi[q] = ai[q] + s14i + s23i;
      yr[q + w] = r1 * c1r - i1 * c1i;
      yi[q + w] = r1 * c1i + i1 * c1r;
      yr[q + 2 * w] = r2 * c2r - i2 * c2i;
      yi[q + 2 * w] = r2 * c2i + i2 * c2r;
      yr[q + 3 * w] = r3 * c3r - i3 * c3i;
      yi[q + 3 * w] = r3 * c3i + i3 * c3r;
      yr[q + 4 * w] = r4 * c4r - i4 * c4i;
      yi[q + 4 * w] = r4 * c4i + i4 * c4r;
    }
  }
}

void pass_any(const Pass& p) {
  const int64_t w = p.width, far = p.blocks * w, radix = p.radix;
  for (int64_t b = 0; b < p.blocks; ++b) {
    const double *HWY_RESTRICT ar = p.xr + b * w, *HWY_RESTRICT ai = p.xi + b * w;
    for (int64_t k = 0; k < radix; ++k) {
      double* HWY_RESTRICT yr = p.yr + (radix * b + k) * w;
      double* HWY_RESTRICT yi = p.yi + (radix * b + k) * w;
      for (int64_t q = 0; q < w; ++q) {
        yr[q] = ar[q];
        yi[q] = ai[q];
      }
      for (int64_t j = 1; j < radix; ++j) {
        const double* root = p.roots + 2 * (j * k % radix);
        const double cr = root[0], ci = root[1];
        const double *HWY_RESTRICT br = ar + j * far, *HWY_RESTRICT bi = ai + j * far;
        for (int64_t q = 0; q < w; ++q) {
          yr[q] += br[q] * cr - bi[q] * ci;
          yi[q] += br[q] * ci + bi[q] * cr;
        }
      }
      if (k == 0) continue;
      const double* c = p.twiddles + 2 * ((radix - 1) * b + k - 1);
      const double cr = c[0], ci = c[1];
      for (int64_t q = 0; q < w; ++q) {
        const double r = yr[q], i = yi[q];
        yr[q] = r * cr - i * ci;
        yi[q] = r * ci + i * cr;
      }
    }
  }
}

void run_pass(const Pass& p) {
  switch (p.radix) {
    case 2: return pass_2(p);
    case 3: return pass_3(p);
    case 4: return pass_4(p);
    case 5: return pass_5(p);
    default: return pass_any(p);
  }
}

void fft_pass(int64_t radix, int64_t blocks, int64_t width, const double* twiddles,
              const double* roots, const double* const x[2], double* const y[2]) {
  run_pass({radix, blocks, width, twiddles, roots, x[0], x[1], y[0], y[1]});
}

// y[q] = x[q] * c for `lanes` complex numbers; x may be y.
void fft_scale(double cr, double ci, const double* xr, const double* xi, double* yr, double* yi,
               int64_t lanes) {
  for (int64_t q = 0; q < lanes; ++q) {
    const double r = xr[q], i = xi[q];
    yr[q] = r * cr - i * ci;
    yi[q] = r * ci + i * cr;
  }
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(fft_pass);
HWY_EXPORT(fft_scale);

// cos and sin of -2 pi k / n, exact to the last bits for any k.
void put_root(std::vector<double>& to, int64_t k, int64_t n) {
  const double angle = 2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n);
  to.push_back(std::cos(angle));
  to.push_back(-std::sin(angle));
}

// Factors of at most 13, fours first; empty where there is a larger prime.
std::vector<int64_t> radices_of(int64_t length) {
  std::vector<int64_t> radices;
  for (const int64_t radix : {4, 2, 3, 5, 7, 11, 13})
    for (; length % radix == 0; length /= radix) radices.push_back(radix);
  return length == 1 ? radices : std::vector<int64_t>();
}

}  // namespace

Fft::Fft(int64_t length) : length_(length) {
  if (length == 1) return;
  const std::vector<int64_t> radices = radices_of(length);
  int64_t n = length;
  for (const int64_t radix : radices) {
    Stage stage{radix, n / radix, {}};
    for (int64_t b = 0; b < stage.blocks; ++b)
      for (int64_t k = 1; k < radix; ++k) put_root(stage.twiddles, b * k, n);
    stages_.push_back(std::move(stage));
    roots_.emplace_back();
    for (int64_t k = 0; k < radix; ++k) put_root(roots_.back(), k, radix);
    n /= radix;
  }
  if (!radices.empty()) return;

  auto convolution = std::make_unique<Convolution>();
  const auto size = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * length - 1)));
  convolution->fft = std::make_unique<Fft>(size);
  for (int64_t k = 0; k < length; ++k) {
    // k^2 modulo 2 length, without overflow for any length that fits into memory.
    const auto square = static_cast<int64_t>(static_cast<uint64_t>(k) * static_cast<uint64_t>(k) %
                                             static_cast<uint64_t>(2 * length));
    put_root(convolution->chirp, square, 2 * length);
  }
  convolution->filter.assign(static_cast<size_t>(2 * size), 0.0);
  double* re = convolution->filter.data();
  double* im = re + size;
  for (int64_t k = 0; k < length; ++k) {
    const double scale = 1 / static_cast<double>(size);
    const double cr = convolution->chirp[static_cast<size_t>(2 * k)] * scale;
    const double ci = -convolution->chirp[static_cast<size_t>(2 * k + 1)] * scale;
    re[k] = cr, im[k] = ci;
    if (k > 0) re[size - k] = cr, im[size - k] = ci;
  }
  std::vector<double> scratch(convolution->fft->scratch(1));
  convolution->fft->run(re, im, 1, scratch.data());
  convolution_ = std::move(convolution);
}

size_t Fft::scratch(int64_t lanes) const {
  if (!convolution_) return static_cast<size_t>(2 * length_ * lanes);
  return static_cast<size_t>(2 * convolution_->fft->length() * lanes) +
         convolution_->fft->scratch(lanes);
}

void Fft::run(double* re, double* im, int64_t lanes, double* scratch) const {
  if (convolution_)
    run_convolution(re, im, lanes, scratch);
  else
    run_stages(re, im, lanes, scratch);
}

void Fft::run_stages(double* re, double* im, int64_t lanes, double* scratch) const {
  const auto pass = HWY_DYNAMIC_DISPATCH(fft_pass);
  double* from[2] = {re, im};
  double* to[2] = {scratch, scratch + length_ * lanes};
  int64_t width = lanes;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const Stage& stage = stages_[i];
    pass(stage.radix, stage.blocks, width, stage.twiddles.data(), roots_[i].data(), from, to);
    width *= stage.radix;
    std::swap(from[0], to[0]);
    std::swap(from[1], to[1]);
  }
  if (from[0] == re) return;
  std::copy_n(from[0], length_ * lanes, re);
  std::copy_n(from[1], length_ * lanes, im);
}

void Fft::run_convolution(double* re, double* im, int64_t lanes, double* scratch) const {
  const auto scale = HWY_DYNAMIC_DISPATCH(fft_scale);
  const Fft& fft = *convolution_->fft;
  const int64_t size = fft.length();
  double* ar = scratch;
  double* ai = ar + size * lanes;
  double* rest = ai + size * lanes;
  const double* chirp = convolution_->chirp.data();
  for (int64_t n = 0; n < length_; ++n)
    scale(chirp[2 * n], chirp[2 * n + 1], re + n * lanes, im + n * lanes, ar + n * lanes,
          ai + n * lanes, lanes);
  std::fill(ar + length_ * lanes, ar + size * lanes, 0.0);
  std::fill(ai + length_ * lanes, ai + size * lanes, 0.0);
  fft.run(ar, ai, lanes, rest);
  const double* filter = convolution_->filter.data();
  for (int64_t n = 0; n < size; ++n)
    scale(filter[n], filter[n + size], ar + n * lanes, ai + n * lanes, ar + n * lanes,
          ai + n * lanes, lanes);
  fft.run(ai, ar, lanes, rest);
  for (int64_t n = 0; n < length_; ++n)
    scale(chirp[2 * n], chirp[2 * n + 1], ar + n * lanes, ai + n * lanes, re + n * lanes,
          im + n * lanes, lanes);
}

RealFft::RealFft(int64_t length) : length_(length), fft_(length % 2 ? length : length / 2) {
  for (int64_t k = 0; length % 2 == 0 && k <= length / 2; ++k) {
    put_root(roots_, k, length);
    roots_.back() = -roots_.back();
  }
}

size_t RealFft::scratch(int64_t lanes) const {
  const auto pairs = length_ % 2 ? int64_t{0} : length_;
  return static_cast<size_t>(pairs * lanes) + fft_.scratch(lanes);
}

void RealFft::forward(double* re, double* im, int64_t lanes, double* scratch) const {
  if (length_ % 2) {
    std::fill_n(im, length_ * lanes, 0.0);
    return fft_.run(re, im, lanes, scratch);
  }
  const int64_t half = length_ / 2;
  double* zr = scratch;
  double* zi = zr + half * lanes;
  for (int64_t n = 0; n < half; ++n) {
    std::copy_n(re + 2 * n * lanes, lanes, zr + n * lanes);
    std::copy_n(re + (2 * n + 1) * lanes, lanes, zi + n * lanes);
  }
  fft_.run(zr, zi, lanes, zi + half * lanes);
  // The transforms of even and odd samples, apart and then put together.
  for (int64_t k = 0; k <= half; ++k) {
    const double c = roots_[static_cast<size_t>(2 * k)], s = roots_[static_cast<size_t>(2 * k + 1)];
    const int64_t a = k % half * lanes, b = (half - k) % half * lanes;
    for (int64_t l = 0; l < lanes; ++l) {
      const double even_r = zr[a + l] + zr[b + l], even_i = zi[a + l] - zi[b + l];
      const double odd_r = zi[a + l] + zi[b + l], odd_i = zr[b + l] - zr[a + l];
      re[k * lanes + l] = 0.5 * (even_r + c * odd_r + s * odd_i);
      im[k * lanes + l] = 0.5 * (even_i + c * odd_i - s * odd_r);
    }
  }
}

void RealFft::inverse(double* re, double* im, int64_t lanes, double* scratch) const {
  std::fill_n(im, lanes, 0.0);
  const int64_t half = length_ / 2;
  if (length_ % 2) {
    for (int64_t k = half + 1; k < length_; ++k) {
      for (int64_t l = 0; l < lanes; ++l) {
        re[k * lanes + l] = re[(length_ - k) * lanes + l];
        im[k * lanes + l] = -im[(length_ - k) * lanes + l];
      }
    }
    return fft_.run(im, re, lanes, scratch);
  }
  std::fill_n(im + half * lanes, lanes, 0.0);
  double* zr = scratch;
  double* zi = zr + half * lanes;
  for (int64_t k = 0; k < half; ++k) {
    const double c = roots_[static_cast<size_t>(2 * k)], s = roots_[static_cast<size_t>(2 * k + 1)];
    const int64_t a = k * lanes, b = (half - k) * lanes;
    for (int64_t l = 0; l < lanes; ++l) {
      const double even_r = re[a + l] + re[b + l], even_i = im[a + l] - im[b + l];
      const double dr = re[a + l] - re[b + l], di = im[a + l] + im[b + l];
      const double odd_r = dr * c - di * s, odd_i = dr * s + di * c;
      zr[a + l] = even_r - odd_i;
      zi[a + l] = even_i + odd_r;
    }
  }
  fft_.run(zi, zr, lanes, zi + half * lanes);
  for (int64_t n = 0; n < half; ++n) {
    std::copy_n(zr + n * lanes, lanes, re + 2 * n * lanes);
    std::copy_n(zi + n * lanes, lanes, re + (2 * n + 1) * lanes);
  }
}

}  // namespace tenon::cpu
#endif
