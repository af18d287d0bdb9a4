//===- MatrixProduct.h - products of float64 matrices -----------*- C++ -*-===//

#ifndef ESPALIER_LIB_ANALYSIS_MATRIXPRODUCT_H
#define ESPALIER_LIB_ANALYSIS_MATRIXPRODUCT_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace espalier {

/// A matrix anywhere in memory: element (i, j) is at `data[rows[i] + columns[j]]`.
template <typename T> struct ScatteredMatrix {
  T *data;
  llvm::ArrayRef<int64_t> rows, columns;
};

/// `result += lhs * rhs`, on all processors. No two elements of the result are in one place.
void multiplyAdd(ScatteredMatrix<double> result, ScatteredMatrix<const double> lhs, ScatteredMatrix<const double> rhs);

} // namespace espalier

#endif // ESPALIER_LIB_ANALYSIS_MATRIXPRODUCT_H
