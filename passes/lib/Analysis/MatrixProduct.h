//===- MatrixProduct.h - products of float64 matrices -----------*- C++ -*-===//

#ifndef ESPALIER_LIB_ANALYSIS_MATRIXPRODUCT_H
#define ESPALIER_LIB_ANALYSIS_MATRIXPRODUCT_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <vector>

namespace espalier {

/// A matrix anywhere in memory: element (i, j) is at `data[rows[i] + columns[j]]`.
template <typename T> struct ScatteredMatrix {
  T *data;
  llvm::ArrayRef<int64_t> rows, columns;
};

/// The right matrix of a product, in the order in which it is read.
class PackedMatrix {
public:
  /// Copies `matrix`, on all processors.
  explicit PackedMatrix(ScatteredMatrix<const double> matrix);

private:
  friend void multiplyAdd(ScatteredMatrix<double> result, ScatteredMatrix<const double> lhs, const PackedMatrix &rhs);
  size_t numRows, numColumns;
  std::vector<double> strips;
};

/// `result += lhs * rhs`, on this thread. No two elements of the result are in one place.
void multiplyAdd(ScatteredMatrix<double> result, ScatteredMatrix<const double> lhs, const PackedMatrix &rhs);

} // namespace espalier

#endif // ESPALIER_LIB_ANALYSIS_MATRIXPRODUCT_H
