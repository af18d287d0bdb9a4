//===- ConvMap.h - convolutions as values of an algebra ---------*- C++ -*-===//
//
// What a sub-graph that is affine in one image computes, written as one convolution, and how such maps compose, add up
// and stand side by side. Filters and biases are expressions of parameters: ops, never numbers.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_TRANSFORMS_CONVMAP_H
#define ESPALIER_TRANSFORMS_CONVMAP_H

#include "espalier/Dialect/CG/IR/CGOps.h"

#include <array>
#include <optional>
#include <string>

namespace espalier::cg {

/// One dimension of a window that slides over an image which is zero beyond its borders: position p reads rows
/// `stride * p - low + dilation * r` for r in [0, kernel). A negative pad leaves rows of the image out.
struct WindowAxis {
  int64_t kernel = 1, stride = 1, dilation = 1, low = 0, high = 0;

  int64_t reach() const { return dilation * (kernel - 1); }
  /// An image of H rows has `floor((H + excess - 1) / stride) + 1` positions.
  int64_t excess() const { return low + high - reach(); }
  bool operator==(const WindowAxis &other) const {
    return kernel == other.kernel && stride == other.stride && dilation == other.dilation && low == other.low &&
           high == other.high;
  }
};

/// `y[o] = bias[o] + sum over i and r of filter[o, i, r] * x[first + (group of o) * channels / groups + i, window]`.
struct ConvMap {
  /// The channels that are read: [first, first + channels).
  int64_t first = 0, channels = 0;
  int64_t features = 0, groups = 1;
  std::array<WindowAxis, 2> axes;
  /// [features, channels / groups, kernel height, kernel width]. Null stands for ones, in maps that are `isDiagonal`.
  mlir::Value filter;
  /// [features]; null stands for zeros.
  mlir::Value bias;

  /// Does each feature read one channel, the one at its own place, at one position?
  bool isDiagonal() const {
    return groups == channels && groups == features && axes[0].kernel == 1 && axes[1].kernel == 1;
  }
  /// Elements of the filter.
  int64_t filterSize() const { return features * (channels / groups) * axes[0].kernel * axes[1].kernel; }
  std::array<int64_t, 4> filterShape() const { return {features, channels / groups, axes[0].kernel, axes[1].kernel}; }
};

/// A convolution as the map of its input; nothing where its filter has unknown extents, or its window passes the
/// limits, within which sums and products cannot overflow.
std::optional<ConvMap> mapOf(Conv2dOp conv);

/// Sets how a window of `kernel` taps slides; false beyond the limits.
bool setWindow(ConvMap &map, const WindowAttrs &window, llvm::ArrayRef<int64_t> kernel);

/// Do the windows of two maps over one image have equally many positions? `sizes` are the positions along each axis of
/// what they give, where known.
bool haveSamePositions(const ConvMap &lhs, const ConvMap &rhs, std::array<std::optional<int64_t>, 2> sizes);

/// The geometry, without filter and bias, of the smallest map that two maps of equally many positions and features can
/// be written as; nothing where it passes the limits.
std::optional<ConvMap> uniteGeometry(const ConvMap &lhs, const ConvMap &rhs);

/// Builds maps, and the ops that compute their filters and biases, at `builder`'s insertion point. Source of the rules:
/// Ding et al., "Diverse Branch Block" (arXiv:2103.13425), transforms I to VI, generalised to any stride, dilation,
/// group count and padding. What fails leaves its reason in `getReason`.
class ConvAlgebra {
public:
  /// Extents, pads, strides and dilations beyond this are refused.
  static constexpr int64_t maxExtent = 1 << 16;
  /// Elements of a filter beyond this are refused.
  static constexpr int64_t maxFilterSize = int64_t(1) << 31;

  /// In `training`, what depends on the mode is taken as training does.
  ConvAlgebra(mlir::OpBuilder &builder, mlir::Type elementType, bool training)
      : builder(builder), elementType(elementType), training(training), loc(builder.getUnknownLoc()) {}

