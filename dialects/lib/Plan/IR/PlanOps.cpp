//===- PlanOps.cpp - Programs, places and dispatches ----------------------===//

#include "espalier/Dialect/Plan/IR/PlanOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace espalier::plan;

#define GET_OP_CLASSES
#include "espalier/Dialect/Plan/IR/PlanOps.cpp.inc"

/// Checks that a place at `offset` is aligned and has a size; the size goes to `bytes`.
static LogicalResult verifyPlace(Operation *op, int64_t offset, MemRefType type, int64_t &bytes) {
  if (offset < 0 || offset % placeAlignment != 0)
    return op->emitOpError("expects offset to be a non-negative multiple of ")
           << placeAlignment << ", but got " << offset;
  std::optional<int64_t> size = getByteSize(type);
  if (!size)
    return op->emitOpError("expects a place below 2^46 bytes, but got ") << type;
  bytes = *size;
  return success();
}

//===----------------------------------------------------------------------===//
// ProgramOp
//===----------------------------------------------------------------------===//

void ProgramOp::build(OpBuilder &builder, OperationState &state, StringRef name) {
  state.addAttribute(SymbolTable::getSymbolAttrName(), builder.getStringAttr(name));
  state.addRegion()->emplaceBlock();
}

int64_t ProgramOp::getArenaBytes() {
  int64_t end = 0;
  for (auto buffer : getBody().getOps<BufferOp>())
    end = std::max<int64_t>(end, buffer.getOffset() + *getByteSize(buffer.getType()));
  return llvm::alignTo(end, placeAlignment);
}

LogicalResult ProgramOp::verifyRegions() {
  llvm::StringMap<ArgumentOp> outputs, others;
  for (Operation &op : getBody().front()) {
    if (!isa<PlanDialect>(op.getDialect())) // program_c1
      return op.emitOpError("expects to be outside 'plan.program': a program holds 'plan' operations only");
    auto argument = dyn_cast<ArgumentOp>(op);
    if (!argument)
      continue;
    auto [entry, isNew] =
        (argument.getRole() == Role::Output ? outputs : others).try_emplace(argument.getName(), argument);
    if (!isNew) { // program_c2
      InFlightDiagnostic diag = argument.emitOpError("expects a unique name, but '")
                                << argument.getName() << "' exists";
      diag.attachNote(entry->second.getLoc()) << "first argument of this name is here";
      return diag;
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// ArgumentOp
//===----------------------------------------------------------------------===//

ArrayRef<int64_t> ArgumentOp::getLogicalShape() { return getLogical() ? *getLogical() : getType().getShape(); }

SmallVector<int64_t> ArgumentOp::getPermutationOrIdentity() {
  if (std::optional<ArrayRef<int64_t>> permutation = getPermutation())
    return SmallVector<int64_t>(*permutation);
  return llvm::to_vector(llvm::seq<int64_t>(getType().getRank()));
}

LogicalResult ArgumentOp::verify() {
  int64_t bytes;
  if (failed(verifyPlace(*this, 0, getType(), bytes)))
    return failure();
  if (getTied()) { // argument_c1
    auto source = getTied().getDefiningOp<ArgumentOp>();
    if (!source || source.getRole() == Role::Output || getRole() != Role::Output)
      return emitOpError("expects 'tied' to name an argument that is no output, on an argument that is one");
    if (source.getType() != getType())
      return emitOpError("expects the type of the argument that it is tied to (")
             << source.getType() << "), but got " << getType();
  }

  int64_t rank = getType().getRank();
  SmallVector<int64_t> permutation = getPermutationOrIdentity();
  if (static_cast<int64_t>(permutation.size()) != rank || !isPermutationVector(permutation)) // argument_c2
    return emitOpError("expects 'permutation' to permute ") << rank << " dimensions, but got [" << permutation << "]";
  ArrayRef<int64_t> logical = getLogicalShape();
  if (static_cast<int64_t>(logical.size()) != rank) // argument_c2
    return emitOpError("expects 'logical' to have rank ") << rank << ", but got [" << logical << "]";
  for (auto [extent, dim] : llvm::zip_equal(getType().getShape(), permutation))
    if (logical[dim] < 0 || logical[dim] > extent) // argument_c2
      return emitOpError("expects logical dimension ")
             << dim << " to be at most " << extent << ", its extent in memory, but got " << logical[dim];
  return success();
}

//===----------------------------------------------------------------------===//
// BufferOp, ViewOp
//===----------------------------------------------------------------------===//

LogicalResult BufferOp::verify() {
  int64_t bytes;
  if (failed(verifyPlace(*this, getOffset(), getType(), bytes))) // buffer_c1
    return failure();
  if (static_cast<int64_t>(getOffset()) >= (int64_t(1) << 46) - bytes) // buffer_c1
    return emitOpError("expects to end below 2^46 bytes, but got offset ")
           << getOffset() << " and " << bytes << " bytes";
  return success();
}

LogicalResult ViewOp::verify() {
  int64_t bytes;
  if (failed(verifyPlace(*this, getOffset(), getType(), bytes))) // view_c1
    return failure();
  std::optional<int64_t> available = getByteSize(getSource().getType());
  int64_t offset = getOffset();
  if (!available || offset > *available || bytes > *available - offset) // view_c1
    return emitOpError("expects ") << bytes << " bytes at offset " << offset << " to end inside "
                                   << getSource().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// DispatchOp
//===----------------------------------------------------------------------===//

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto kernel = symbolTable.lookupNearestSymbolFrom<func::FuncOp>(*this, getKernelAttr());
  if (!kernel || !kernel->hasAttr(kernelAttrName)) // dispatch_c1
    return emitOpError("expects '") << getKernel() << "' to be a function with a 'plan.kernel' attribute";
  // The kernel's own verifier reports a signature that is too short.
  ArrayRef<Type> expected = kernel.getArgumentTypes().drop_back(std::min<size_t>(2, kernel.getNumArguments()));
  if (llvm::equal(expected, getPlaces().getTypes())) // dispatch_c2
    return success();
  InFlightDiagnostic diag = emitOpError("expects operands of types (")
                            << expected << "), but got (" << getPlaces().getTypes() << ")";
  diag.attachNote(kernel.getLoc()) << "kernel is defined here";
  return diag;
}
