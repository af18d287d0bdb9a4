//===- ClipGradients.cpp - bound the size of gradients -------------------===//

#include "espalier/Transforms/StepPasses.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_CLIPGRADIENTS
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

namespace {
struct ClipGradients final : espalier::cg::impl::ClipGradientsBase<ClipGradients> {
  using Base::Base;

  void runOnOperation() override {
    if ((norm > 0.0) == (value > 0.0)) {
      getOperation().emitError("expects a norm > 0 or a value > 0 to clip gradients to, but got norm ")
          << static_cast<double>(norm) << " and value " << static_cast<double>(value);
      return signalPassFailure();
    }
    Block &body = getOperation().getBody().front();
    auto marks = llvm::to_vector(body.getOps<ParameterGradientOp>());
    if (marks.empty())
      return;
    OpBuilder builder(body.getTerminator());
    if (norm > 0.0)
      clipNorm(builder, marks);
    else
      clipValues(builder, marks);
  }

private:
  void clipNorm(OpBuilder &builder, ArrayRef<ParameterGradientOp> marks) {
    Location loc = getOperation().getLoc();
    Value total;
    for (ParameterGradientOp mark : marks) {
      Value square = MulOp::create(builder, loc, mark.getResult(), mark.getResult());
      SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, mark.getType().getRank()));
      Value sum = ReduceSumOp::create(builder, loc, square, builder.getDenseI64ArrayAttr(axes), /*keep_dims=*/nullptr);
      total = total ? AddOp::create(builder, loc, total, sum).getResult() : sum;
    }
    auto number = [&](double value) { return createScalar(builder, loc, total, value); };
    Value length = AddOp::create(builder, loc, SqrtOp::create(builder, loc, total), number(1e-6));
    Value factor = MinimumOp::create(builder, loc, DivOp::create(builder, loc, number(norm), length), number(1.0));
    for (ParameterGradientOp mark : marks)
      replaceGradient(builder, mark, MulOp::create(builder, loc, mark.getGradient(), factor));
  }

  void clipValues(OpBuilder &builder, ArrayRef<ParameterGradientOp> marks) {
    for (ParameterGradientOp mark : marks) {
      Value gradient = mark.getGradient();
      Location loc = mark.getLoc();
      Value above = MaximumOp::create(builder, loc, gradient, createScalar(builder, loc, gradient, -value));
      replaceGradient(builder, mark,
                      MinimumOp::create(builder, loc, above, createScalar(builder, loc, gradient, value)));
    }
  }
};
} // namespace
