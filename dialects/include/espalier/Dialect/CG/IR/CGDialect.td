//===- CGDialect.td - the computation-graph dialect --------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGDIALECT_TD
#define ESPALIER_DIALECT_CG_IR_CGDIALECT_TD

include "mlir/IR/DialectBase.td"

def CGDialect : Dialect {
  let name = "cg";
  let cppNamespace = "::espalier::cg";
  let summary = "Computation graphs of primitive neural-network operations";
  let description = [{
    A `cg.graph` is a flat, mode-free dataflow graph over ranked tensors with named parameters and states. Meaning is
    PyTorch's and ONNX's: NCHW activations, OIHW filters.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{ void registerAttributes(); }];
  
}

#endif // ESPALIER_DIALECT_CG_IR_CGDIALECT_TD
