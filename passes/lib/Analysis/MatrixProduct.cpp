//===- MatrixProduct.cpp - products of float64 matrices -------------------===//
//
// The usual scheme (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"): a strip of the right
// matrix and a block of the left one stay in the second-level cache, a tile of the result in registers.
//
//===----------------------------------------------------------------------===//

#include "MatrixProduct.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace espalier;
using llvm::ArrayRef;

namespace {

/// Adds nothing: sets `sum`, of `rows` times `columns`, to the product of packed operands.
struct Tile {
  int64_t rows, columns;
  void (*compute)(int64_t depth, const double *lhs, const double *rhs, double *sum);
};

} // namespace

/// A tile of `Rows` by `Vectors` vectors of `Width` elements.
template <int Width, int Vectors, int Rows>
[[gnu::always_inline]] static inline void computeTile(int64_t depth, const double *lhs, const double *rhs,
                                                      double *result) {
  using Vector [[gnu::vector_size(Width * sizeof(double))]] = double;
  Vector sums[Rows][Vectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vector columns[Vectors];
    std::memcpy(columns, rhs + k * Vectors * Width, sizeof columns);
    for (int row = 0; row < Rows; ++row)
      for (int v = 0; v < Vectors; ++v)
        sums[row][v] += columns[v] * lhs[k * Rows + row];
  }
  std::memcpy(result, sums, sizeof sums);
}

static void computeTile128(int64_t depth, const double *lhs, const double *rhs, double *result) {
  computeTile<2, 3, 4>(depth, lhs, rhs, result);
}
#ifdef __x86_64__
[[gnu::target("avx2,fma")]] static void computeTile256(int64_t depth, const double *lhs, const double *rhs,
                                                       double *result) {
  computeTile<4, 3, 4>(depth, lhs, rhs, result);
}
[[gnu::target("avx512f")]] static void computeTile512(int64_t depth, const double *lhs, const double *rhs,
                                                      double *result) {
  computeTile<8, 3, 8>(depth, lhs, rhs, result);
}
#endif

static Tile chooseTile() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f"))
    return {8, 24, computeTile512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {4, 12, computeTile256};
#endif
  return {4, 6, computeTile128};
}

/// Rows [begin, begin + count) in strips of `width`: for each strip, one column after another, zeros beyond the end.
static void pack(const double *data, ArrayRef<int64_t> rows, ArrayRef<int64_t> columns, int64_t width, double *packed) {
  for (size_t strip = 0; strip < rows.size(); strip += static_cast<size_t>(width)) {
    ArrayRef<int64_t> present = rows.slice(strip, std::min<size_t>(static_cast<size_t>(width), rows.size() - strip));
    for (int64_t column : columns) {
      for (int64_t row : present)
        *packed++ = data[row + column];
      packed = std::fill_n(packed, width - static_cast<int64_t>(present.size()), 0.0);
    }
  }
}

static int64_t roundUp(int64_t value, int64_t factor) { return (value + factor - 1) / factor * factor; }

static const Tile &getTile() {
  static const Tile tile = chooseTile();
  return tile;
}

/// Rows of the right matrix that are multiplied before the next ones: the result is read and written once for each.
static constexpr size_t blockDepth = 512;

PackedMatrix::PackedMatrix(ScatteredMatrix<const double> matrix)
    : numRows(matrix.rows.size()), numColumns(matrix.columns.size()) {
  int64_t width = getTile().columns, stored = roundUp(static_cast<int64_t>(numColumns), width);
  strips.resize(numRows * static_cast<size_t>(stored));
  auto numStrips = static_cast<size_t>(stored / width), stripWidth = static_cast<size_t>(width);
  for (size_t k = 0; k < numRows; k += blockDepth) {
    ArrayRef<int64_t> depth = matrix.rows.slice(k, std::min(blockDepth, numRows - k));
    double *block = strips.data() + k * static_cast<size_t>(stored);
    llvm::parallelFor(0, numStrips, [&](size_t strip) {
      size_t first = strip * stripWidth;
      pack(matrix.data, matrix.columns.slice(first, std::min(stripWidth, numColumns - first)), depth, width,
           block + first * depth.size());
    });
  }
}

void espalier::multiplyAdd(ScatteredMatrix<double> result, ScatteredMatrix<const double> lhs, const PackedMatrix &rhs) {
  constexpr size_t blockRows = 128; // 512 KiB of the left matrix
  const Tile &tile = getTile();
  // Kept by the thread: to map fresh pages for each block takes longer than to fill them.
  thread_local std::vector<double> left, sum;
  sum.resize(static_cast<size_t>(tile.rows * tile.columns));
  auto numColumns = static_cast<int64_t>(rhs.numColumns);
  for (size_t k = 0; k < rhs.numRows; k += blockDepth) {
    ArrayRef<int64_t> depth = lhs.columns.slice(k, std::min(blockDepth, rhs.numRows - k));
    auto numDepth = static_cast<int64_t>(depth.size());
    const double *panel = rhs.strips.data() + k * static_cast<size_t>(roundUp(numColumns, tile.columns));
    for (size_t i = 0; i < lhs.rows.size(); i += blockRows) {
      auto numRows = static_cast<int64_t>(std::min(blockRows, lhs.rows.size() - i));
      left.resize(static_cast<size_t>(roundUp(numRows, tile.rows) * numDepth));
      pack(lhs.data, lhs.rows.slice(i, static_cast<size_t>(numRows)), depth, tile.rows, left.data());
      for (int64_t column = 0; column < numColumns; column += tile.columns)
        for (int64_t row = 0; row < numRows; row += tile.rows) {
          tile.compute(numDepth, left.data() + row * numDepth, panel + column * numDepth, sum.data());
          int64_t height = std::min(tile.rows, numRows - row), width = std::min(tile.columns, numColumns - column);
          const int64_t *resultRows = result.rows.data() + i + row;
          for (int64_t c = 0; c < width; ++c) {
            double *place = result.data + result.columns[static_cast<size_t>(column + c)];
            for (int64_t r = 0; r < height; ++r)
              place[resultRows[r]] += sum[static_cast<size_t>(r * tile.columns + c)];
          }
        }
    }
  }
}
