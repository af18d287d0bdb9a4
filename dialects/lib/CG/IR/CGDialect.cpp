//===- CGDialect.cpp - the computation-graph dialect ----------------------===//

#include "espalier/Dialect/CG/IR/CGDialect.h"
#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;
using namespace espalier::cg;

#include "espalier/Dialect/CG/IR/CGDialect.cpp.inc"

#include "espalier/Dialect/CG/IR/CGInterfaces.cpp.inc"

#include "espalier/Dialect/CG/IR/CGElementwiseInterface.cpp.inc"

#define GET_OP_CLASSES
#include "espalier/Dialect/CG/IR/CGOps.cpp.inc"

void CGDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "espalier/Dialect/CG/IR/CGOps.cpp.inc"
      >();
}

Operation *CGDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, elements);
}
