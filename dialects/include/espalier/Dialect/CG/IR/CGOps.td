//===- CGOps.td - all operations of the cg dialect ---------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGOPS_TD
#define ESPALIER_DIALECT_CG_IR_CGOPS_TD

include "espalier/Dialect/CG/IR/CGElementwiseOps.td"
include "espalier/Dialect/CG/IR/CGFusedOps.td"
include "espalier/Dialect/CG/IR/CGGraphOps.td"
include "espalier/Dialect/CG/IR/CGNNOps.td"
include "espalier/Dialect/CG/IR/CGTensorOps.td"

#endif // ESPALIER_DIALECT_CG_IR_CGOPS_TD
