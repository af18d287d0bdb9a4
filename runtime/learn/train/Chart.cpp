//===- Chart.cpp - Curves as SVG ------------------------------------------===//

#include "espalier/Runtime/Train/Chart.h"

#include "SvgText.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace espalier::rt;
using svg::text;

// Sizes in pixels.
static constexpr double height = 280, left = 70, top = 36, bottom = 44;
static constexpr double plotWidth = 500, plotHeight = height - top - bottom;

/// Okabe and Ito's colours, which people with any kind of colour vision tell apart.
static constexpr const char *colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};

namespace {

/// Maps values to pixels and knows where ticks belong.
class Axis {
public:
  Axis(bool logarithmic, double start, double extent) : logarithmic(logarithmic), start(start), extent(extent) {}

  bool accepts(double value) const { return std::isfinite(value) && (!logarithmic || value > 0); }
  void include(double value) {
    min = std::min(min, scaled(value));
    max = std::max(max, scaled(value));
  }
  /// Widens the range to whole ticks, `minStep` apart at least. Called once, after all include().
  void finish(double minStep = 0) {
    if (min > max)
      min = 0, max = 1;
    if (max - min < 1e-12 * std::max(1.0, std::abs(max))) {
      double margin = logarithmic ? 0.5 : std::max(std::abs(max) * 0.1, 1e-9);
      min -= margin;
      max += margin;
    }
    step = logarithmic ? std::max(1.0, std::ceil((max - min) / 6)) : std::max(minStep, niceStep((max - min) / 5));
    min = std::floor(min / step + 1e-9) * step;
    max = std::ceil(max / step - 1e-9) * step;
  }
  double position(double value) const { return start + (scaled(value) - min) / (max - min) * extent; }
  /// Values with their labels.
  std::vector<std::pair<double, std::string>> ticks() const {
    std::vector<std::pair<double, std::string>> result;
    int count = static_cast<int>(std::llround((max - min) / step));
    for (int i = 0; i <= count; ++i) {
      double at = min + i * step;
      double value = logarithmic ? std::pow(10.0, at) : std::abs(at) < step * 1e-6 ? 0 : at;
      result.emplace_back(value, fmt::format("{:.6g}", value));
    }
    return result;
  }

private:
  double scaled(double value) const { return logarithmic ? std::log10(value) : value; }
  /// The least of 1, 2, 5 times a power of ten that is not below `step`.
  static double niceStep(double step) {
    double power = std::pow(10.0, std::floor(std::log10(step)));
    for (double factor : {1.0, 2.0, 5.0})
      if (factor * power >= step * (1 - 1e-9))
        return factor * power;
    return 10 * power;
  }

  bool logarithmic;
  double start, extent;
  double min = std::numeric_limits<double>::infinity(), max = -min;
  double step = 1;
};

} // namespace

static std::string renderAxes(const Chart &chart, const Axis &x, const Axis &y) {
  std::string svg = text(left + plotWidth / 2, 20, "middle", chart.title, " font-weight=\"bold\"");
  for (const auto &[value, label] : y.ticks()) {
    double at = y.position(value);
    svg += fmt::format("<line x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", left, at,
                       left + plotWidth, at);
    svg += text(left - 6, at + 4, "end", label);
  }
  for (const auto &[value, label] : x.ticks()) {
    double at = x.position(value);
    svg += fmt::format("<line x1=\"{:.1f}\" y1=\"{}\" x2=\"{:.1f}\" y2=\"{}\" stroke=\"#666\"/>\n", at,
                       top + plotHeight, at, top + plotHeight + 4);
    svg += text(at, top + plotHeight + 17, "middle", label);
  }
  svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#666\"/>\n", left, top,
                     plotWidth, plotHeight);
  svg += text(left + plotWidth / 2, top + plotHeight + 36, "middle", chart.xLabel);
  svg += text(16, top + plotHeight / 2, "middle", chart.yLabel,
              fmt::format(" transform=\"rotate(-90 16 {})\"", top + plotHeight / 2));
  return svg;
}

static std::string renderChart(const Chart &chart) {
  Axis x(false, left, plotWidth), y(chart.logarithmic, top + plotHeight, -plotHeight);
  for (const Series &series : chart.series)
    for (const auto &[px, py] : series.points)
      if (x.accepts(px) && y.accepts(py)) {
        x.include(px);
        y.include(py);
      }
  x.finish(chart.scatter ? 0 : 1); // there is no half an epoch
  y.finish();
  std::string svg = renderAxes(chart, x, y);
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series &series = chart.series[i];
    const char *colour = colours[i % std::size(colours)];
    std::string line, markers;
    for (const auto &[px, py] : series.points) {
      if (!x.accepts(px) || !y.accepts(py))
        continue;
      line += fmt::format("{}{:.1f},{:.1f}", line.empty() ? "" : " ", x.position(px), y.position(py));
      markers += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"/>\n", x.position(px),
                             y.position(py), chart.scatter ? 4 : 2.5, colour);
      if (chart.scatter)
        markers += text(x.position(px) + 7, y.position(py) - 5, "start", series.name);
    }
    if (!chart.scatter && !line.empty())
      svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>\n", line, colour);
    // Lines of many points need no markers.
    constexpr size_t maxMarkers = 12;
    if (chart.scatter || series.points.size() <= maxMarkers)
      svg += markers;
    if (!chart.scatter) {
      double at = top + 10 + 18 * static_cast<double>(i);
      svg += fmt::format("<line x1=\"{0}\" y1=\"{2:.1f}\" x2=\"{1}\" y2=\"{2:.1f}\" stroke=\"{3}\" "
                         "stroke-width=\"2.5\"/>\n",
                         left + plotWidth + 12, left + plotWidth + 32, at, colour);
      svg += text(left + plotWidth + 38, at + 4, "start", series.name);
    }
  }
  return svg;
}

std::string espalier::rt::renderSvg(const std::vector<Chart> &charts) {
  size_t longestName = 0;
  for (const Chart &chart : charts)
    for (const Series &series : chart.series)
      longestName = std::max(longestName, series.name.size());
  // Letters of 12 pixels are 7 wide on average.
  double width = left + plotWidth + 50 + 7 * static_cast<double>(std::clamp<size_t>(longestName, 20, 80));
  double total = height * static_cast<double>(charts.size());
  std::string image = svg::open(width, total);
  for (size_t i = 0; i < charts.size(); ++i)
    image += fmt::format("<g transform=\"translate(0 {})\">\n{}</g>\n", height * static_cast<double>(i),
                         renderChart(charts[i]));
  return image + "</svg>\n";
}
