//===- BranchesToGradientScaling.cpp - one convolution that learns as many -===//

#include "ImageSum.h"
#include "WeightExpressions.h"

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/ConvMap.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_BRANCHESTOGRADIENTSCALING
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

namespace {

/// A summand: a convolution with a trainable filter, times constant factors.
struct ScaledBranch {
  Conv2dOp conv;
  ParameterOp filter;
  /// One for all outputs, or one for each.
  SmallVector<double> factors{1.0};

  double factorOf(int64_t output) const { return factors[factors.size() == 1 ? 0 : output]; }
};

/// A convolution that takes the place of a sum, and the matrix its gradient is multiplied by.
struct Collapsed {
  Value filter;
  DenseElementsAttr matrix;
};

struct BranchesToGradientScaling final : espalier::cg::impl::BranchesToGradientScalingBase<BranchesToGradientScaling> {
  using Base::Base;

  void runOnOperation() override {
    for (GraphOp graph : llvm::to_vector(getOperation().getOps<GraphOp>())) {
      Block &body = graph.getBody().front();
      if (!body.getOps<ParameterGradientOp>().empty()) {
        graph.emitError("expects a graph without gradients: its branches are trained already");
        return signalPassFailure();
      }
      eraseDeadOps(body);
      opsOfPath.clear();
      for (auto parameter : body.getOps<ParameterOp>())
        ++opsOfPath[parameter.getPathAttr()];
      SmallVector<Collapsed> collapsed;
      for (AddOp root : findImageSums(body))
        if (std::optional<Collapsed> result = collapse(root))
          collapsed.push_back(*result);
      eraseDeadOps(body);
      // The initial filters become parameters; other expressions stay as they are.
      WeightExpressions all = findWeightExpressions(graph), own;
      own.keptPaths = all.keptPaths;
      for (const Collapsed &each : collapsed)
        own.values.insert(each.filter);
      size_t index = 0;
      auto annotate = [&](Value, ParameterOp parameter) {
        parameter->setAttr(gradientScaleAttrName, collapsed[index++].matrix);
      };
      if (failed(materialize(graph, own, suffix, annotate)))
        return signalPassFailure();
    }
  }

private:
  static std::nullopt_t refuse(Operation *op, const Twine &reason) {
    remark::missed(op->getLoc(), remark::RemarkOpts::name("not-scaled").category(getArgumentName()))
        << remark::reason("{0}", reason.str());
    return std::nullopt;
  }

  /// The elements of a literal that is a factor for every output, or for all of them.
  static std::optional<SmallVector<double>> readFactors(Value value, int64_t outputs) {
    DenseFPElementsAttr literal;
    if (!matchPattern(value, m_Constant(&literal)))
      return std::nullopt;
    SmallVector<int64_t> shape(literal.getType().getShape());
    bool isScalar = literal.getType().getNumElements() == 1;
    bool isByOutput =
        shape.size() >= 3 && shape[shape.size() - 3] == outputs && literal.getType().getNumElements() == outputs;
    if (!isScalar && !isByOutput)
      return std::nullopt;
    SmallVector<double> factors;
    for (const APFloat &factor : literal.getValues<APFloat>())
      factors.push_back(FloatAttr::getValueAsDouble(factor));
    return factors;
  }

  std::optional<ScaledBranch> matchBranch(Value leaf) {
    ScaledBranch branch;
    int64_t outputs = cast<RankedTensorType>(leaf.getType()).getDimSize(1);
    while (true) {
      Operation *op = leaf.getDefiningOp();
      if (!op)
        return refuse(leaf.getParentBlock()->getParentOp(),
                      "a summand is the image itself: in one filter, weight decay would shrink it");
      if (!op->hasOneUse())
        return refuse(op, "a branch is read from elsewhere, too");
      if (isa<BatchNormOp, BatchNormTrainingOp, BatchNormInferenceOp>(op))
        return refuse(op, "a batch norm inside a branch is not linear in its filter");
      if (isa<NegOp>(op)) {
        for (double &factor : branch.factors)
          factor = -factor;
        leaf = op->getOperand(0);
        continue;
      }
      if (isa<MulOp>(op)) {
        unsigned constant = isa_and_present<ConstantOp>(op->getOperand(0).getDefiningOp()) ? 0 : 1;
        if (op->getOperand(1 - constant).getType() != op->getResult(0).getType())
          return refuse(op, "an image is broadcast");
        std::optional<SmallVector<double>> factors = readFactors(op->getOperand(constant), outputs);
        if (factors && !llvm::all_of(*factors, [](double factor) { return std::isfinite(factor); }))
          return refuse(op, "a factor of a branch is not finite");
        if (!factors)
          return refuse(op, "a factor of a branch is no literal: it may be trained");
        SmallVector<double> product;
        for (size_t i = 0, end = std::max(branch.factors.size(), factors->size()); i < end; ++i)
          product.push_back(branch.factorOf(i) * (*factors)[factors->size() == 1 ? 0 : i]);
        branch.factors = product;
        leaf = op->getOperand(1 - constant);
        continue;
      }
      branch.conv = dyn_cast<Conv2dOp>(op);
      if (!branch.conv)
        return refuse(op, "a summand is no convolution times a constant factor");
      branch.filter = branch.conv.getFilter().getDefiningOp<ParameterOp>();
      if (!branch.filter)
        return refuse(op, "the filter of a branch is computed");
      if (!branch.filter->hasOneUse() || opsOfPath.lookup(branch.filter.getPathAttr()) > 1)
        return refuse(op, "the filter of a branch is shared");
      if (branch.filter->hasAttr(gradientScaleAttrName))
        return refuse(op, "the gradient of a branch is scaled already");
      return branch;
    }
  }

