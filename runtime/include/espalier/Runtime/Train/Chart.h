//===- Chart.h - Curves as SVG ----------------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_TRAIN_CHART_H
#define ESPALIER_RUNTIME_TRAIN_CHART_H

#include <string>
#include <utility>
#include <vector>

namespace espalier::rt {

/// Points with a name in the legend. Points that are not finite are left out.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// One pair of axes. The x axis of lines counts epochs: its ticks are whole numbers.
struct Chart {
  std::string title;
  std::string xLabel;
  std::string yLabel;
  bool logarithmic = false; ///< the y axis; points that are not positive are left out
  bool scatter = false;     ///< markers with the series' name beside them instead of lines and a legend
  std::vector<Series> series;
};

/// An SVG image of charts, one below the other, readable on light and dark pages alike.
std::string renderSvg(const std::vector<Chart> &charts);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_TRAIN_CHART_H
