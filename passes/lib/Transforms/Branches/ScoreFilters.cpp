//===- ScoreFilters.cpp - how much filters matter to the loss -------------===//

#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_SCOREFILTERS
#include "espalier/Transforms/BranchPasses.h.inc"
} // namespace espalier::cg

namespace {
struct ScoreFilters final : espalier::cg::impl::ScoreFiltersBase<ScoreFilters> {
  using Base::Base;

  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    for (auto state : body.getOps<StateOp>())
      if (state.getSlot() == scoreSlot) {
        state.emitOpError("is there already: filters have one score");
        return signalPassFailure();
      }
    llvm::StringMap<ParameterGradientOp> marks;
    for (auto mark : body.getOps<ParameterGradientOp>())
      marks[mark.getPath()] = mark;
    OpBuilder builder(body.getTerminator());
    for (ScalableFilter &filter : findScalableFilters(getOperation(), explain)) {
      ParameterGradientOp mark = marks.lookup(filter.parameter.getPath());
      std::string reason;
      if (filter.getRows() != filter.getColumns())
        reason = llvm::formatv("its window of {0}x{1} is not square", filter.getRows(), filter.getColumns());
      else if (!mark)
        reason = "its filter is not trained";
      if (reason.empty())
        addScore(builder, filter.parameter, mark);
      else
        for (Conv2dOp conv : filter.convolutions)
          explain(conv, reason);
    }
  }

private:
  static void explain(Conv2dOp conv, const std::string &reason) {
    remark::missed(conv.getLoc(), remark::RemarkOpts::name("not-scored").category(getArgumentName()))
        << remark::reason("{0}", reason);
  }

  void addScore(OpBuilder &builder, ParameterOp filter, ParameterGradientOp mark) {
    Location loc = mark.getLoc();
    Type element = mark.getType().getElementType();
    if (element.getIntOrFloatBitWidth() < 32)
      element = builder.getF32Type();
    auto widened = [&](Value value) {
      bool fits = cast<RankedTensorType>(value.getType()).getElementType() == element;
      return fits ? value : castFor(builder, mark, value, element);
    };
    Value gradient = widened(mark.getGradient());
    Value weight = score == FilterScore::GradientNorm ? gradient : widened(filter);
    Value product = MulOp::create(builder, loc, weight, gradient);
    if (score == FilterScore::SNIP)
      product = AbsOp::create(builder, loc, product);
    Value sum = ReduceSumOp::create(builder, loc, product, builder.getDenseI64ArrayAttr({0, 1, 2, 3}),
                                    /*keep_dims=*/nullptr);
    if (score == FilterScore::GradientNorm)
      sum = SqrtOp::create(builder, loc, sum);
    StringAttr path = mark.getPathAttr(), slot = builder.getStringAttr(scoreSlot);
    auto zero = FillAttr::get(builder.getContext(), builder.getF64FloatAttr(0.0));
    Value old = StateOp::create(builder, loc, sum.getType(), path, slot, zero);
    UpdateOp::create(builder, loc, path, slot, AddOp::create(builder, loc, old, sum));
  }
};
} // namespace
