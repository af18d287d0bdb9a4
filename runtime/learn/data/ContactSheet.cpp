//===- ContactSheet.cpp - A picture of what a net sees --------------------===//

#include "espalier/Runtime/Data/ContactSheet.h"

#include <algorithm>
#include <cmath>

using namespace espalier::rt;

static constexpr int64_t gap = 2;
static constexpr uint8_t background = 128;

/// Copies normalised values into the sheet as pixels, each `zoom` x `zoom` times.
static void paint(Image &sheet, int64_t top, int64_t left, Span<const float> values, const View &view, int64_t zoom) {
  const ImageShape &shape = view.shape();
  const Normalisation &normalisation = view.normalisation();
  for (int64_t y = 0; y < shape.height * zoom; ++y)
    for (int64_t x = 0; x < shape.width * zoom; ++x)
      for (int64_t c = 0; c < sheet.channels; ++c) {
        size_t channel = static_cast<size_t>(c);
        size_t place = static_cast<size_t>((c * shape.height + y / zoom) * shape.width + x / zoom);
        double pixel = 255 * (values[place] * normalisation.deviation[channel] + normalisation.mean[channel]);
        sheet.pixels[static_cast<size_t>(((top + y) * sheet.width + left + x) * sheet.channels + c)] =
            static_cast<uint8_t>(std::lround(std::clamp(pixel, 0.0, 255.0)));
      }
}

Expected<Image> espalier::rt::contactSheet(const Dataset &dataset, const View &view, const ViewKey &key,
                                           const ContactSheetOptions &options) {
  if (dataset.kind() != SampleKind::Image)
    return unsupported("a contact sheet expects images, but the data set has {} features", dataset.shape().channels);
  const ImageShape &shape = view.shape();
  int64_t rows = std::min(static_cast<int64_t>(dataset.classNames().size()), options.maxRows);
  int64_t zoom = std::max<int64_t>(options.minSide / std::min(shape.height, shape.width), 1);
  int64_t cellHeight = shape.height * zoom + gap, cellWidth = shape.width * zoom + gap;
  Image sheet{rows * cellHeight + gap, options.columns * cellWidth + gap, shape.channels, {}};
  if (sheet.height > maxImagePixels / sheet.width)
    return invalidInput("a contact sheet of {} rows of {} images of {} exceeds the limit of {} pixels", rows,
                        options.columns, formatShape(shape), maxImagePixels);
  sheet.pixels.assign(static_cast<size_t>(sheet.height * sheet.width * sheet.channels), background);

  std::vector<int64_t> filled(static_cast<size_t>(rows)); ///< columns of each row
  int64_t rowsLeft = rows;
  std::vector<float> values(static_cast<size_t>(shape.numElements()));
  View::Scratch scratch;
  for (int64_t i = 0; i < dataset.size() && rowsLeft > 0; ++i) {
    int64_t row = dataset.label(i);
    if (row >= rows || filled[static_cast<size_t>(row)] == options.columns)
      continue;
    if (Status status = view.read(dataset, i, key, values, {}, scratch); !status.ok())
      return status;
    int64_t column = filled[static_cast<size_t>(row)]++;
    rowsLeft -= column + 1 == options.columns;
    paint(sheet, row * cellHeight + gap, column * cellWidth + gap, values, view, zoom);
  }
  return sheet;
}
