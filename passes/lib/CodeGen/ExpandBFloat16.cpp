//===- ExpandBFloat16.cpp - bf16 as the upper half of f32 -----------------===//
//
// LLVM has conversions for processors with AVX512-BF16 alone; elsewhere it would call a function that is not there.
// What is spelled in integers here vectorizes everywhere.
//
//===----------------------------------------------------------------------===//

#include "espalier/CodeGen/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace espalier::codegen {
#define GEN_PASS_DEF_EXPANDBFLOAT16
#include "espalier/CodeGen/Passes.h.inc"
} // namespace espalier::codegen

using namespace mlir;
using namespace espalier;

/// `element`, or a vector of it with the shape of `like`.
static Type withShapeOf(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

static Value constantLike(ImplicitLocOpBuilder &b, Type type, int64_t value) {
  auto element = cast<IntegerType>(getElementTypeOrSelf(type));
  TypedAttr number = b.getIntegerAttr(element, value);
  if (auto vector = dyn_cast<VectorType>(type))
    number = DenseElementsAttr::get(vector, ArrayRef<Attribute>(number));
  return arith::ConstantOp::create(b, number);
}

namespace {

struct ExpandExtension final : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    Type narrow = op.getIn().getType(), wide = op.getType();
    if (!getElementTypeOrSelf(narrow).isBF16() || !getElementTypeOrSelf(wide).isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type i16 = withShapeOf(narrow, b.getI16Type()), i32 = withShapeOf(narrow, b.getI32Type());
    Value bits = arith::ExtUIOp::create(b, i32, arith::BitcastOp::create(b, i16, op.getIn()));
    Value upper = arith::ShLIOp::create(b, bits, constantLike(b, i32, 16));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, wide, upper);
    return success();
  }
};

/// To nearest, ties to even: what is cut off is rounded up by a carry from below. NaN stays NaN, and becomes quiet.
struct ExpandTruncation final : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    Type wide = op.getIn().getType(), narrow = op.getType();
    if (!getElementTypeOrSelf(narrow).isBF16() || !getElementTypeOrSelf(wide).isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type i16 = withShapeOf(wide, b.getI16Type()), i32 = withShapeOf(wide, b.getI32Type());
    auto constant = [&](int64_t value) { return constantLike(b, i32, value); };
    Value bits = arith::BitcastOp::create(b, i32, op.getIn());
    Value upper = arith::ShRUIOp::create(b, bits, constant(16));
    Value isOdd = arith::AndIOp::create(b, upper, constant(1));
    Value carry = arith::AddIOp::create(b, isOdd, constant(0x7fff));
    Value rounded = arith::ShRUIOp::create(b, arith::AddIOp::create(b, bits, carry), constant(16));
    Value quiet = arith::OrIOp::create(b, upper, constant(0x40));
    Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, op.getIn(), op.getIn());
    Value result = arith::SelectOp::create(b, isNaN, quiet, rounded);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, narrow, arith::TruncIOp::create(b, i16, result));
    return success();
  }
};

struct ExpandBFloat16 final : codegen::impl::ExpandBFloat16Base<ExpandBFloat16> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtension>(&getContext());
    if (!hasRounding)
      patterns.add<ExpandTruncation>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
