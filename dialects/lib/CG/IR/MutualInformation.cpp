//===- MutualInformation.cpp - dependence of neighbouring pixels ----------===//

#include "TensorSupport.h"

#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Dialect/CG/IR/Window.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// Shape and cost
//===----------------------------------------------------------------------===//

static std::array<int64_t, 2> dilationOf(std::optional<ArrayRef<int64_t>> dilations, unsigned image) {
  if (!dilations)
    return {1, 1};
  return {(*dilations)[2 * image], (*dilations)[2 * image + 1]};
}

std::array<int64_t, 2> MutualInformationOp::getDilation(unsigned index) { return dilationOf(getDilations(), index); }

LogicalResult MutualInformationOp::inferShapes(Adaptor adaptor, ShapeContext &shapes,
                                               SmallVectorImpl<TensorShape> &results) {
  ArrayRef<int64_t> window = adaptor.getWindow();
  if (window.size() != 2 ||
      llvm::any_of(window, [](int64_t k) { return k < 1 || k % 2 == 0; })) // mutual_information_c1
    return shapes.error("expects 'window' to be 2 odd integers of at least 1, but got ", listText(window));
  ValueRange images = adaptor.getImages();
  std::optional<ArrayRef<int64_t>> dilations = adaptor.getDilations();
  if (failed(checkEntries("dilations", dilations, 2 * images.size(), 1, shapes))) // mutual_information_c2
    return failure();
  if (images.empty()) // mutual_information_c3
    return shapes.error("expects at least 1 image, but got 0");
  DimExpr channels = shapes[images.front()].rank() == 4 ? shapes[images.front()].dims[1] : DimExpr();
  for (auto [index, image] : llvm::enumerate(images)) {
    const TensorShape &shape = shapes[image];
    // Type inference runs before the operand constraints are checked.
    if (shape.rank() != 4 || shape.elementType != shapes[images.front()].elementType ||
        shapes.conflict(shape.dims[1], channels)) // mutual_information_c3
      return shapes.error("expects images of one element type with equal channels, but got ", shapes[images.front()],
                          " and ", shape);
    channels = shapes.merge(channels, shape.dims[1]);
    for (unsigned dim : {0u, 1u}) {
      DimExpr reach = DimExpr(dilationOf(dilations, index)[dim]) * DimExpr(window[dim] / 2);
      DimExpr slack = shape.dims[2 + dim] - reach;
      if (slack.isOverflow() || slack.getConstant().value_or(1) < 1) // mutual_information_c4
        return shapes.error("expects images that reach further than half the window (", reach, " along dimension ",
                            2 + dim, "), but got ", shape);
    }
  }
  results.push_back({Float64Type::get(adaptor.getWindowAttr().getContext()), {channels, window[0], window[1]}});
  return success();
}

/// A difference, a product, a quotient and a rounding for each of the two pixels of a pair; what is computed of the
/// histograms is small beside it.
OpCost MutualInformationOp::getCost(ShapeContext &shapes) {
  OpCost cost = movementCost(*this, shapes);
  for (auto [index, image] : llvm::enumerate(getImages())) {
    const TensorShape &shape = shapes[image];
    // Over all offsets of the window, the centre and both directions included.
    DimExpr both = shape.dims[0] * shape.dims[1], centre = both;
    for (unsigned dim : {0u, 1u}) {
      const DimExpr &extent = shape.dims[2 + dim];
      int64_t half = getWindow()[dim] / 2;
      both *= extent * DimExpr(2 * half + 1) - DimExpr(getDilation(index)[dim]) * DimExpr(half) * DimExpr(half + 1);
      centre *= extent;
    }
    cost.flops += DimExpr(4) * (both - centre);
  }
  return cost;
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

namespace {

using Pair = std::pair<double, double>;

/// A variable's bins: `count` of one width from its least to its largest value.
struct Bins {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  int64_t count = 1;

  void include(double value) {
    low = std::min(low, value);
    high = std::isnan(value) ? value : std::max(high, value);
  }
  bool isFinite() const { return std::isfinite(high - low); }
  int64_t operator()(double value) const {
    double width = high - low;
    double place = static_cast<double>(count) * (value - low) / (width == 0.0 ? 1.0 : width);
    return static_cast<int64_t>(std::min(place, static_cast<double>(count - 1)));
  }
};

/// In natural units.
double entropy(ArrayRef<double> counts, double total) {
  double sum = 0.0;
  for (double count : counts)
    if (count != 0.0)
      sum -= count / total * std::log(count / total);
  return sum;
}

/// I(a; b) / H(a, b) of the pairs; with `removeDiagonal`, those without a zero.
double dependence(std::vector<Pair> pairs, bool removeDiagonal) {
  if (removeDiagonal)
    llvm::erase_if(pairs, [](const Pair &pair) { return pair.first == 0.0 || pair.second == 0.0; });
  double nothing = removeDiagonal ? 0.0 : std::numeric_limits<double>::quiet_NaN();
  if (pairs.empty())
    return nothing;
  Bins rows, columns;
  for (auto [a, b] : pairs) {
    rows.include(a);
    columns.include(b);
  }
  if (!rows.isFinite() || !columns.isFinite())
    return std::numeric_limits<double>::quiet_NaN();
  auto count = static_cast<int64_t>(1 + llvm::Log2_64_Ceil(pairs.size()));
  rows.count = columns.count = count;
  std::vector<double> joint(count * count, 0.0), first(count, 0.0), second(count, 0.0);
  for (auto [a, b] : pairs)
    joint[rows(a) * count + columns(b)] += 1.0;
  double total = 0.0;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < count; ++j) {
      double &cell = joint[i * count + j];
      if (removeDiagonal && i == j)
        cell = 0.0;
      first[i] += cell;
      second[j] += cell;
      total += cell;
    }
  double both = entropy(joint, total);
  double result = (entropy(first, total) + entropy(second, total) - both) / both;
  return std::isnan(result) ? nothing : result;
}

} // namespace

LogicalResult MutualInformationOp::evaluate(ArrayRef<const ReferenceTensor *> operands,
                                            MutableArrayRef<ReferenceTensor> results) {
  ReferenceTensor &result = results[0];
  int64_t height = getWindow()[0], width = getWindow()[1], centre = getNumOffsets();
  for (int64_t channel = 0; channel < result.shape()[0]; ++channel) {
    double *values = result.data.data() + channel * height * width;
    values[centre] = 1.0;
    for (int64_t offset = 1; offset <= getNumOffsets(); ++offset) {
      std::vector<Pair> pairs;
      for (auto [index, image] : llvm::enumerate(operands)) {
        std::array<int64_t, 2> dilation = getDilation(index);
        int64_t down = dilation[0] * ((centre + offset) / width - height / 2);
        int64_t right = dilation[1] * ((centre + offset) % width - width / 2);
        int64_t rows = image->shape()[2], columns = image->shape()[3];
        for (int64_t n = 0; n < image->shape()[0]; ++n)
          for (int64_t i = 0; i + down < rows; ++i)
            for (int64_t j = std::max<int64_t>(0, -right); j + std::max<int64_t>(0, right) < columns; ++j)
              pairs.emplace_back(image->data[offsetOf({n, channel, i, j}, image->shape())],
                                 image->data[offsetOf({n, channel, i + down, j + right}, image->shape())]);
      }
      values[centre + offset] = values[centre - offset] = dependence(std::move(pairs), getRemoveDiagonal());
    }
  }
  return success();
}
