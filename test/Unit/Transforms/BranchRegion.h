//===- BranchRegion.h - random regions of branches --------------*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_TRANSFORMS_BRANCHREGION_H
#define ESPALIER_TEST_UNIT_TRANSFORMS_BRANCHREGION_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/BuiltinOps.h"

#include <array>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace espalier::cg::test {

/// What a region does to the positions along one axis: an image of H rows has `floor((H + excess - 1) / stride) + 1`.
struct Sliding {
  int64_t stride = 1, excess = 0;
};

/// A sub-graph that is affine in one image, as a tree: what a shrinker can cut.
struct RegionNode {
  enum Kind {
    Identity, // the image itself
    Conv,
    AvgPool,
    Pad,
    Crop,
    BatchNorm,
    ScaleVector,
    ScaleNumber,
    Divide,
    Bias,
    Subtract,     // a vector from the image
    SubtractFrom, // the image from a vector
    Negate,
    PadBiased, // pad(y - b) + b behind a batch norm without any other bias
    Chain,     // one child after another
    Sum,       // children of one image
    Difference,
    Concat,      // features side by side
    SplitConcat, // each child reads its part of the channels
  };
  Kind kind = Identity;
  int64_t features = 0, groups = 1;
  bool isSwapped = false; // operands of what commutes in the less usual order
  std::array<int64_t, 2> kernel = {1, 1}, strides = {1, 1}, dilations = {1, 1};
  std::array<int64_t, 4> pads = {0, 0, 0, 0};
  std::vector<RegionNode> children;
};

/// A tree, the image it reads, and what is around it.
struct RegionCase {
  RegionNode root;
  int64_t batch = 1, channels = 1;
  std::array<int64_t, 2> size = {5, 5};
  bool isDynamic = false;     // are the extents of the image unknown when the graph is compiled?
  bool isFunction = false;    // a func.func instead of a graph
  bool sharesFilters = false; // convolutions of equal shape have one filter
  /// The value inside, in order of creation, that is a second result.
  std::optional<int64_t> kept;
};

/// Draws a legal case.
RegionCase drawRegion(std::mt19937_64 &random);

/// What a region is built for.
enum class RegionUse {
  Value, // the result, and the value that is kept
  Loss,  // of the argument plus the parameter "offset": the sum of the squares of both results
};

/// The graph or function `@net` that computes the region, in `element`; null where the tree is no legal region any
/// more, as a shrinker may make one.
mlir::OwningOpRef<mlir::ModuleOp> buildRegion(mlir::MLIRContext &context, const RegionCase &region, mlir::Type element,
                                              RegionUse use = RegionUse::Value);

/// Smaller cases, one cut each.
std::vector<RegionCase> cutRegion(const RegionCase &region);

} // namespace espalier::cg::test

#endif // ESPALIER_TEST_UNIT_TRANSFORMS_BRANCHREGION_H
