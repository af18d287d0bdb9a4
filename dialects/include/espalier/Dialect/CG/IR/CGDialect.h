//===- CGDialect.h - the computation-graph dialect --------------*- C++ -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGDIALECT_H
#define ESPALIER_DIALECT_CG_IR_CGDIALECT_H

#include "mlir/IR/Dialect.h"

#include "espalier/Dialect/CG/IR/CGDialect.h.inc"

#endif // ESPALIER_DIALECT_CG_IR_CGDIALECT_H
