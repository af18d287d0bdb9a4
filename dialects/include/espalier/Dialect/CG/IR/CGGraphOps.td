//===- CGGraphOps.td - graphs, parameters, states ----------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGGRAPHOPS_TD
#define ESPALIER_DIALECT_CG_IR_CGGRAPHOPS_TD

include "espalier/Dialect/CG/IR/CGBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"

def CG_GraphOp : CG_Op<"graph", [IsolatedFromAbove, FunctionOpInterface, SingleBlock]> {
  let summary = "a computation graph";
  let description = [{
    A function over ranked tensors whose body is one block of `cg` ops, ended by `cg.return`. The argument attribute
    `cg.name` names an argument for people and files; `cg.dims` names its extents: one string for each, a symbol or a
    number. The graph attribute `cg.default_sizes` says which number a symbol has where nobody asks for another one.

    C1. Arguments and results are ranked tensors.
    C2. `cg.dims`, when present, has one entry for each extent, numbers where the type is static.
    C3. A path names one parameter or state: ops with equal paths have equal types.
    C4. `cg.default_sizes`, when present, gives i64 numbers >= 1 to symbols that `cg.dims` of some argument names.

    ```mlir
    cg.graph @net(%x: tensor<?x4xf32> {cg.name = "x", cg.dims = ["N", "4"]}) -> tensor<?x2xf32>
        attributes {cg.default_sizes = {N = 1 : i64}} {
      %w = cg.parameter "fc.weight" : tensor<2x4xf32> init #cg.kaiming_normal<fan_in, 1.0 : f64>
      %y = cg.matmul %x, %w transpose_b : tensor<?x4xf32>, tensor<2x4xf32>
      cg.return %y : tensor<?x2xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
                       OptionalAttr<StrAttr>:$sym_visibility, OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region SizedRegion<1>:$body);
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::FunctionType":$type,
                                 CArg<"::llvm::ArrayRef<::mlir::NamedAttribute>", "{}">:$attributes,
                                 CArg<"::llvm::ArrayRef<::mlir::DictionaryAttr>", "{}">:$argAttrs)>];
  let extraClassDeclaration = [{
    ::mlir::Region *getCallableRegion() { return &getBody(); }
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }

    /// Names of an argument's extents and of the argument itself.
    static ::llvm::StringRef getDimsAttrName() { return "cg.dims"; }
    static ::llvm::StringRef getNameAttrName() { return "cg.name"; }
    /// Numbers of symbols that nobody binds.
    static ::llvm::StringRef getDefaultSizesAttrName() { return "cg.default_sizes"; }
    /// The name of argument `index`: `cg.name`, or `arg<index>`.
    ::std::string getArgumentName(unsigned index);
    /// The number that the symbol `size` has where nobody asks for another one.
    ::std::optional<int64_t> getDefaultSize(::llvm::StringRef size);
    /// A context that knows the symbolic shape of each argument.
    ::espalier::cg::ShapeContext getShapeContext(bool strict = false);
  }];
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def CG_ReturnOp : CG_Op<"return", [Pure, Terminator, ReturnLike, HasParent<"GraphOp">]> {
  let summary = "the results of a graph";
  let description = [{
    C1. Operand types equal the graph's result types.

    ```mlir
    cg.return %y : tensor<8x10xf32>
    ```
  }];
  let arguments = (ins Variadic<CG_Tensor>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
  let hasVerifier = 1;
}

def CG_ParameterOp : CG_Op<"parameter", [Pure, DeclareOpInterfaceMethods<CG_CostOpInterface>]> {
  let summary = "a trainable tensor, by name";
  let description = [{
    Its value during one run of the graph. Paths are those that PyTorch would use, so that weight files exchange by name.

    C1. The type is static and floating-point.
    C2. The path is not empty.
    C3. Initial values of the elements have the shape of the type.

    ```mlir
    %w = cg.parameter "conv1.weight" : tensor<64x3x7x7xf32> init #cg.kaiming_normal<fan_out, 1.41421356 : f64>
    ```
  }];
  let arguments = (ins StrAttr:$path, OptionalAttr<CG_InitAttrInterface>:$init);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = "$path attr-dict `:` type($result) (`init` $init^)?";
  let hasVerifier = 1;
}

def CG_StateOp : CG_Op<"state", [Pure, DeclareOpInterfaceMethods<CG_CostOpInterface>]> {
  let summary = "a tensor that outlives a run and is not trained, by name";
  let description = [{
    Its value when the run starts: a running statistic, or, with `slot`, what an optimiser keeps for the parameter at
    `path` under that name.

    C1. The type is static.
    C2. The path is not empty.
    C3. Initial values of the elements have the shape of the type.

    ```mlir
    %m = cg.state "bn1.running_mean" : tensor<64xf32> init #cg.fill<0.0 : f64>
    %v = cg.state "conv1.weight" slot "momentum" : tensor<64x3x7x7xf32> init #cg.fill<0.0 : f64>
    %s = cg.state "conv2.weight" slot "gradient_scale" : tensor<1x3xf32> init #cg.values<dense<[[0.9, 1.2, 0.9]]> : tensor<1x3xf64>>
    ```
  }];
  let arguments = (ins StrAttr:$path, OptionalAttr<StrAttr>:$slot, OptionalAttr<CG_InitAttrInterface>:$init);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$path (`slot` $slot^)? attr-dict `:` type($result) (`init` $init^)?";
  let hasVerifier = 1;
}

def CG_UpdateOp : CG_Op<"update", [DeclareOpInterfaceMethods<CG_CostOpInterface>]> {
  let summary = "the value of a state after the run";
  let description = [{
    ```mlir
    cg.update "bn1.running_mean", %new : tensor<64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$path, OptionalAttr<StrAttr>:$slot, CG_Tensor:$value);
  let assemblyFormat = "$path (`slot` $slot^)? `,` $value attr-dict `:` type($value)";
}

def CG_HyperOp : CG_Op<"hyper", [Pure, DeclareOpInterfaceMethods<CG_CostOpInterface>]> {
  let summary = "a number that the caller gives to each run, by name";
  let description = [{
    The learning rate of this step, the number of the step, the seed of random numbers.

    C1. The type is static.

    ```mlir
    %lr = cg.hyper "learning_rate" : tensor<f32>
    ```
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs CG_Tensor:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def CG_ParameterGradientOp : CG_Op<"parameter_gradient", [SameOperandsAndResultType, DeclareOpInterfaceMethods<CG_CostOpInterface>]> {
  let summary = "marks the summed cotangent of a parameter";
  let description = [{
    The identity. Every rewrite of gradients (clipping, scaling, reduction over devices) works between this mark and
    `cg.parameter_update`. Both vanish before kernels are made. It stays without uses, since a gradient may be wanted
    for itself.

    ```mlir
    %g = cg.parameter_gradient "conv1.weight", %dw : tensor<64x3x7x7xf32>
    ```
  }];
  let arguments = (ins StrAttr:$path, CG_FloatTensor:$gradient);
  let results = (outs CG_FloatTensor:$result);
  let assemblyFormat = "$path `,` $gradient attr-dict `:` type($gradient)";
}

def CG_ParameterUpdateOp : CG_Op<"parameter_update", [DeclareOpInterfaceMethods<CG_CostOpInterface>]> {
  let summary = "marks the value of a parameter after the step";
  let description = [{
    ```mlir
    cg.parameter_update "conv1.weight", %new : tensor<64x3x7x7xf32>
    ```
  }];
  let arguments = (ins StrAttr:$path, CG_FloatTensor:$value);
  let assemblyFormat = "$path `,` $value attr-dict `:` type($value)";
}

#endif // ESPALIER_DIALECT_CG_IR_CGGRAPHOPS_TD
