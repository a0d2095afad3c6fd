// The inner loops of recurrent networks on f32: products of a few rows with a matrix that is used
// step after step, activations, and what the gates of a cell do with each other.
#pragma once

#include <cstddef>

#include "ops/nn/recurrent.h"

namespace tenon::cpu {

// x[i] = f(clip(x[i] + add[i])) for n elements; `add` may be null, `clip` is infinity for none.
using ActivateFn = void (*)(float* x, const float* add, size_t n, float clip, float alpha,
                            float beta);
// dy[i] *= f'(x[i]), found from y[i] = f(x[i]).
using SlopeFn = void (*)(const float* y, float* dy, size_t n, float alpha, float beta);

struct RecurrentLoops {
  // A matrix m [columns, k] (or [k, columns] where `transposed`, with `stride` floats a row) in
  // panels [k][panel] of columns, zeros past the last.
  size_t panel = 0;
  size_t packed_size(size_t k, size_t columns) const {
    return (columns + panel - 1) / panel * panel * k;
  }
  void (*pack)(const float* m, size_t stride, size_t k, size_t columns, bool transposed,
               float* packed) = nullptr;
  // y[row, column] += sum over i of a[row, i] * m[column, i] for the columns of panels `first` up
  // to `last`.
  void (*multiply)(const float* a, size_t a_stride, const float* packed, float* y, size_t y_stride,
                   size_t rows, size_t k, size_t columns, size_t first, size_t last) = nullptr;
  // y[j] += sum over i of a[i] * m[j, i]: for so few rows that packing would cost more.
  void (*dots)(const float* a, const float* m, float* y, size_t k, size_t columns) = nullptr;

  ActivateFn (*activate)(recurrent::Function function) = nullptr;
  SlopeFn (*slope)(recurrent::Function function) = nullptr;  // null: not to be found from y

  void (*add)(float* x, const float* a, size_t n) = nullptr;                          // x += a
  void (*add_product)(float* x, const float* a, const float* b, size_t n) = nullptr;  // x += a*b
  void (*product)(float* x, const float* a, const float* b, size_t n) = nullptr;      // x = a*b
  void (*complement)(float* x, const float* a, size_t n) = nullptr;                   // x = 1 - a
  // c = f*c + i*g
  void (*remember)(float* c, const float* f, const float* i, const float* g, size_t n) = nullptr;
  // h = fresh + z*(h - fresh)
  void (*blend)(float* h, const float* z, const float* fresh, size_t n) = nullptr;
};
// Those of the best instruction set.
RecurrentLoops recurrent_loops();

}  // namespace tenon::cpu
