//===- PlanDialect.cpp - The `plan` dialect, its enums and attributes -----===//

#include "espalier/Dialect/Plan/IR/PlanDialect.h"

#include "espalier/Dialect/Plan/IR/PlanOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace espalier::plan;

#include "espalier/Dialect/Plan/IR/PlanDialect.cpp.inc"
#include "espalier/Dialect/Plan/IR/PlanEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "espalier/Dialect/Plan/IR/PlanAttrs.cpp.inc"

void PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "espalier/Dialect/Plan/IR/PlanAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "espalier/Dialect/Plan/IR/PlanOps.cpp.inc"
      >();
}

std::optional<int64_t> espalier::plan::getByteSize(MemRefType type) {
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t extent : type.getShape())
    if (llvm::MulOverflow(bytes, extent, bytes))
      return std::nullopt;
  if (bytes >= int64_t(1) << 46)
    return std::nullopt;
  return bytes;
}

LogicalResult KernelAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t extent,
                                 std::optional<int64_t> grain) {
  if (extent < 1) // kernel_c1
    return emitError() << "'plan.kernel' attribute expects a positive extent, but got " << extent;
  if (grain && (*grain < 1 || *grain > extent)) // kernel_c1
    return emitError() << "'plan.kernel' attribute expects a grain in [1, " << extent << "], but got " << *grain;
  return success();
}

LogicalResult PlanDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == tileAttrName) {
    if (!isa<UnitAttr>(attribute.getValue()))
      return op->emitOpError("expects 'plan.tile' to be a unit, but got ") << attribute.getValue();
    return success();
  }
  if (attribute.getName() == candidateAttrName || attribute.getName() == reasonAttrName) {
    if (!isa<StringAttr>(attribute.getValue()))
      return op->emitOpError("expects '")
             << attribute.getName().getValue() << "' to be a string, but got " << attribute.getValue();
    return success();
  }
  if (attribute.getName() != kernelAttrName)
    return op->emitOpError("has unknown attribute '") << attribute.getName().getValue() << "' of dialect 'plan'";
  auto func = dyn_cast<func::FuncOp>(op);
  if (!func)
    return op->emitOpError("expects no 'plan.kernel' attribute: only 'func.func' can be a kernel");
  if (!isa<KernelAttr>(attribute.getValue()))
    return op->emitOpError("expects 'plan.kernel' to be a '#plan.kernel' attribute, but got ") << attribute.getValue();

  ArrayRef<Type> inputs = func.getArgumentTypes();
  if (func.getNumResults() != 0 || inputs.size() < 2 || !inputs.back().isIndex() ||
      !inputs[inputs.size() - 2].isIndex()) // kernel_c2
    return op->emitOpError("expects a kernel to have no results and two last arguments of type 'index', but got ")
           << func.getFunctionType();
  for (auto [index, input] : llvm::enumerate(inputs.drop_back(2))) {
    auto type = dyn_cast<MemRefType>(input);
    if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity() || type.getMemorySpace()) // kernel_c3
      return op->emitOpError("expects argument #")
             << index << " of a kernel to be a memref of static shape and identity layout, but got " << input;
  }
  return success();
}