  void setLocation(mlir::Location location) { loc = location; }
  mlir::Type getElementType() const { return elementType; }
  bool isTraining() const { return training; }
  llvm::StringRef getReason() const { return reason; }
  llvm::LogicalResult refuse(const llvm::Twine &why) {
    reason = why.str();
    return llvm::failure();
  }

  static ConvMap identity(int64_t channels);

  /// \name Maps from maps
  /// @{
  /// First `inner`, then `outer`, which reads the features of `inner`. Refused where `outer` pads what `inner` gives
  /// with zeros that `inner` would not give there itself.
  llvm::FailureOr<ConvMap> compose(const ConvMap &outer, const ConvMap &inner);
  /// The sum of maps of equal features over one image; `sizes` as in `haveSamePositions`.
  llvm::FailureOr<ConvMap> add(llvm::ArrayRef<ConvMap> maps, std::array<std::optional<int64_t>, 2> sizes);
  /// Features side by side.
  llvm::FailureOr<ConvMap> concat(llvm::ArrayRef<ConvMap> maps, std::array<std::optional<int64_t>, 2> sizes);
  /// Features [first, first + count).
  llvm::FailureOr<ConvMap> selectFeatures(const ConvMap &map, int64_t first, int64_t count);
  /// @}

  /// \name Maps with vectors over the features
  /// @{
  ConvMap scale(ConvMap map, mlir::Value vector);
  ConvMap divide(ConvMap map, mlir::Value vector);
  ConvMap negate(ConvMap map);
  ConvMap addConstant(ConvMap map, mlir::Value vector);
  /// Batch normalisation with given statistics: `(y - mean) * (scale * rsqrt(variance + epsilon)) + shift`.
  ConvMap normalise(ConvMap map, mlir::Value scale, mlir::Value shift, mlir::Value mean, mlir::Value variance,
                    double epsilon);
  /// Where the bias is this very vector, equal as an expression, none is left.
  ConvMap subtractConstant(ConvMap map, mlir::Value vector);
  /// @}

  /// `value`, which is to broadcast along an image of `channels` channels, as a vector over them; refused where it
  /// changes with the position or the sample.
  llvm::FailureOr<mlir::Value> asVector(mlir::Value value, int64_t channels);

  /// A filter of `shape`, each element `number`.
  mlir::Value constant(llvm::ArrayRef<int64_t> shape, double number);

  /// A vector of these numbers.
  mlir::Value literal(llvm::ArrayRef<double> numbers);

  /// The filter, also of a map that holds none.
  mlir::Value getFilter(const ConvMap &map);

  /// Makes `map` of `source` with ops: a slice and crops where it reads a part, a convolution, a bias.
  mlir::Value apply(const ConvMap &map, mlir::Value source);
  /// How many ops `apply` makes that read images.
  static int64_t countImageOps(const ConvMap &map, int64_t sourceChannels);

private:
  template <typename OpT, typename... Args> mlir::Value make(Args &&...args) {
    return OpT::create(builder, loc, std::forward<Args>(args)...).getResult();
  }
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  mlir::Value slice(mlir::Value value, int64_t axis, int64_t start, int64_t end);
  mlir::Value spreadGroups(mlir::Value filter, int64_t from, int64_t to);
  mlir::Value placeFilter(const ConvMap &map, const ConvMap &target);
  mlir::Value composeFilters(const ConvMap &outer, const ConvMap &inner, const ConvMap &result);
  mlir::Value biasThrough(const ConvMap &outer, mlir::Value bias);
  llvm::LogicalResult checkLimits(const ConvMap &map);

  mlir::OpBuilder &builder;
  mlir::Type elementType;
  bool training;
  mlir::Location loc;
  std::string reason;
};

/// Are two values the same expression: equal ops with equal attributes on equal operands, parameters by path? False
/// also where the expressions are large.
bool isSameExpression(mlir::Value lhs, mlir::Value rhs);

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_CONVMAP_H
