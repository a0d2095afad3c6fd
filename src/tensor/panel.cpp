#include "tensor/panel.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"

namespace tenon {
namespace {

constexpr size_t kMaxElement = 16;
constexpr int64_t kTile = 32;  // side of the tiles of transpositions that convert

// Elements are moved as bytes of a fixed number: no alignment is assumed.
template <size_t kBytes>
void move_element(const std::byte* from, std::byte* to) {
  std::memcpy(to, from, kBytes);
}

template <size_t kBytes>
void copy_run(const std::byte* from, int64_t from_step, std::byte* to, int64_t to_step,
              int64_t count) {
  for (int64_t i = 0; i < count; ++i) move_element<kBytes>(from + i * from_step, to + i * to_step);
}

template <size_t kBytes>
void copy_elements_one_by_one(const std::byte* from, std::byte* to, const Panel& p) {
  for (int64_t i = 0; i < p.rows; ++i)
    copy_run<kBytes>(from + i * p.from_row, p.from_column, to + i * p.to_row, p.to_column,
                     p.columns);
}

void copy_rows(const std::byte* from, std::byte* to, const Panel& p) {
  const size_t bytes = static_cast<size_t>(p.columns) * p.to_bytes;
  for (int64_t i = 0; i < p.rows; ++i) std::memcpy(to + i * p.to_row, from + i * p.from_row, bytes);
}

// Reads `rows` elements side by side from each of `columns` places, writes them as rows.
template <size_t kBytes>
void transpose_elements(const std::byte* from, int64_t from_column, std::byte* to, int64_t to_row,
                        int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      move_element<kBytes>(from + i * int64_t{kBytes} + j * from_column,
                           to + i * to_row + j * int64_t{kBytes});
}

// Squares of four or two elements in vectors of 16 bytes; __builtin_shufflevector is GCC's and
// Clang's.
using Vector32 = uint32_t __attribute__((vector_size(16)));
using Vector64 = uint64_t __attribute__((vector_size(16)));

template <class Vector>
Vector load(const std::byte* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class Vector>
void store(std::byte* to, Vector v) {
  std::memcpy(to, &v, sizeof v);
}

void transpose_square_4(const std::byte* from, int64_t from_column, std::byte* to, int64_t to_row) {
  const auto a = load<Vector32>(from), b = load<Vector32>(from + from_column);
  const auto c = load<Vector32>(from + 2 * from_column), d = load<Vector32>(from + 3 * from_column);
  const Vector32 ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5),
                 ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7);
  const Vector32 bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5),
                 bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  store(to, __builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5));
  store(to + to_row, __builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7));
  store(to + 2 * to_row, __builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5));
  store(to + 3 * to_row, __builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7));
}

void transpose_square_8(const std::byte* from, int64_t from_column, std::byte* to, int64_t to_row) {
  const auto a = load<Vector64>(from), b = load<Vector64>(from + from_column);
  store(to, __builtin_shufflevector(a, b, 0, 2));
  store(to + to_row, __builtin_shufflevector(a, b, 1, 3));
}

template <size_t kBytes>
void transpose_tile(const std::byte* from, int64_t from_column, std::byte* to, int64_t to_row,
                    int64_t rows, int64_t columns) {
  constexpr int64_t kSide = kBytes == 4 ? 4 : kBytes == 8 ? 2 : 1;
  constexpr auto kSize = static_cast<int64_t>(kBytes);
  if constexpr (kSide == 1) {
    transpose_elements<kBytes>(from, from_column, to, to_row, rows, columns);
  } else {
    const int64_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
    for (int64_t i = 0; i < whole_rows; i += kSide) {
      for (int64_t j = 0; j < whole_columns; j += kSide) {
        const std::byte* source = from + i * kSize + j * from_column;
        std::byte* target = to + i * to_row + j * kSize;
        if constexpr (kSide == 4)
          transpose_square_4(source, from_column, target, to_row);
        else
          transpose_square_8(source, from_column, target, to_row);
      }
    }
    transpose_elements<kBytes>(from + whole_columns * from_column, from_column,
                               to + whole_columns * kSize, to_row, whole_rows,
                               columns - whole_columns);
    transpose_elements<kBytes>(from + whole_rows * kSize, from_column, to + whole_rows * to_row,
                               to_row, rows - whole_rows, columns);
  }
}

// Runs of bytes whose elements alternate in the result: channels joined or shuffled.
template <int64_t kColumns>
void interleave(const std::byte* from, int64_t from_column, std::byte* to, int64_t rows) {
  const std::byte* runs[kColumns];
  for (int64_t j = 0; j < kColumns; ++j) runs[j] = from + j * from_column;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < kColumns; ++j) to[i * kColumns + j] = runs[j][i];
}

// Whether it was that.
bool interleaved(const std::byte* from, std::byte* to, const Panel& p) {
  if (p.to_row != p.columns) return false;
  switch (p.columns) {
    case 2: interleave<2>(from, p.from_column, to, p.rows); return true;
    case 3: interleave<3>(from, p.from_column, to, p.rows); return true;
    case 4: interleave<4>(from, p.from_column, to, p.rows); return true;
    default: return false;
  }
}

