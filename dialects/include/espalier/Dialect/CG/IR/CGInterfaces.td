//===- CGInterfaces.td - what a pass may ask of an op ------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGINTERFACES_TD
#define ESPALIER_DIALECT_CG_IR_CGINTERFACES_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def CG_ShapeOpInterface : OpInterface<"ShapeOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{
    An op writes one shape function,
    `static LogicalResult inferShapes(Adaptor, ShapeContext &, SmallVectorImpl<TensorShape> &)`, over symbolic extents.
    Type inference, verification, the language's unification and the cost analysis are all derived from it.
  }];
  let methods = [InterfaceMethod<
    [{Appends the shape of each result, given the operand shapes that `context` knows. Emits an error and fails when
      the operands do not fit together.}],
    "::llvm::LogicalResult", "inferResultShapes",
    (ins "::espalier::cg::ShapeContext &":$context,
         "::llvm::SmallVectorImpl<::espalier::cg::TensorShape> &":$results), [{}], [{
      return ConcreteOp::inferShapes(typename ConcreteOp::Adaptor($_op), context, results);
    }]>];
  let extraTraitClassDeclaration = [{
    static ::llvm::LogicalResult inferReturnTypes(
        ::mlir::MLIRContext *context, ::std::optional<::mlir::Location> location, ::mlir::ValueRange operands,
        ::mlir::DictionaryAttr attributes, ::mlir::OpaqueProperties properties, ::mlir::RegionRange regions,
        ::llvm::SmallVectorImpl<::mlir::Type> &types) {
      // A parsed op that infers its type has the attributes of its dictionary there only, and unchecked.
      using Properties = typename ConcreteOp::Properties;
      Properties complete;
      if constexpr (!::std::is_same_v<Properties, ::mlir::EmptyProperties>) {
        if (properties)
          complete = *properties.as<Properties *>();
        for (::mlir::NamedAttribute attribute : attributes)
          ConcreteOp::setInherentAttr(complete, attribute.getName(), attribute.getValue());
      }
      typename ConcreteOp::Adaptor adaptor(operands, attributes, complete, regions);
      if (::llvm::failed(adaptor.verify(location.value_or(::mlir::UnknownLoc::get(context)))))
        return ::llvm::failure();
      ::espalier::cg::ShapeContext shapes(ConcreteOp::getOperationName(), location);
      ::llvm::SmallVector<::espalier::cg::TensorShape, 2> results;
      if (::llvm::failed(ConcreteOp::inferShapes(adaptor, shapes, results)))
        return ::llvm::failure();
      return shapes.appendTypes(results, types);
    }
  }];
}

def CG_CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{
    Work and traffic of one execution. MACs count multiply-accumulates of convolutions and matrix products alone.
    FLOPs are 2 x MACs for these and, for every other op, the arithmetic operations the definition names: one for each
    elementwise result and each reduced input. Bytes read and written are those of operands and results.
  }];
  let methods = [InterfaceMethod<
    "Cost as expressions in the graph's symbolic sizes.",
    "::espalier::cg::OpCost", "getCost", (ins "::espalier::cg::ShapeContext &":$shapes)>];
}

def CG_DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let methods = [InterfaceMethod<
    [{Builds the vector-Jacobian product as ops of this dialect. `cotangents` holds one value per result, null where
      no cotangent reaches that result. Sets `gradients[i]` for each operand i with `needed[i]`; null stays "zero".
      Fails, having emitted an error, where no derivative is defined.}],
    "::llvm::LogicalResult", "buildVjp",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$cotangents,
         "::llvm::ArrayRef<bool>":$needed, "::llvm::MutableArrayRef<::mlir::Value>":$gradients)>];
}

def CG_LinearOpInterface : OpInterface<"LinearOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let methods = [InterfaceMethod<
    "Is the first result linear (no constant term) in this operand, the others held fixed?",
    "bool", "isLinearIn", (ins "unsigned":$operandIndex)>];
}

//===----------------------------------------------------------------------===//
// Precision
//===----------------------------------------------------------------------===//

// What an op does where precision is mixed, see `cg-mixed-precision`. An op with none of these traits follows its
// operands: it computes in the narrow type if all of them come in it, else in f32.

/// Takes and gives the narrow type, whatever comes, and accumulates in f32: the bulk of the work.
def CG_ComputesNarrow : NativeOpTrait<"ComputesNarrow"> { let cppNamespace = "::espalier::cg"; }
/// Computes in f32: sums over many elements, and functions that amplify rounding errors.
def CG_ComputesWide : NativeOpTrait<"ComputesWide"> { let cppNamespace = "::espalier::cg"; }
/// Computes in f32, but the first result is an activation like the first operand: it goes on in that one's type.
def CG_NormalisesWide : NativeOpTrait<"NormalisesWide"> { let cppNamespace = "::espalier::cg"; }

def CG_ReferenceOpInterface : OpInterface<"ReferenceOpInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{
    Evaluation on the host in float64: slow, obvious, and what every compiled kernel is compared with. Nothing is ever
    rounded to the element type, not even by a `cg.cast`: a graph of mixed precision has the value of the f32 graph it
    was made from.
  }];
  let methods = [InterfaceMethod<
    [{Computes all results. Each `results[i]` arrives with its shape and element type set and its data zero.}],
    "::llvm::LogicalResult", "evaluate",
    (ins "::llvm::ArrayRef<const ::espalier::cg::ReferenceTensor *>":$operands,
         "::llvm::MutableArrayRef<::espalier::cg::ReferenceTensor>":$results)>];
}

#endif // ESPALIER_DIALECT_CG_IR_CGINTERFACES_TD
