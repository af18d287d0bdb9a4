//===- MatrixChart.cpp - Matrices over epochs as SVG ----------------------===//

#include "espalier/Runtime/Train/MatrixChart.h"

#include "SvgText.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

using namespace espalier::rt;

// Sizes in pixels.
static constexpr double square = 14, gap = 14, top = 56, margin = 12;

/// Up to twelve of the epochs, evenly spaced, the first and the last among them.
static std::vector<int64_t> chooseEpochs(const std::vector<MatrixSeries> &series) {
  std::set<int64_t> all;
  for (const MatrixSeries &one : series)
    for (const auto &[epoch, matrix] : one.byEpoch)
      all.insert(epoch);
  std::vector<int64_t> epochs(all.begin(), all.end());
  constexpr size_t most = 12;
  if (epochs.size() <= most)
    return epochs;
  std::vector<int64_t> chosen;
  for (size_t i = 0; i < most; ++i)
    chosen.push_back(epochs[i * (epochs.size() - 1) / (most - 1)]);
  return chosen;
}

/// From white for 0 to blue for 1.
static std::string colourOf(double share) {
  auto mix = [&](int blue) { return static_cast<int>(std::lround(255 + (blue - 255) * share)); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(0x00), mix(0x72), mix(0xb2));
}

static std::string renderSquare(double x, double y, double value, double largest) {
  if (!std::isfinite(value))
    return "";
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"{}\" stroke=\"#999\" "
                     "stroke-width=\"0.5\"><title>{:.3f}</title></rect>\n",
                     x, y, square, square, colourOf(std::clamp(value / largest, 0.0, 1.0)), value);
}

std::string espalier::rt::renderSvg(const std::string &title, const std::vector<MatrixSeries> &series) {
  std::vector<int64_t> epochs = chooseEpochs(series);
  double largest = 0;
  size_t mostColumns = 1, longestName = 0;
  std::vector<double> heights;
  for (const MatrixSeries &one : series) {
    size_t mostRows = 1;
    for (const auto &[epoch, matrix] : one.byEpoch) {
      mostRows = std::max(mostRows, matrix.size());
      for (const std::vector<double> &row : matrix) {
        mostColumns = std::max(mostColumns, row.size());
        for (double value : row)
          largest = std::isfinite(value) ? std::max(largest, value) : largest;
      }
    }
    heights.push_back(square * static_cast<double>(mostRows) + gap);
    longestName = std::max(longestName, one.name.size());
  }
  if (largest == 0)
    largest = 1;
  // Letters of 12 pixels are 7 wide on average.
  double left = margin + 7 * static_cast<double>(std::clamp<size_t>(longestName, 10, 80)) + gap;
  double step = std::max(square * static_cast<double>(mostColumns), 28.0) + gap;
  double width = std::max(left + step * static_cast<double>(epochs.size()) + margin, left + 200), height = top + 40;
  for (double one : heights)
    height += one;

  std::string image = svg::open(width, height);
  image += svg::text(width / 2, 20, "middle", title, " font-weight=\"bold\"");
  for (size_t i = 0; i < epochs.size(); ++i)
    image += svg::text(left + step * static_cast<double>(i), top - 10, "start", fmt::format("{}", epochs[i]));
  image += svg::text(left - gap, top - 10, "end", "epoch");
  double y = top;
  for (size_t i = 0; i < series.size(); ++i) {
    image += svg::text(left - gap, y + (heights[i] - gap) / 2 + 4, "end", series[i].name);
    for (size_t column = 0; column < epochs.size(); ++column) {
      auto found = series[i].byEpoch.find(epochs[column]);
      if (found == series[i].byEpoch.end())
        continue;
      for (size_t r = 0; r < found->second.size(); ++r)
        for (size_t c = 0; c < found->second[r].size(); ++c)
          image += renderSquare(left + step * static_cast<double>(column) + square * static_cast<double>(c),
                                y + square * static_cast<double>(r), found->second[r][c], largest);
    }
    y += heights[i];
  }
  double x = left;
  for (double share : std::array{0.0, 0.5, 1.0}) {
    image += renderSquare(x, y + 8, share * largest, largest);
    image += svg::text(x + square + 5, y + 19, "start", fmt::format("{:.2f}", share * largest));
    x += 64;
  }
  return image + "</svg>\n";
}
