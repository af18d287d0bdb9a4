//===- LowerKernelLoops.cpp - linalg to loops that vectorize --------------===//

#include "espalier/CodeGen/Passes.h"
#include "espalier/Dialect/Plan/IR/PlanDialect.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

namespace espalier::codegen {
#define GEN_PASS_DEF_LOWERKERNELLOOPS
#include "espalier/CodeGen/Passes.h.inc"
} // namespace espalier::codegen

using namespace mlir;
using namespace espalier;

/// Adds fast-math `flags` to an operation on f32 (or narrower); wider ones keep IEEE order and rounding.
static void addFastMath(Operation *op, arith::FastMathFlags flags) {
  auto fastMath = dyn_cast<arith::ArithFastMathInterface>(op);
  if (!fastMath || op->getNumResults() != 1)
    return;
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  if (!isa<FloatType>(element) || element.getIntOrFloatBitWidth() > 32)
    return;
  arith::FastMathFlagsAttr attribute = fastMath.getFastMathFlagsAttr();
  arith::FastMathFlags current = attribute ? attribute.getValue() : arith::FastMathFlags::none;
  op->setAttr(fastMath.getFastMathAttrName(), arith::FastMathFlagsAttr::get(op->getContext(), current | flags));
}

/// Lets the reduction that `carried[position]` takes part in reassociate.
static void relaxReduction(ArrayRef<BlockArgument> carried, unsigned position) {
  SmallVector<Operation *> combiners;
  if (matchReduction(carried, position, combiners))
    for (Operation *combiner : combiners)
      addFastMath(combiner, arith::FastMathFlags::reassoc);
}

static void relaxArithmetic(func::FuncOp kernel) {
  kernel.walk([](Operation *op) {
    addFastMath(op, arith::FastMathFlags::contract);
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
      ArrayRef<BlockArgument> outputs = linalgOp.getRegionOutputArgs();
      for (unsigned i = 0; linalgOp.getNumReductionLoops() != 0 && i < outputs.size(); ++i)
        relaxReduction(outputs, i);
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      ArrayRef<BlockArgument> carried = loop.getRegionIterArgs();
      for (unsigned i = 0; i < carried.size(); ++i)
        relaxReduction(carried, i);
    }
  });
}

/// Multiply-accumulates of a matmul or convolution of any spelling; 0 for another operation, INT64_MAX for dynamic
/// shapes, whose size nobody knows.
static int64_t countContractionMacs(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0 || op.getNumParallelLoops() == 0 || op.getNumDpsInputs() != 2)
    return 0;
  auto isMultiply = [](Operation *product) { return isa<arith::MulFOp, arith::MulIOp>(product); };
  if (llvm::none_of(*op.getBlock(), [&](Operation &nested) { return isMultiply(&nested); }))
    return 0;
  if (!linalg::isaContractionOpInterface(op) && !linalg::isaConvolutionOpInterface(op))
    return 0;
  int64_t macs = 1;
  for (int64_t range : op.getStaticLoopRanges())
    if (ShapedType::isDynamic(range) || llvm::MulOverflow(macs, range, macs))
      return std::numeric_limits<int64_t>::max();
  return macs;
}

namespace {
/// How the operands move when one loop advances by one: by one element, or by more. The others stand still.
struct Movement {
  unsigned numContiguous = 0, numStrided = 0;
};
} // namespace

static Movement getMovement(linalg::LinalgOp op, unsigned dim) {
  Movement movement;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type || !map.isFunctionOfDim(dim))
      continue;
    bool isContiguous =
        type.isLastDimUnitStride() && map.getResults().back() == getAffineDimExpr(dim, op->getContext()) &&
        llvm::none_of(map.getResults().drop_back(), [&](AffineExpr result) { return result.isFunctionOfDim(dim); });
    ++(isContiguous ? movement.numContiguous : movement.numStrided);
  }
  return movement;
}