// Tiles are read into a buffer run by run first. Runs are long, since each is on a page of its own,
// and element by element the runs of a large power of two apart would evict each other from the
// cache.
template <size_t kBytes>
void transpose(const std::byte* from, std::byte* to, const Panel& p) {
  if constexpr (kBytes == 1)
    if (interleaved(from, to, p)) return;
  constexpr int64_t kRows = std::min<int64_t>(kTransposedRows, 1024 / int64_t{kBytes});
  constexpr auto kColumn = kRows * int64_t{kBytes};
  constexpr int64_t kColumns = 16384 / kColumn;
  alignas(64) std::array<std::byte, kColumn * kColumns> tile;
  for (int64_t i = 0; i < p.rows; i += kRows) {
    const int64_t rows = std::min(kRows, p.rows - i);
    for (int64_t j = 0; j < p.columns; j += kColumns) {
      const int64_t columns = std::min(kColumns, p.columns - j);
      const std::byte* source = from + i * p.from_row + j * p.from_column;
      for (int64_t k = 0; k < columns; ++k)
        std::memcpy(tile.data() + k * kColumn, source + k * p.from_column,
                    static_cast<size_t>(rows) * kBytes);
      transpose_tile<kBytes>(tile.data(), kColumn, to + i * p.to_row + j * p.to_column, p.to_row,
                             rows, columns);
    }
  }
}

struct Moves {
  void (*run)(const std::byte*, int64_t, std::byte*, int64_t, int64_t);
  CopyPanel one_by_one;
  CopyPanel transpose;
  void (*tile)(const std::byte*, int64_t, std::byte*, int64_t, int64_t, int64_t);
};

template <size_t kBytes>
constexpr Moves kMoves = {copy_run<kBytes>, copy_elements_one_by_one<kBytes>, transpose<kBytes>,
                          transpose_tile<kBytes>};

const Moves& moves(size_t bytes) {
  switch (bytes) {
    case 1: return kMoves<1>;
    case 2: return kMoves<2>;
    case 4: return kMoves<4>;
    case 8: return kMoves<8>;
    case 16: return kMoves<16>;
    default: break;
  }
  fail_bug(__FILE__, __LINE__, fmt::format("no copy for elements of {} bytes", bytes));
}

bool rows_are_blocks(const Panel& p) {
  return p.from_column == static_cast<int64_t>(p.from_bytes) &&
         p.to_column == static_cast<int64_t>(p.to_bytes);
}

bool is_transposition(const Panel& p) {
  return p.from_row == static_cast<int64_t>(p.from_bytes) &&
         p.to_column == static_cast<int64_t>(p.to_bytes) && p.rows > 1 && p.columns > 1;
}

void convert_rows(const std::byte* from, std::byte* to, const Panel& p) {
  for (int64_t i = 0; i < p.rows; ++i)
    p.convert(from + i * p.from_row, to + i * p.to_row, p.columns);
}

// Gathers into one buffer, converts into another, scatters from there.
void convert_strided(const std::byte* from, std::byte* to, const Panel& p) {
  constexpr int64_t kRun = 256;
  alignas(64) std::array<std::byte, kRun * kMaxElement> gathered;
  alignas(64) std::array<std::byte, kRun * kMaxElement> converted;
  const Moves& in = moves(p.from_bytes);
  const Moves& out = moves(p.to_bytes);
  const auto from_bytes = static_cast<int64_t>(p.from_bytes);
  const auto to_bytes = static_cast<int64_t>(p.to_bytes);
  for (int64_t i = 0; i < p.rows; ++i) {
    for (int64_t j = 0; j < p.columns; j += kRun) {
      const int64_t count = std::min(kRun, p.columns - j);
      const std::byte* source = from + i * p.from_row + j * p.from_column;
      std::byte* target = to + i * p.to_row + j * p.to_column;
      if (p.from_column != from_bytes) {
        in.run(source, p.from_column, gathered.data(), from_bytes, count);
        source = gathered.data();
      }
      if (p.to_column == to_bytes) {
        p.convert(source, target, count);
      } else {
        p.convert(source, converted.data(), count);
        out.run(converted.data(), to_bytes, target, p.to_column, count);
      }
    }
  }
}

void convert_transposed(const std::byte* from, std::byte* to, const Panel& p) {
  alignas(64) std::array<std::byte, kTile * kTile * kMaxElement> tile;
  const auto tile_column = kTile * static_cast<int64_t>(p.to_bytes);
  const Moves& out = moves(p.to_bytes);
  for (int64_t i = 0; i < p.rows; i += kTile) {
    const int64_t rows = std::min(kTile, p.rows - i);
    for (int64_t j = 0; j < p.columns; j += kTile) {
      const int64_t columns = std::min(kTile, p.columns - j);
      for (int64_t k = 0; k < columns; ++k)
        p.convert(from + i * p.from_row + (j + k) * p.from_column, tile.data() + k * tile_column,
                  rows);
      out.tile(tile.data(), tile_column, to + i * p.to_row + j * p.to_column, p.to_row, rows,
               columns);
    }
  }
}

}  // namespace

int64_t whole_rows(const Panel& panel) { return is_transposition(panel) ? kTransposedRows : 1; }

CopyPanel choose_copy(const Panel& panel) {
  if (rows_are_blocks(panel) && panel.columns > 1) return copy_rows;
  const Moves& move = moves(panel.to_bytes);
  return is_transposition(panel) ? move.transpose : move.one_by_one;
}

CopyPanel choose_convert(const Panel& panel) {
  if (rows_are_blocks(panel)) return convert_rows;
  return is_transposition(panel) ? convert_transposed : convert_strided;
}

}  // namespace tenon
