//===- Specialize.cpp - decide between training and inference -------------===//

#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_SPECIALIZE
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {
struct Specialize final : espalier::cg::impl::SpecializeBase<Specialize> {
  using Base::Base;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    for (Operation &op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      rewriter.setInsertionPoint(&op);
      if (auto norm = dyn_cast<BatchNormOp>(op)) {
        if (failed(specialize(norm, rewriter)))
          return signalPassFailure();
      } else if (auto dropout = dyn_cast<DropoutOp>(op)) {
        specialize(dropout, rewriter);
      }
    }
    current.clear();
  }

private:
  LogicalResult specialize(BatchNormOp norm, IRRewriter &rewriter) {
    Location loc = norm.getLoc();
    if (mode == Mode::Inference) {
      auto inference = BatchNormInferenceOp::create(rewriter, loc, norm.getInput(), norm.getScale(), norm.getShift(),
                                                    norm.getMean(), norm.getVariance(), norm.getEpsilonAttr());
      replace(norm, inference, inference.getResult(), rewriter);
      return success();
    }
    auto training = BatchNormTrainingOp::create(rewriter, loc, norm.getInput(), norm.getScale(), norm.getShift(),
                                                norm.getEpsilonAttr());
    // The running variance takes the unbiased estimate: n / (n - 1) times the batch's.
    Type element = norm.getInput().getType().getElementType();
    SmallVector<int64_t> axes;
    for (int64_t i = 0; i < norm.getInput().getType().getRank(); ++i)
      if (i != 1)
        axes.push_back(i);
    Value count = ExtentOp::create(rewriter, loc, norm.getInput(), rewriter.getDenseI64ArrayAttr(axes), element);
    Value one = createScalar(rewriter, loc, count, 1.0);
    Value less = MaximumOp::create(rewriter, loc, SubOp::create(rewriter, loc, count, one), one);
    Value unbiased = MulOp::create(rewriter, loc, training.getVariance(), DivOp::create(rewriter, loc, count, less));
    double momentum = norm.getMomentum().convertToDouble();
    if (failed(updateRunning(norm, norm.getMean(), training.getMean(), momentum, rewriter)) ||
        failed(updateRunning(norm, norm.getVariance(), unbiased, momentum, rewriter)))
      return failure();
    replace(norm, training, training.getResult(), rewriter);
    return success();
  }

  /// new = (1 - momentum) old + momentum batch. A second norm on the same state starts from the first one's update.
  LogicalResult updateRunning(BatchNormOp norm, Value running, Value batch, double momentum, IRRewriter &rewriter) {
    auto state = running.getDefiningOp<StateOp>();
    if (!state) {
      InFlightDiagnostic diag = norm.emitOpError("expects running statistics that are 'cg.state' ops in training");
      diag.attachNote(running.getLoc()) << "this value is not a state";
      return diag;
    }
    Location loc = norm.getLoc();
    Value &old = current.try_emplace(state.getPath(), running).first->second;
    Value kept = MulOp::create(rewriter, loc, old, createScalar(rewriter, loc, old, 1.0 - momentum));
    Value added = MulOp::create(rewriter, loc, batch, createScalar(rewriter, loc, old, momentum));
    old = AddOp::create(rewriter, loc, kept, added);
    UpdateOp::create(rewriter, loc, state.getPathAttr(), state.getSlotAttr(), old);
    return success();
  }

  void specialize(DropoutOp dropout, IRRewriter &rewriter) {
    Value input = dropout.getInput();
    double rate = dropout.getRate().convertToDouble();
    if (mode == Mode::Inference || rate == 0.0) {
      rewriter.replaceOp(dropout, input);
      return;
    }
    Location loc = dropout.getLoc();
    Value seed = HyperOp::create(rewriter, loc, RankedTensorType::get({}, rewriter.getI64Type()), "seed");
    // A narrow type rounds uniform numbers up to 1, and rates to a few digits.
    Value like = input;
    if (Type element = dropout.getType().getElementType(); element.isBF16() || element.isF16())
      like = CastOp::create(rewriter, loc, input, rewriter.getF32Type());
    Value uniform = RandomUniformOp::create(rewriter, loc, seed, like, dropout.getKeyAttr());
    Value keep =
        CompareOp::create(rewriter, loc, ComparePredicate::ge, uniform, createScalar(rewriter, loc, uniform, rate));
    Value scaled = MulOp::create(rewriter, loc, input, createScalar(rewriter, loc, input, 1.0 / (1.0 - rate)));
    auto result = WhereOp::create(rewriter, loc, keep, scaled, createScalar(rewriter, loc, input, 0.0));
    replace(dropout, result, result.getResult(), rewriter);
  }

  static void replace(Operation *old, Operation *specialized, Value value, IRRewriter &rewriter) {
    if (Attribute scope = old->getAttr(scopeAttrName))
      specialized->setAttr(scopeAttrName, scope);
    rewriter.replaceOp(old, value);
  }

  llvm::StringMap<Value> current; // value of each running statistic so far
};
} // namespace
