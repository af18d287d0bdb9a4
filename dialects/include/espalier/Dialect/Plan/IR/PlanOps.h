//===- PlanOps.h - Operations of the `plan` dialect --------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_PLAN_IR_PLANOPS_H
#define ESPALIER_DIALECT_PLAN_IR_PLANOPS_H

#include "espalier/Dialect/Plan/IR/PlanDialect.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "espalier/Dialect/Plan/IR/PlanOps.h.inc"

#endif // ESPALIER_DIALECT_PLAN_IR_PLANOPS_H
