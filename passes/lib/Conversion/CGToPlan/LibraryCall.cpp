//===- LibraryCall.cpp - what a vendor library computes in one call -------===//

#include "espalier/Conversion/CGToPlan/LibraryCall.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace espalier::cg;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

bool espalier::cg::isLibraryContraction(Operation *op) {
  if (!isa<Conv2dOp, Conv2dInputGradientOp, Conv2dFilterGradientOp, MatmulOp>(op))
    return false;
  for (Type type : llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes())) {
    auto tensor = cast<RankedTensorType>(type);
    if (!tensor.getElementType().isF32() || !tensor.hasStaticShape() || tensor.getNumElements() == 0)
      return false;
  }
  auto matmul = dyn_cast<MatmulOp>(op);
  if (!matmul)
    return true;
  int64_t rank = getTensorType(matmul.getLhs()).getRank();
  return rank <= 3 && getTensorType(matmul.getRhs()).getRank() == rank;
}

/// Is `value` one number for each channel, or column, of `result`?
static bool isBias(Operation *contraction, Value value, RankedTensorType result) {
  RankedTensorType type = getTensorType(value);
  int64_t fromRight = isa<Conv2dOp>(contraction) ? 3 : 1; // place of the dimension
  int64_t extent = result.getDimSize(result.getRank() - fromRight);
  if (type.getRank() < fromRight || type.getNumElements() != extent)
    return false;
  return type.getDimSize(type.getRank() - fromRight) == extent;
}

std::optional<LibraryCall> espalier::cg::matchLibraryCall(ArrayRef<Operation *> ops) {
  LibraryCall call;
  llvm::SmallPtrSet<Operation *, 8> left;
  for (Operation *op : ops) {
    if (isa<ConstantOp>(op))
      continue;
    left.insert(op);
    if (!isLibraryContraction(op))
      continue;
    if (call.contraction)
      return std::nullopt;
    call.contraction = op;
  }
  if (!call.contraction)
    return std::nullopt;

  call.result = call.contraction->getResult(0);
  left.erase(call.contraction);
  bool takesEpilogue = isa<Conv2dOp, MatmulOp>(call.contraction);
  while (!left.empty()) {
    if (!takesEpilogue || call.min || call.max || !call.result.hasOneUse())
      return std::nullopt;
    Operation *user = *call.result.user_begin();
    if (!left.erase(user) || user->getResult(0).getType() != call.result.getType())
      return std::nullopt;
    if (auto add = dyn_cast<AddOp>(user)) {
      Value other = add.getLhs() == call.result ? add.getRhs() : add.getLhs();
      if (Operation *def = other.getDefiningOp(); def && llvm::is_contained(ops, def))
        return std::nullopt;
      if (!call.bias && isBias(call.contraction, other, add.getType()))
        call.bias = other;
      else if (!call.residual && isa<Conv2dOp>(call.contraction) && other.getType() == add.getType())
        call.residual = other;
      else
        return std::nullopt;
    } else if (isa<ReluOp>(user)) {
      call.min = 0.0;
    } else if (auto clamp = dyn_cast<ClampOp>(user)) {
      call.min = clamp.getLow().convertToDouble();
      call.max = clamp.getHigh().convertToDouble();
    } else {
      return std::nullopt;
    }
    call.result = user->getResult(0);
  }
  return call;
}
