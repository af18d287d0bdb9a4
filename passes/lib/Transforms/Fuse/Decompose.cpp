//===- Decompose.cpp - composite ops into what kernels fuse ---------------===//

#include "espalier/Transforms/FusePasses.h"

#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Conversion/CGToPlan/Lowering.h"
#include "espalier/Dialect/CG/IR/Elementwise.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_DECOMPOSE
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

/// A reduction over fewer elements is not split into two.
static constexpr int64_t minSplitElements = 16384;
/// Elements that each part of a split reduction sums up, at least.
static constexpr int64_t minElementsOfPart = 16;
/// Elements that each step of such a part sums up, at least.
static constexpr int64_t minElementsOfStep = 8;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {

/// Ops at one place.
struct Emitter {
  OpBuilder &builder;
  Location loc;

  Value add(Value a, Value b) { return AddOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) { return SubOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) { return MulOp::create(builder, loc, a, b); }
  Value div(Value a, Value b) { return DivOp::create(builder, loc, a, b); }
  Value number(Value like, double value) { return createScalar(builder, loc, like, value); }
  Value reshape(Value value, ArrayRef<int64_t> shape) {
    return getTensorType(value).getShape() == shape ? value : ReshapeOp::create(builder, loc, value, shape).getResult();
  }
  /// A vector over dimension 1 of a tensor of this rank, shaped so that it broadcasts.
  Value spread(Value vector, int64_t rank) {
    SmallVector<int64_t> shape(rank - 1, 1);
    shape[0] = getTensorType(vector).getDimSize(0);
    return reshape(vector, shape);
  }
  Value castTo(Value value, Type element) { return espalier::cg::castTo(builder, loc, value, element); }
  /// The first of `value`, in memory or as a cast of what is in memory: a view of a cast would need the cast there.
  Value first(Value value, int64_t axis) {
    if (auto inner = value.getDefiningOp<CastOp>())
      return castTo(slice(inner.getInput(), axis), getTensorType(value).getElementType());
    return slice(value, axis);
  }
  Value slice(Value value, int64_t axis) {
    return SliceOp::create(builder, loc, value, axis, /*start=*/0, /*end=*/1, /*stride=*/1);
  }

  /// A sum, or maximum, without `keep_dims`, over sorted axes. A kernel adds up one element after the other, and the
  /// rounding error of that grows with their number: a long sum is a sum of shorter ones, innermost first.
  template <typename ReduceOp> Value reduceInSteps(Value value, ArrayRef<int64_t> axes) {
    while (!axes.empty()) {
      size_t count = std::is_same_v<ReduceOp, ReduceMaxOp> ? axes.size() : 0;
      for (int64_t part = 1; count < axes.size() && part < minElementsOfStep; ++count)
        part *= getTensorType(value).getDimSize(axes[axes.size() - 1 - count]);
      value = ReduceOp::create(builder, loc, value, axes.take_back(count), /*keep_dims=*/false);
      axes = axes.drop_back(count);
    }
    return value;
  }

  /// A sum, or maximum, without `keep_dims`. Over the batch it is taken in two steps.
  template <typename ReduceOp> Value reduce(Value value, ArrayRef<int64_t> axes) {
    RankedTensorType type = getTensorType(value);
    SmallVector<int64_t> sorted(axes);
    llvm::sort(sorted);
    // The outermost dimension that is not 1, when it is reduced: its elements are the parts.
    int64_t outer = 0;
    while (outer < type.getRank() && type.getDimSize(outer) == 1)
      ++outer;
    SmallVector<int64_t> inner;
    int64_t part = 1;
    for (int64_t axis : sorted)
      if (axis != outer) {
        inner.push_back(axis);
        part *= type.getDimSize(axis);
      }
    bool isSplit =
        inner.size() != sorted.size() && type.getNumElements() >= minSplitElements && part >= minElementsOfPart;
    if (!isSplit)
      return ReduceOp::create(builder, loc, value, sorted, /*keep_dims=*/false);
    Value parts = reduceInSteps<ReduceOp>(value, inner);
    int64_t place = outer - llvm::count_if(inner, [&](int64_t axis) { return axis < outer; });
    return ReduceOp::create(builder, loc, parts, place, /*keep_dims=*/false);
  }

  /// The shape after reduction with `keep_dims`.
  Value keepDims(Value reduced, RankedTensorType from, ArrayRef<int64_t> axes) {
    SmallVector<int64_t> shape(from.getShape());
    for (int64_t axis : axes)
      shape[axis] = 1;
    return reshape(reduced, shape);
  }
};

double countElements(RankedTensorType type, ArrayRef<int64_t> axes) {
  double count = 1.0;
  for (int64_t axis : axes)
    count *= static_cast<double>(type.getDimSize(axis));
  return count;
}

struct Decompose final : espalier::cg::impl::DecomposeBase<Decompose> {
  using Base::Base;

  void runOnOperation() override {
    GraphOp graph = getOperation();
    for (Type type : graph.getArgumentTypes())
      if (!cast<RankedTensorType>(type).hasStaticShape()) {
        graph.emitOpError("expects static shapes, but got an argument of type ") << type;
        return signalPassFailure();
      }
    weights = foldScales ? findWeightValues(graph) : llvm::DenseSet<Value>();
    for (Operation &op : llvm::make_early_inc_range(graph.getBody().front().without_terminator()))
      decompose(op);
  }

private:
  void decompose(Operation &op) {
    OpBuilder builder(&op);
    Emitter e{builder, op.getLoc()};
    for (OpOperand *like : findShapeOperands(op))
      severFromValue(*like, builder);

    SmallVector<Value> results;
    if (auto mean = dyn_cast<ReduceMeanOp>(op)) {
      results = {decomposeMean(e, mean)};
    } else if (auto sum = dyn_cast<ReduceSumOp>(op)) {
      Value value = e.reduce<ReduceSumOp>(sum.getInput(), sum.getAxes());
      results = {sum.getKeepDims() ? e.keepDims(value, getTensorType(sum.getInput()), sum.getAxes()) : value};
    } else if (auto max = dyn_cast<ReduceMaxOp>(op)) {
      Value value = e.reduce<ReduceMaxOp>(max.getInput(), max.getAxes());
      results = {max.getKeepDims() ? e.keepDims(value, getTensorType(max.getInput()), max.getAxes()) : value};
    } else if (isa<SoftmaxOp, LogSoftmaxOp>(op)) {
      results = {decomposeSoftmax(e, op)};
    } else if (auto norm = dyn_cast<BatchNormInferenceOp>(op)) {
      results = {decomposeInference(e, norm)};
    } else if (auto norm = dyn_cast<BatchNormTrainingOp>(op)) {
      results = decomposeTraining(e, norm);
    } else if (auto reshape = dyn_cast<ReshapeLikeOp>(op)) {
      results = {e.reshape(reshape.getInput(), getTensorType(reshape.getResult()).getShape())};
    } else if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      results = {e.reshape(reshape.getInput(), getTensorType(reshape.getResult()).getShape())};
    } else if (auto gradient = dyn_cast<ConcatGradientOp>(op)) {
      auto [start, end] = *gradient.getSliceBounds(); // extents are static
      results = {SliceOp::create(builder, op.getLoc(), gradient.getCotangent(), gradient.getAxis(), start, end,
                                 /*stride=*/1)};
    } else if (auto extent = dyn_cast<ExtentOp>(op)) {
      results = {e.number(extent.getResult(), countElements(getTensorType(extent.getInput()), extent.getAxes()))};
    } else if (isContraction(&op) && !hasNarrowCandidate(op)) {
      results = {computeWide(e, op)};
    } else if (auto matmul = dyn_cast<MatmulOp>(op)) {
      results = {flattenBatches(e, matmul)};
    } else {
      return;
    }
    if (results[0] == op.getResult(0))
      return;
    // Reports still ask where the parts came from.
    if (Attribute scope = op.getAttr("cg.scope"))
      for (Operation *part = op.getPrevNode(); part && part->getLoc() == op.getLoc() && !part->hasAttr("cg.scope");
           part = part->getPrevNode())
        part->setAttr("cg.scope", scope);
    bool isWeight = llvm::all_of(op.getResults(), [&](Value result) { return weights.contains(result); });
    if (isWeight)
      weights.insert(results.begin(), results.end());
    op.replaceAllUsesWith(results);
    op.erase();
  }

  /// Operands whose extents alone are read.
  static SmallVector<OpOperand *, 1> findShapeOperands(Operation &op) {
    if (isa<BroadcastLikeOp, SliceGradientOp, AvgPool2dGradientOp, AdaptiveAvgPool2dGradientOp, RandomUniformOp,
            RandomNormalOp>(op))
      return {&op.getOpOperand(1)};
    if (isa<Conv2dInputGradientOp, Conv2dFilterGradientOp>(op))
      return {&op.getOpOperand(2)};
    return {};
  }

  static void severFromValue(OpOperand &operand, OpBuilder &builder) {
    RankedTensorType type = getTensorType(operand.get());
    if (operand.get().getDefiningOp<ConstantOp>())
      return;
    auto zero = DenseElementsAttr::get(type, builder.getZeroAttr(type.getElementType()));
    operand.set(ConstantOp::create(builder, operand.getOwner()->getLoc(), zero));
  }

  /// Is there a way to run a contraction that does not sum in bf16 or f16, as loops would, on any processor?
  static bool hasNarrowCandidate(Operation &op) {
    Type element = getTensorType(op.getResult(0)).getElementType();
    return getScalarType(element) == element || llvm::any_of(getCPUCandidates(), [&](const Candidate *candidate) {
             return candidate->getRequiredExtension(&op).empty() && !candidate->whyNotOps({&op});
           });
  }

  /// The contraction in the type that kernels compute in.
  static Value computeWide(Emitter &e, Operation &op) {
    IRMapping mapping;
    for (Value operand : op.getOperands())
      mapping.map(operand, e.castTo(operand, getScalarType(getTensorType(operand).getElementType())));
    Operation *wide = e.builder.clone(op, mapping);
    auto narrow = cast<RankedTensorType>(op.getResult(0).getType());
    wide->getResult(0).setType(narrow.clone(getScalarType(narrow.getElementType())));
    return e.castTo(wide->getResult(0), narrow.getElementType());
  }

  static Value decomposeMean(Emitter &e, ReduceMeanOp mean) {
    RankedTensorType type = getTensorType(mean.getInput());
    Value sum = e.reduce<ReduceSumOp>(mean.getInput(), mean.getAxes());
    Value result = e.div(sum, e.number(sum, countElements(type, mean.getAxes())));
    return mean.getKeepDims() ? e.keepDims(result, type, mean.getAxes()) : result;
  }

  static Value decomposeSoftmax(Emitter &e, Operation &op) {
    Value input = op.getOperand(0);
    int64_t axis = isa<SoftmaxOp>(op) ? cast<SoftmaxOp>(op).getAxis() : cast<LogSoftmaxOp>(op).getAxis();
    RankedTensorType type = getTensorType(input);
    Value largest = e.keepDims(e.reduce<ReduceMaxOp>(input, axis), type, axis);
    Value shifted = e.sub(input, largest);
    Value power = ExpOp::create(e.builder, e.loc, shifted);
    Value sum = e.reduce<ReduceSumOp>(power, axis);
    if (isa<SoftmaxOp>(op))
      return e.div(power, e.keepDims(sum, type, axis));
    Value logarithm = LogOp::create(e.builder, e.loc, sum);
    return e.sub(shifted, e.keepDims(logarithm, type, axis));
  }

  Value decomposeInference(Emitter &e, BatchNormInferenceOp norm) {
    Value input = norm.getInput();
    int64_t rank = getTensorType(input).getRank();
    Value shifted = e.add(norm.getVariance(), e.number(input, norm.getEpsilon().convertToDouble()));
    Value scale = e.mul(norm.getScale(), RsqrtOp::create(e.builder, e.loc, shifted));
    Value shift = e.sub(norm.getShift(), e.mul(norm.getMean(), scale));
    bool isConstant =
        llvm::all_of(norm.getOperands().drop_front(), [&](Value value) { return weights.contains(value); });
    Value product = isConstant ? foldIntoFilter(e, input, scale) : Value();
    return e.add(product ? product : e.mul(input, e.spread(scale, rank)), e.spread(shift, rank));
  }

  /// `conv(x, w) * scale` as `conv(x, w * scale)`, when that is the convolution's only use and the filter is a weight.
  Value foldIntoFilter(Emitter &e, Value image, Value scale) {
    auto conv = image.getDefiningOp<Conv2dOp>();
    if (!conv || !image.hasOneUse() || !weights.contains(conv.getFilter()))
      return nullptr;
    Value factors = e.reshape(scale, {getTensorType(scale).getDimSize(0), 1, 1, 1});
    Value filter = e.mul(conv.getFilter(), factors);
    weights.insert(filter);
    auto clone = cast<Conv2dOp>(e.builder.clone(*conv));
    clone.getFilterMutable().assign(filter);
    return clone.getResult();
  }

  /// By channel, with the rank of the input. As the number that is taken off before squares are summed up, it is near
  /// enough to the mean of the batch that nothing cancels, and reads little.
  static Value meanOfFirstSample(Emitter &e, Value input, ArrayRef<int64_t> axes) {
    Value sample = e.first(input, 0);
    RankedTensorType type = getTensorType(sample);
    Value sum = ReduceSumOp::create(e.builder, e.loc, sample, axes, /*keep_dims=*/false);
    return e.keepDims(e.div(sum, e.number(sum, countElements(type, axes))), type, axes);
  }

  static SmallVector<Value> decomposeTraining(Emitter &e, BatchNormTrainingOp norm) {
    Value input = norm.getInput();
    RankedTensorType type = getTensorType(input);
    int64_t rank = type.getRank();
    SmallVector<int64_t> axes{0};
    llvm::append_range(axes, llvm::seq<int64_t>(2, rank));
    Value count = e.number(input, countElements(type, axes));

    bool hasSamples = type.getNumElements() != 0;
    Value centre = hasSamples ? meanOfFirstSample(e, input, axes) : Value();
    Value distance = hasSamples ? e.sub(input, centre) : input;
    Value meanDistance = e.div(e.reduce<ReduceSumOp>(distance, axes), count);
    Value meanSquare = e.div(e.reduce<ReduceSumOp>(e.mul(distance, distance), axes), count);
    Value raw = e.sub(meanSquare, e.mul(meanDistance, meanDistance));
    Value variance = MaximumOp::create(e.builder, e.loc, raw, e.number(raw, 0.0));
    Value mean = meanDistance;
    if (hasSamples)
      mean = e.add(meanDistance, e.reshape(centre, {type.getDimSize(1)}));

    Value shifted = e.add(variance, e.number(variance, norm.getEpsilon().convertToDouble()));
    Value scale = e.mul(norm.getScale(), RsqrtOp::create(e.builder, e.loc, shifted));
    Value shift = e.sub(norm.getShift(), e.mul(mean, scale));
    Value result = e.add(e.mul(input, e.spread(scale, rank)), e.spread(shift, rank));
    return {result, mean, variance};
  }

  /// Products of higher rank as products of rank 2, where one matrix serves all batches, or rank 3.
  static Value flattenBatches(Emitter &e, MatmulOp matmul) {
    RankedTensorType lhs = getTensorType(matmul.getLhs()), rhs = getTensorType(matmul.getRhs()),
                     result = getTensorType(matmul.getResult());
    int64_t rank = lhs.getRank();
    bool isShared = rhs.getRank() == 2 && rank > 2;
    if ((!isShared && rank <= 3) || (isShared && matmul.getTransposeA()) || result.getNumElements() == 0)
      return matmul.getResult();
    int64_t batches = 1;
    for (int64_t extent : lhs.getShape().drop_back(2))
      batches *= extent;
    auto flatten = [&](Value value, RankedTensorType type) {
      ArrayRef<int64_t> last = type.getShape().take_back(2);
      return isShared ? e.reshape(value, {batches * last[0], last[1]}) : e.reshape(value, {batches, last[0], last[1]});
    };
    Value flat = MatmulOp::create(e.builder, e.loc, flatten(matmul.getLhs(), lhs),
                                  isShared ? matmul.getRhs() : flatten(matmul.getRhs(), rhs), matmul.getTransposeA(),
                                  matmul.getTransposeB(), matmul.getResultTypeAttr());
    return e.reshape(flat, result.getShape());
  }

  llvm::DenseSet<Value> weights;
};

} // namespace