/// Moves the loop that vectorizes best innermost: the fewest operands strided, the most contiguous, parallel rather
/// than a reduction, the last as written.
static linalg::GenericOp moveContiguousLoopInnermost(RewriterBase &rewriter, linalg::GenericOp op) {
  unsigned numLoops = op.getNumLoops();
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  std::optional<std::tuple<int, unsigned, bool, unsigned>> best;
  for (unsigned dim = 0; dim < numLoops; ++dim) {
    Movement movement = getMovement(op, dim);
    auto rank = std::make_tuple(-static_cast<int>(movement.numStrided), movement.numContiguous,
                                linalg::isParallelIterator(iterators[dim]), dim);
    if (!best || rank > *best)
      best = rank;
  }
  if (!best || std::get<3>(*best) == numLoops - 1)
    return op;
  unsigned innermost = std::get<3>(*best);
  SmallVector<unsigned> order;
  for (unsigned dim = 0; dim < numLoops; ++dim)
    if (dim != innermost)
      order.push_back(dim);
  order.push_back(innermost);
  FailureOr<linalg::GenericOp> interchanged = linalg::interchangeGenericOp(rewriter, op, order);
  return succeeded(interchanged) ? *interchanged : op;
}

namespace {

struct LowerKernelLoops final : codegen::impl::LowerKernelLoopsBase<LowerKernelLoops> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(plan::kernelAttrName))
      return;
    relaxArithmetic(kernel);
    IRRewriter rewriter(&getContext());
    // Between strided places `memref.copy` would become a call into a runtime.
    kernel.walk([&](memref::CopyOp copy) {
      rewriter.setInsertionPoint(copy);
      rewriter.replaceOpWithNewOp<linalg::CopyOp>(copy, copy.getSource(), copy.getTarget());
    });
    SmallVector<linalg::LinalgOp> ops;
    kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      if (failed(lower(rewriter, kernel, op)))
        return signalPassFailure();
  }

  LogicalResult lower(RewriterBase &rewriter, func::FuncOp kernel, linalg::LinalgOp op) {
    if (!op.hasPureBufferSemantics())
      return op->emitOpError("expects operands in memory in kernel '") << kernel.getSymName() << "'";
    if (failed(reportContraction(kernel, op)))
      return failure();
    rewriter.setInsertionPoint(op);
    if (!isa<linalg::GenericOp>(op)) {
      FailureOr<linalg::GenericOp> generic = linalg::generalizeNamedOp(rewriter, op);
      if (failed(generic))
        return op->emitOpError("cannot be lowered to loops in kernel '") << kernel.getSymName() << "'";
      op = *generic;
    }
    linalg::GenericOp generic = moveContiguousLoopInnermost(rewriter, cast<linalg::GenericOp>(op));
    rewriter.setInsertionPoint(generic);
    if (failed(linalg::linalgOpToLoops(rewriter, generic)))
      return generic.emitOpError("cannot be lowered to loops in kernel '") << kernel.getSymName() << "'";
    rewriter.eraseOp(generic);
    return success();
  }

  LogicalResult reportContraction(func::FuncOp kernel, linalg::LinalgOp op) {
    int64_t macs = countContractionMacs(op);
    bool isTile = op->hasAttr(plan::tileAttrName); // part of a contraction that is larger
    if (!isTile && (macs == 0 || macs < minContractionMacs))
      return success();
    if (forbidScalarContractions)
      return op->emitOpError("reaches scalar loops in kernel '")
             << kernel.getSymName() << "': " << macs << " multiply-accumulates would run unvectorized";
    remark::missed(op->getLoc(), remark::RemarkOpts::name("scalar-contraction")
                                     .category("plan-lower-kernel-loops")
                                     .function(kernel.getSymName()))
        << remark::reason("contraction reaches scalar loops") << remark::metric("Macs", macs);
    return success();
  }
};

} // namespace
