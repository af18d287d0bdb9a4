//===- CGElementwiseInterface.td - elementwise operations ---*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGELEMENTWISEINTERFACE_TD
#define ESPALIER_DIALECT_CG_IR_CGELEMENTWISEINTERFACE_TD

include "mlir/IR/OpBase.td"

def CG_ElementwiseOpInterface : OpInterface<"ElementwiseOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{
    Each result element is one scalar function of the operand elements at its place, operands broadcast as in NumPy:
    shapes are aligned at the right, and an extent of 1, or a missing one, repeats. Shape, cost and reference
    evaluation follow from that.
  }];
  let methods = [
    InterfaceMethod<"The scalar function, in float64.", "double", "evaluateScalar",
                    (ins "::llvm::ArrayRef<double>":$operands)>,
    InterfaceMethod<"Arithmetic operations for one result element.", "int64_t", "getFlopsPerElement", (ins), [{}],
                    [{ return 1; }]>];
  let extraTraitClassDeclaration = [{
    template <typename AdaptorT>
    static ::llvm::LogicalResult inferShapes(AdaptorT adaptor, ::espalier::cg::ShapeContext &shapes,
                                             ::llvm::SmallVectorImpl<::espalier::cg::TensorShape> &results) {
      return ::espalier::cg::inferElementwiseShape(adaptor.getOperands(), shapes, results);
    }
    ::espalier::cg::OpCost getCost(::espalier::cg::ShapeContext &shapes) {
      return ::espalier::cg::elementwiseCost(this->getOperation(), shapes);
    }
    ::llvm::LogicalResult evaluate(::llvm::ArrayRef<const ::espalier::cg::ReferenceTensor *> operands,
                                   ::llvm::MutableArrayRef<::espalier::cg::ReferenceTensor> results) {
      return ::espalier::cg::evaluateElementwise(this->getOperation(), operands, results[0]);
    }
  }];
}

#endif // ESPALIER_DIALECT_CG_IR_CGELEMENTWISEINTERFACE_TD
