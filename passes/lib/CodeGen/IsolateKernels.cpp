//===- IsolateKernels.cpp - Separate kernels from the programs ------------===//

#include "espalier/CodeGen/Passes.h"
#include "espalier/Dialect/Plan/IR/PlanOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace espalier::codegen {
#define GEN_PASS_DEF_ISOLATEKERNELS
#include "espalier/CodeGen/Passes.h.inc"
} // namespace espalier::codegen

using namespace mlir;
using namespace espalier;

namespace {

/// Bytes [begin, end) of the arena (root is null) or of an argument.
struct Extent {
  Operation *root;
  int64_t begin, end;

  bool overlaps(const Extent &other) const { return root == other.root && begin < other.end && other.begin < end; }
};

Extent getExtent(Value place) {
  int64_t begin = 0, bytes = *plan::getByteSize(cast<MemRefType>(place.getType()));
  while (auto view = place.getDefiningOp<plan::ViewOp>()) {
    begin += view.getOffset();
    place = view.getSource();
  }
  if (auto buffer = place.getDefiningOp<plan::BufferOp>())
    return {nullptr, static_cast<int64_t>(buffer.getOffset()) + begin,
            static_cast<int64_t>(buffer.getOffset()) + begin + bytes};
  auto argument = place.getDefiningOp<plan::ArgumentOp>();
  if (Value tied = argument.getTied())
    argument = tied.getDefiningOp<plan::ArgumentOp>();
  return {argument, begin, begin + bytes};
}

bool hasOverlappingPlaces(plan::DispatchOp dispatch) {
  SmallVector<Extent> extents = llvm::map_to_vector(dispatch.getPlaces(), getExtent);
  llvm::sort(extents, [](const Extent &a, const Extent &b) {
    return std::make_tuple(a.root, a.begin) < std::make_tuple(b.root, b.begin);
  });
  for (size_t i = 1; i < extents.size(); ++i)
    if (extents[i - 1].overlaps(extents[i]))
      return true;
  return false;
}

struct IsolateKernels final : codegen::impl::IsolateKernelsBase<IsolateKernels> {
  void runOnOperation() override {
    SmallVector<plan::ProgramOp> programs = llvm::to_vector(getOperation().getOps<plan::ProgramOp>());
    llvm::DenseSet<StringAttr> dispatched, aliased;
    for (plan::ProgramOp program : programs)
      for (auto dispatch : program.getBody().getOps<plan::DispatchOp>()) {
        dispatched.insert(dispatch.getKernelAttr().getAttr());
        if (hasOverlappingPlaces(dispatch))
          aliased.insert(dispatch.getKernelAttr().getAttr());
      }

    StringRef noalias = LLVM::LLVMDialect::getNoAliasAttrName();
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(plan::kernelAttrName))
        continue;
      if (!programs.empty() && !dispatched.contains(kernel.getSymNameAttr())) {
        kernel.erase();
        continue;
      }
      if (programs.empty() || aliased.contains(kernel.getSymNameAttr()))
        continue;
      for (unsigned i = 0, end = kernel.getNumArguments() - 2; i < end; ++i)
        kernel.setArgAttr(i, noalias, UnitAttr::get(&getContext()));
    }
    for (plan::ProgramOp program : programs)
      program.erase();
  }
};

} // namespace
