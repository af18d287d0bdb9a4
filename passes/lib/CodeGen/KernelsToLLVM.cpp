//===- KernelsToLLVM.cpp - Loops and scalars to the LLVM dialect ----------===//

#include "espalier/CodeGen/Passes.h"
#include "espalier/Dialect/Plan/IR/PlanDialect.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Transforms/DialectConversion.h"

namespace espalier::codegen {
#define GEN_PASS_DEF_KERNELSTOLLVM
#include "espalier/CodeGen/Passes.h.inc"
} // namespace espalier::codegen

using namespace mlir;
using namespace espalier;

/// Whether the instruction set has the function; every other one would be a call into libm, which is not there.
static bool isInstruction(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp, math::CountLeadingZerosOp,
             math::CountTrailingZerosOp, math::CtPopOp, math::FloorOp, math::FmaOp, math::RoundEvenOp, math::RsqrtOp,
             math::SqrtOp, math::TruncOp, math::IsFiniteOp, math::IsInfOp, math::IsNaNOp, math::IsNormalOp>(op);
}

/// `void name(void *const *places, int64_t begin, int64_t end)`, which loads the places and calls `body`.
static void exportKernel(OpBuilder &builder, LLVM::LLVMFuncOp body, StringRef name) {
  Location loc = body.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i64 = builder.getI64Type(), none = LLVM::LLVMVoidType::get(builder.getContext());
  builder.setInsertionPointAfter(body);
  auto entry = LLVM::LLVMFuncOp::create(builder, loc, name, LLVM::LLVMFunctionType::get(none, {pointer, i64, i64}));
  Block *block = entry.addEntryBlock(builder);
  builder.setInsertionPointToStart(block);
  SmallVector<Value> arguments;
  for (unsigned i = 0, end = body.getNumArguments() - 2; i < end; ++i) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointer, pointer, block->getArgument(0),
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    arguments.push_back(LLVM::LoadOp::create(builder, loc, pointer, slot));
  }
  arguments.push_back(block->getArgument(1));
  arguments.push_back(block->getArgument(2));
  LLVM::CallOp::create(builder, loc, body, arguments);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
}

namespace {

struct KernelsToLLVM final : codegen::impl::KernelsToLLVMBase<KernelsToLLVM> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<std::string> kernels;
    WalkResult walk = module.walk([&](Operation *op) -> WalkResult {
      if (auto func = dyn_cast<func::FuncOp>(op); func && func->removeAttr(plan::kernelAttrName)) {
        if (func.isExternal())
          return func.emitOpError("declares kernel '") << func.getSymName() << "', which has no body";
        kernels.push_back(func.getSymName().str());
      }
      if (isa<math::MathDialect>(op->getDialect()) && !isInstruction(op))
        return op->emitOpError("has no expansion for ") << op->getResult(0).getType();
      return WalkResult::advance();
    });
    if (walk.wasInterrupted() || failed(convert(module)))
      return signalPassFailure();

    SymbolTable symbols(module);
    OpBuilder builder(&getContext());
    for (StringRef kernel : kernels) {
      auto body = symbols.lookup<LLVM::LLVMFuncOp>(kernel);
      if (failed(symbols.rename(body, StringAttr::get(&getContext(), kernel + ".body")))) {
        body.emitOpError("expects no function of name '") << kernel << ".body'";
        return signalPassFailure();
      }
      body.setLinkage(LLVM::Linkage::Internal);
      // Inlined, the body would lose what `noalias` on its arguments says.
      body.setNoInline(true);
      exportKernel(builder, body, kernel);
    }
  }

  LogicalResult convert(ModuleOp module) {
    LowerToLLVMOptions options(&getContext());
    options.useBarePtrCallConv = true;
    LLVMTypeConverter converter(&getContext(), options);
    RewritePatternSet patterns(&getContext());
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    LLVMConversionTarget target(getContext());
    target.addLegalOp<ModuleOp>();
    return applyFullConversion(module, target, std::move(patterns));
  }
};

} // namespace
