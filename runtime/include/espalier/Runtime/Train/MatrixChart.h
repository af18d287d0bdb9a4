//===- MatrixChart.h - Matrices over epochs as SVG --------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_MATRIXCHART_H
#define ESPALIER_RUNTIME_TRAIN_MATRIXCHART_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace espalier::rt {

/// Rows of one length.
using Matrix = std::vector<std::vector<double>>;

/// A matrix with a name at some epochs.
struct MatrixSeries {
  std::string name;
  std::map<int64_t, Matrix> byEpoch;
};

/// An SVG image: a row for each series and a column for each epoch, or for twelve of them, each matrix as squares whose
/// colour is deeper the larger an element is. All share one scale of colours, from 0; elements that are not finite are
/// left out.
std::string renderSvg(const std::string &title, const std::vector<MatrixSeries> &series);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_MATRIXCHART_H
