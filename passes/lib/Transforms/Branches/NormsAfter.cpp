//===- NormsAfter.cpp - one batch norm behind a sum of branches -----------===//

#include "NormsAfter.h"

#include "ImageSum.h"
#include "WeightExpressions.h"

#include "espalier/Transforms/ConvMap.h"
#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace espalier::cg;

namespace {

class NormMover {
public:
  explicit NormMover(FunctionOpInterface function)
      : function(function), builder(function.getContext()), weights(findWeights(function.getFunctionBody().front())) {}

  int64_t run() {
    for (AddOp root : findImageSums(function.getFunctionBody().front()))
      move(root);
    return moved;
  }

private:
  /// Of the convolution behind `norm`; 0 where there is none.
  static int64_t windowBefore(BatchNormOp norm) {
    auto conv = norm.getInput().getDefiningOp<Conv2dOp>();
    if (!conv)
      return 0;
    RankedTensorType type = conv.getFilter().getType();
    return type.getDimSize(2) * type.getDimSize(3);
  }

  /// The image that an op inside a branch reads; null where it is none, or reads several.
  Value imageOf(Operation *op) const {
    if (!isa_and_present<Conv2dOp, AvgPool2dOp, PadOp, SliceOp, MulOp, AddOp, SubOp, BatchNormOp>(op))
      return {};
    Value image;
    for (Value operand : op->getOperands()) {
      if (weights.contains(operand))
        continue;
      if (image)
        return {};
      image = operand;
    }
    return image;
  }

  /// The image that a branch comes from: back to where it forks, or where the branch is not affine.
  Value findSource(BatchNormOp norm) const {
    Value value = norm.getInput();
    while (value.hasOneUse()) {
      Value before = imageOf(value.getDefiningOp());
      if (!before)
        break;
      value = before;
    }
    return value;
  }

  void move(AddOp root) {
    // A shortcut around the branches may be in the same sum: branches come from one image.
    llvm::MapVector<Value, SmallVector<BatchNormOp>> bySource;
    SmallVector<Value> summands;
    for (Value leaf : findSummands(root, isInnerImageSum)) {
      auto norm = leaf.getDefiningOp<BatchNormOp>();
      if (norm && norm->hasOneUse())
        bySource[findSource(norm)].push_back(norm);
      else
        summands.push_back(leaf);
    }
    if (llvm::none_of(bySource, [](const auto &group) { return group.second.size() > 1; }))
      return;
    builder.setInsertionPoint(root);
    for (auto &[source, norms] : bySource)
      summands.push_back(norms.size() > 1 ? addUpBefore(root, norms) : norms[0].getResult());
    builder.setInsertionPoint(root);
    Value sum = summands.front();
    for (Value summand : ArrayRef(summands).drop_front())
      sum = AddOp::create(builder, root.getLoc(), sum, summand);
    root.getResult().replaceAllUsesWith(sum);
    eraseSum(root);
  }

  /// One norm behind the sum of what `norms` have before them.
  Value addUpBefore(AddOp root, ArrayRef<BatchNormOp> norms) {
    BatchNormOp main = norms[0];
    for (BatchNormOp norm : norms)
      if (windowBefore(norm) > windowBefore(main))
        main = norm;
    Value sum;
    for (BatchNormOp norm : norms) {
      removeInside(norm.getInput());
      Value input = norm == main ? norm.getInput() : scaleOf(norm);
      builder.setInsertionPoint(root);
      sum = sum ? AddOp::create(builder, root.getLoc(), sum, input).getResult() : input;
    }
    auto after = BatchNormOp::create(builder, main.getLoc(), sum, main.getScale(), main.getShift(), main.getMean(),
                                     main.getVariance(), main.getEpsilonAttr(), main.getMomentumAttr());
    if (Attribute scope = main->getAttr(scopeAttrName))
      after->setAttr(scopeAttrName, scope);
    ++moved;
    return after;
  }

  /// Erases the additions of a sum that nothing reads any more, and the norms in front of it.
  static void eraseSum(AddOp root) {
    SmallVector<Operation *> pending{root};
    while (!pending.empty()) {
      Operation *op = pending.pop_back_val();
      if (!op->use_empty() || !isa<AddOp, BatchNormOp>(op))
        continue;
      SmallVector<Value> operands(op->getOperands());
      bool isNorm = isa<BatchNormOp>(op);
      op->erase();
      if (!isNorm)
        for (Value operand : operands)
          if (Operation *def = operand.getDefiningOp())
            pending.push_back(def);
    }
  }

  /// The input times the norm's scale.
  Value scaleOf(BatchNormOp norm) {
    builder.setInsertionPoint(norm);
    int64_t channels = norm.getScale().getType().getDimSize(0);
    Value column = ReshapeOp::create(builder, norm.getLoc(), norm.getScale(), ArrayRef<int64_t>{channels, 1, 1});
    return MulOp::create(builder, norm.getLoc(), norm.getInput(), column);
  }

  /// Norms between the convolutions of a branch that ends in `value` become their scales, too.
  void removeInside(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      Value before = op->hasOneUse() ? imageOf(op) : Value();
      if (!before)
        return;
      if (auto norm = dyn_cast<BatchNormOp>(op)) {
        Value scaled = scaleOf(norm);
        removeBorder(norm);
        norm.getResult().replaceAllUsesWith(scaled);
        norm.erase();
      }
      value = before;
    }
  }

  /// `pad(norm - b) + b`, with what the norm makes of zeros for b: a norm without mean and shift makes zeros of them.
  void removeBorder(BatchNormOp norm) {
    auto less = dyn_cast<SubOp>(*norm->user_begin());
    if (!less || !less->hasOneUse() || less.getLhs() != norm.getResult())
      return;
    auto pad = dyn_cast<PadOp>(*less->user_begin());
    if (!pad || !pad->hasOneUse())
      return;
    auto more = dyn_cast<AddOp>(*pad->user_begin());
    if (!more || more.getLhs() != pad.getResult() || !isSameExpression(more.getRhs(), less.getRhs()))
      return;
    ConvAlgebra algebra(builder, norm.getType().getElementType(), /*training=*/true);
    int64_t channels = norm.getScale().getType().getDimSize(0);
    builder.setInsertionPoint(norm);
    ConvMap zeros = algebra.normalise(ConvAlgebra::identity(channels), norm.getScale(), norm.getShift(), norm.getMean(),
                                      norm.getVariance(), norm.getEpsilon().convertToDouble());
    FailureOr<Value> border = algebra.asVector(less.getRhs(), channels);
    if (failed(border) || !isSameExpression(*border, zeros.bias))
      return;
    more.getResult().replaceAllUsesWith(pad.getResult());
    more.erase();
    less.getResult().replaceAllUsesWith(less.getLhs());
    less.erase();
  }

  FunctionOpInterface function;
  OpBuilder builder;
  llvm::DenseSet<Value> weights;
  int64_t moved = 0;
};

} // namespace

int64_t espalier::cg::moveNormsAfterSums(FunctionOpInterface function) { return NormMover(function).run(); }