  std::optional<Collapsed> collapse(AddOp root) {
    SmallVector<ScaledBranch> branches;
    for (Value leaf : findSummands(root, isInnerImageSum)) {
      std::optional<ScaledBranch> branch = matchBranch(leaf);
      if (!branch)
        return std::nullopt;
      branches.push_back(*branch);
    }
    Conv2dOp first = branches[0].conv;
    WindowAttrs window = first.getWindow();
    for (const ScaledBranch &branch : branches) {
      Conv2dOp conv = branch.conv;
      if (conv.getInput() != first.getInput())
        return refuse(root, "the branches read different images");
      if (conv.getWindow().groups != window.groups)
        return refuse(root, "the branches have different groups: their sum is no scale by position alone");
    }
    return build(root, branches);
  }

  std::optional<Collapsed> build(AddOp root, ArrayRef<ScaledBranch> branches) {
    OpBuilder builder(root);
    ConvAlgebra algebra(builder, root.getType().getElementType(), /*training=*/true);
    algebra.setLocation(root.getLoc());
    std::array<std::optional<int64_t>, 2> sizes;
    for (unsigned axis : {0u, 1u})
      if (int64_t extent = root.getType().getDimSize(axis + 2); !ShapedType::isDynamic(extent))
        sizes[axis] = extent;
    // Geometry first, so that nothing is built in vain.
    std::optional<ConvMap> whole;
    bool isByOutput = false;
    for (const ScaledBranch &branch : branches) {
      isByOutput |= branch.factors.size() > 1;
      std::optional<ConvMap> map = mapOf(branch.conv);
      if (map && whole && !haveSamePositions(*whole, *map, sizes))
        return refuse(root, "the branches slide differently");
      whole = map && whole ? uniteGeometry(*whole, *map) : map;
      if (!whole)
        return refuse(root, "the window or the filter would be too large");
    }
    int64_t outputs = whole->features;
    int64_t rows = whole->axes[0].kernel, columns = whole->axes[1].kernel;
    if (rows == 1 || columns == 1 || rows % 2 == 0 || columns % 2 == 0)
      return refuse(root, "the window of the sum is not of odd extents of at least 3");

    // G = the sum of factor^2 over the branches that have a tap.
    int64_t copies = isByOutput ? outputs : 1;
    SmallVector<double> matrix(copies * rows * columns, 0.0);
    SmallVector<ConvMap> maps;
    for (const ScaledBranch &branch : branches) {
      ConvMap map = *mapOf(branch.conv);
      auto tap = [&](unsigned axis, int64_t index) {
        const WindowAxis &from = map.axes[axis], &to = whole->axes[axis];
        return (to.low - from.low + from.dilation * index) / to.dilation;
      };
      for (int64_t output = 0; output < copies; ++output)
        for (int64_t row = 0; row < map.axes[0].kernel; ++row)
          for (int64_t column = 0; column < map.axes[1].kernel; ++column)
            matrix[(output * rows + tap(0, row)) * columns + tap(1, column)] +=
                branch.factorOf(output) * branch.factorOf(output);
      bool isPlain = branch.factors.size() == 1 && branch.factors[0] == 1.0;
      if (!isPlain) {
        SmallVector<double> factors;
        for (int64_t output = 0; output < outputs; ++output)
          factors.push_back(branch.factorOf(output));
        map = algebra.scale(map, algebra.literal(factors));
      }
      maps.push_back(map);
    }
    if (llvm::is_contained(matrix, 0.0))
      return refuse(root, "no branch has some tap of the window, which would never learn");

    FailureOr<ConvMap> sum = algebra.add(maps, sizes);
    if (failed(sum))
      return refuse(root, algebra.getReason());
    root.getResult().replaceAllUsesWith(algebra.apply(*sum, branches[0].conv->getOperand(0)));
    SmallVector<int64_t> shape{rows, columns};
    if (isByOutput)
      shape = {outputs, 1, rows, columns};
    ++numCollapsed;
    auto type = RankedTensorType::get(shape, Float64Type::get(&getContext()));
    return Collapsed{sum->filter, DenseElementsAttr::get(type, ArrayRef(matrix))};
  }

  llvm::DenseMap<StringAttr, int64_t> opsOfPath; // parameters with one path are one
};

} // namespace
