//===- CGOps.h - operations of the cg dialect -------------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGOPS_H
#define ESPALIER_DIALECT_CG_IR_CGOPS_H

#include "espalier/Dialect/CG/IR/CGAttributes.h"
#include "espalier/Dialect/CG/IR/CGDialect.h"
#include "espalier/Dialect/CG/IR/CGInterfaces.h"
#include "espalier/Dialect/CG/IR/Elementwise.h"
#include "espalier/Dialect/CG/IR/Window.h"

#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "espalier/Dialect/CG/IR/CGOps.h.inc"

#endif // ESPALIER_DIALECT_CG_IR_CGOPS_H
