//===- MatrixProduct.cpp - products of float64 matrices -------------------===//
//
// The usual scheme (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"): a panel of the right
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

void espalier::multiplyAdd(ScatteredMatrix<double> result, ScatteredMatrix<const double> lhs,
                           ScatteredMatrix<const double> rhs) {
  // 1 MiB of the right matrix, 256 KiB of the left one. Columns are multiples of those of every tile.
  constexpr size_t blockDepth = 512, blockColumns = 264, blockRows = 64;
  static const Tile tile = chooseTile();
  std::vector<double> panel;
  for (size_t k = 0; k < lhs.columns.size(); k += blockDepth) {
    ArrayRef<int64_t> depth = lhs.columns.slice(k, std::min(blockDepth, lhs.columns.size() - k));
    ArrayRef<int64_t> rhsDepth = rhs.rows.slice(k, depth.size());
    auto numDepth = static_cast<int64_t>(depth.size());
    for (size_t j = 0; j < rhs.columns.size(); j += blockColumns) {
      size_t numColumns = std::min(blockColumns, rhs.columns.size() - j);
      panel.resize(static_cast<size_t>(roundUp(static_cast<int64_t>(numColumns), tile.columns) * numDepth));
      pack(rhs.data, rhs.columns.slice(j, numColumns), rhsDepth, tile.columns, panel.data());
      llvm::parallelFor(0, (lhs.rows.size() + blockRows - 1) / blockRows, [&](size_t block) {
        size_t i = block * blockRows, numRows = std::min(blockRows, lhs.rows.size() - i);
        // Kept by the thread: to map fresh pages for each block takes longer than to fill them.
        thread_local std::vector<double> left, sum;
        left.resize(static_cast<size_t>(roundUp(static_cast<int64_t>(numRows), tile.rows) * numDepth));
        sum.resize(static_cast<size_t>(tile.rows * tile.columns));
        pack(lhs.data, lhs.rows.slice(i, numRows), depth, tile.rows, left.data());
        for (int64_t column = 0; column < static_cast<int64_t>(numColumns); column += tile.columns)
          for (int64_t row = 0; row < static_cast<int64_t>(numRows); row += tile.rows) {
            tile.compute(numDepth, left.data() + row * numDepth, panel.data() + column * numDepth, sum.data());
            int64_t height = std::min(tile.rows, static_cast<int64_t>(numRows) - row);
            int64_t width = std::min(tile.columns, static_cast<int64_t>(numColumns) - column);
            const int64_t *resultRows = result.rows.data() + i + row;
            for (int64_t c = 0; c < width; ++c) {
              double *place = result.data + result.columns[j + static_cast<size_t>(column + c)];
              for (int64_t r = 0; r < height; ++r)
                place[resultRows[r]] += sum[static_cast<size_t>(r * tile.columns + c)];
            }
          }
      });
    }
  }
}
