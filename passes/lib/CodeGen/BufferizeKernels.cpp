//===- BufferizeKernels.cpp - Kernel by kernel, without allocation --------===//

#include "espalier/CodeGen/Passes.h"
#include "espalier/Dialect/Plan/IR/PlanDialect.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/CheckedArithmetic.h"

namespace espalier::codegen {
#define GEN_PASS_DEF_BUFFERIZEKERNELS
#include "espalier/CodeGen/Passes.h.inc"
} // namespace espalier::codegen

using namespace mlir;
using namespace espalier;

namespace {

/// Alignment of a stack slot, in bytes: the widest vector.
constexpr unsigned slotAlignment = 64;

struct BufferizeKernels final : codegen::impl::BufferizeKernelsBase<BufferizeKernels> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(plan::kernelAttrName) || kernel.isExternal())
      return;
    if (failed(bufferize(kernel)) || failed(placeTemporaries(kernel)))
      signalPassFailure();
  }

  LogicalResult bufferize(func::FuncOp kernel) {
    bufferization::OneShotBufferizationOptions options;
    options.allowReturnAllocsFromLoops = true;
    options.bufferAlignment = slotAlignment;
    IRRewriter rewriter(&getContext());
    if (failed(bufferization::eliminateEmptyTensors(rewriter, kernel)))
      return kernel.emitError("empty tensors of kernel '") << kernel.getSymName() << "' cannot be eliminated";
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotBufferize(kernel, options, state)))
      return kernel.emitError("kernel '") << kernel.getSymName() << "' cannot be bufferized";
    return success();
  }

  /// Moves every temporary into a stack slot in the entry block. Each keeps its own slot, so that one that is passed on
  /// to the next iteration of a loop would be overwritten there: such a kernel is refused.
  LogicalResult placeTemporaries(func::FuncOp kernel) {
    SmallVector<memref::AllocOp> allocs;
    SmallVector<memref::DeallocOp> deallocs;
    kernel.walk([&](Operation *op) {
      if (auto alloc = dyn_cast<memref::AllocOp>(op))
        allocs.push_back(alloc);
      else if (auto dealloc = dyn_cast<memref::DeallocOp>(op))
        deallocs.push_back(dealloc);
    });
    for (memref::DeallocOp dealloc : deallocs)
      dealloc.erase();

    OpBuilder builder(&kernel.getBody().front(), kernel.getBody().front().begin());
    int64_t total = 0;
    for (memref::AllocOp alloc : allocs) {
      MemRefType type = alloc.getType();
      auto refuse = [&](const Twine &why) {
        return alloc.emitError("kernel '") << kernel.getSymName() << "' would allocate " << type << ": " << why
                                           << "; kernels write into places that they are given";
      };
      if (!type.hasStaticShape())
        return refuse("its size is not static");
      if (llvm::any_of(alloc->getUsers(), [](Operation *user) { return user->hasTrait<OpTrait::IsTerminator>(); }))
        return refuse("it outlives an iteration");
      std::optional<int64_t> bytes = plan::getByteSize(type);
      std::optional<int64_t> sum = bytes ? llvm::checkedAdd(total, *bytes) : std::nullopt;
      if (!sum || *sum > maxStackBytes)
        return refuse("temporaries take more than " + Twine(maxStackBytes) + " bytes");
      total = *sum;
      auto slot = memref::AllocaOp::create(builder, alloc.getLoc(), type, builder.getI64IntegerAttr(slotAlignment));
      alloc.replaceAllUsesWith(slot.getResult());
      alloc.erase();
    }
    return success();
  }
};

} // namespace
