// Fast Fourier transforms of any length, of several signals at once, in double precision.
//
// Signals are interleaved: sample n of signal l is at [n * lanes + l], real and imaginary parts in
// arrays of their own. A plan is immutable and may run on several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tenon::cpu {

// Of complex signals, unscaled: y[k] = sum over n of x[n] e^(-2 pi i k n / length).
class Fft {
 public:
  explicit Fft(int64_t length);

  int64_t length() const { return length_; }
  // Doubles that run() needs beside the data.
  size_t scratch(int64_t lanes) const;
  // In place. With re and im exchanged it is the inverse, unscaled.
  void run(double* re, double* im, int64_t lanes, double* scratch) const;

 private:
  struct Stage {
    int64_t radix, blocks;         // blocks = length of this stage / radix
    std::vector<double> twiddles;  // [blocks][radix - 1][2]
  };
  // A length with a large prime factor becomes a convolution of a length without (Bluestein, "A
  // linear filtering approach to the computation of discrete Fourier transform", 1970).
  struct Convolution {
    std::unique_ptr<const Fft> fft;
    std::vector<double> chirp;   // [length][2]: e^(-pi i n^2 / length)
    std::vector<double> filter;  // [2][fft length]: the transform of the conjugate chirp, scaled
  };

  void run_stages(double* re, double* im, int64_t lanes, double* scratch) const;
  void run_convolution(double* re, double* im, int64_t lanes, double* scratch) const;

  int64_t length_;
  std::vector<Stage> stages_;
  std::vector<std::vector<double>> roots_;  // by stage: [radix][2]
  std::unique_ptr<const Convolution> convolution_;
};

// Of real signals: samples to the first length / 2 + 1 bins and back.
class RealFft {
 public:
  explicit RealFft(int64_t length);

  int64_t length() const { return length_; }
  int64_t bins() const { return length_ / 2 + 1; }
  size_t scratch(int64_t lanes) const;
  // re: samples in, real parts out; im: imaginary parts out. Both hold length + 1 rows of lanes.
  void forward(double* re, double* im, int64_t lanes, double* scratch) const;
  // Bins in, samples out in re: length times those whose bins they are. Imaginary parts that a real
  // signal does not have are taken as 0; im is overwritten.
  void inverse(double* re, double* im, int64_t lanes, double* scratch) const;

 private:
  int64_t length_;
  Fft fft_;                    // of half the length, if that is even: two samples a complex one
  std::vector<double> roots_;  // [length / 2 + 1][2]: cos and sin of 2 pi k / length
};

}  // namespace tenon::cpu
