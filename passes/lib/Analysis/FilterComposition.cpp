//===- FilterComposition.cpp - filters composed, part by part -------------===//

#include "MatrixProduct.h"
#include "WeightStream.h"

#include "espalier/Dialect/CG/IR/Window.h"

using namespace espalier;
using namespace espalier::cg;
using llvm::ArrayRef;
using llvm::MutableArrayRef;

using Indices = llvm::SmallVector<int64_t, 0>;

static Indices multiples(int64_t count, int64_t step) {
  Indices entries(static_cast<size_t>(count));
  for (auto [i, entry] : llvm::enumerate(entries))
    entry = static_cast<int64_t>(i) * step;
  return entries;
}

namespace {

/// One tap of the inner filter: it meets positions of the outer filter, and of the result.
struct Tap {
  llvm::SmallVector<std::pair<int64_t, int64_t>, 0> positions;
  std::vector<PackedMatrix> packed; // by group, where products are large
};

/// Units are images of the result; where there is only one, its groups of channels.
class CompositionStream final : public WeightStream {
public:
  struct Shape {
    int64_t images, groups, groupMiddle, channels, outerArea, area;

    bool isByGroup() const { return images == 1; }
    /// Elements of a unit, of the result and of the outer filter.
    int64_t unit() const { return (isByGroup() ? 1 : groups) * channels * area; }
    int64_t outerUnit() const { return (isByGroup() ? 1 : groups) * groupMiddle * outerArea; }
  };

  CompositionStream(Shape shape, StreamPtr outer, StreamPtr inner, std::vector<Tap> taps)
      : WeightStream(shape.images * shape.groups * shape.channels * shape.area,
                     std::max<int64_t>(1, shape.unit()) * countUnits(*outer, shape.outerUnit()),
                     std::max(outer->cost(), 1 + shape.groupMiddle / 16), outer->depth() + 1),
        shape(shape), outer(std::move(outer)), inner(std::move(inner)), taps(std::move(taps)),
        outerColumns(multiples(shape.groupMiddle, shape.outerArea)),
        resultColumns(multiples(shape.channels, shape.area)) {}

  void fill(int64_t begin, MutableArrayRef<double> part) const override;

private:
  Shape shape;
  StreamPtr outer, inner;
  std::vector<Tap> taps;
  Indices outerColumns, resultColumns;
};

} // namespace

void CompositionStream::fill(int64_t begin, MutableArrayRef<double> part) const {
  int64_t first = begin / shape.unit(), units = static_cast<int64_t>(part.size()) / shape.unit();
  StreamPart filters(*outer, first * shape.outerUnit(), units * shape.outerUnit());
  llvm::fill(part, 0.0);
  int64_t numGroups = shape.isByGroup() ? units : shape.groups, numImages = shape.isByGroup() ? 1 : units;
  for (auto [numTap, tap] : llvm::enumerate(taps)) {
    Indices outerRows, resultRows;
    for (int64_t image = 0; image < numImages; ++image)
      for (auto [from, to] : tap.positions) {
        outerRows.push_back(image * shape.outerUnit() + from);
        resultRows.push_back(image * shape.unit() + to);
      }
    for (int64_t i = 0; i < numGroups; ++i) {
      int64_t group = shape.isByGroup() ? first + i : i;
      const double *lhs = filters.data() + i * shape.groupMiddle * shape.outerArea;
      double *sums = part.data() + i * shape.channels * shape.area;
      if (!tap.packed.empty()) {
        multiplyAdd({sums, resultRows, resultColumns}, {lhs, outerRows, outerColumns},
                    tap.packed[static_cast<size_t>(group)]);
        continue;
      }
      auto numTaps = static_cast<int64_t>(taps.size());
      const double *rhs =
          inner->stored() + group * shape.groupMiddle * shape.channels * numTaps + static_cast<int64_t>(numTap);
      for (int64_t column : outerColumns)
        for (int64_t resultColumn : resultColumns) {
          double factor = *rhs;
          for (auto [outerRow, resultRow] : llvm::zip_equal(outerRows, resultRows))
            sums[resultRow + resultColumn] += lhs[outerRow + column] * factor;
          rhs += numTaps;
        }
    }
  }
}

StreamPtr espalier::cg::createCompositionStream(Conv2dInputGradientOp op, StreamPtr outer, StreamPtr inner) {
  auto shapeOf = [](mlir::Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape(); };
  ArrayRef<int64_t> result = shapeOf(op.getResult()), outerShape = shapeOf(op->getOperand(0)),
                    innerShape = shapeOf(op->getOperand(1));
  WindowAttrs window = op.getWindow();
  int64_t kernelHeight = innerShape[2], kernelWidth = innerShape[3];
  CompositionStream::Shape shape{result[0],
                                 window.groups,
                                 outerShape[1] / window.groups,
                                 innerShape[1],
                                 outerShape[2] * outerShape[3],
                                 result[2] * result[3]};
  // Packing pays where each element is used often.
  constexpr int64_t usedOften = 16;
  bool isLarge = shape.groupMiddle >= usedOften && shape.channels >= usedOften;
  int64_t numTaps = kernelHeight * kernelWidth;
  Indices innerRows = multiples(shape.groupMiddle, shape.channels * numTaps);
  Indices innerColumns = multiples(shape.channels, numTaps);
  std::vector<Tap> taps(static_cast<size_t>(numTaps));
  for (auto [i, tap] : llvm::enumerate(taps)) {
    auto number = static_cast<int64_t>(i);
    for (int64_t row = 0; row < outerShape[2]; ++row)
      for (int64_t column = 0; column < outerShape[3]; ++column) {
        int64_t y = row * window.strides[0] - window.pads[0] + number / kernelWidth * window.dilations[0];
        int64_t x = column * window.strides[1] - window.pads[1] + number % kernelWidth * window.dilations[1];
        if (y >= 0 && y < result[2] && x >= 0 && x < result[3])
          tap.positions.push_back({row * outerShape[3] + column, y * result[3] + x});
      }
    for (int64_t group = 0; isLarge && group < window.groups; ++group)
      tap.packed.emplace_back(ScatteredMatrix<const double>{
          inner->stored() + group * shape.groupMiddle * shape.channels * numTaps + number, innerRows, innerColumns});
  }
  if (isLarge)
    inner = nullptr;
  return std::make_shared<CompositionStream>(shape, std::move(outer), std::move(inner), std::move(taps));
}
