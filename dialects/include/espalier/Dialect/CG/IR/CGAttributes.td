//===- CGAttributes.td - attributes of the cg dialect ------*- tablegen -*-===//

#ifndef ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_TD
#define ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_TD

include "espalier/Dialect/CG/IR/CGDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/Interfaces.td"

def CG_InitAttrInterface : AttrInterface<"InitAttrInterface"> {
  let cppNamespace = "::espalier::cg";
  let description = [{ How a parameter or state starts, before training or when no file gives its value. }];
  let methods = [InterfaceMethod<
    "What elements of a tensor of this shape start as; the values of a distribution are drawn independently.",
    "::espalier::cg::InitDistribution", "resolve", (ins "::llvm::ArrayRef<int64_t>":$shape)>];
}

class CG_Attr<string name, string attrMnemonic, list<Trait> traits = []> : AttrDef<CGDialect, name, traits> {
  let mnemonic = attrMnemonic;
}
class CG_InitAttr<string name, string attrMnemonic>
    : CG_Attr<name, attrMnemonic, [DeclareAttrInterfaceMethods<CG_InitAttrInterface>]>;

def CG_FillAttr : CG_InitAttr<"Fill", "fill"> {
  let summary = "every element has one value: `#cg.fill<0.0 : f64>`";
  let parameters = (ins "::mlir::FloatAttr":$value);
  let assemblyFormat = "`<` $value `>`";
}
def CG_UniformAttr : CG_InitAttr<"Uniform", "uniform"> {
  let summary = "uniform in [low, high): `#cg.uniform<-0.1 : f64, 0.1 : f64>`";
  let parameters = (ins "::mlir::FloatAttr":$low, "::mlir::FloatAttr":$high);
  let assemblyFormat = "`<` $low `,` $high `>`";
}
def CG_NormalAttr : CG_InitAttr<"Normal", "normal"> {
  let summary = "normal with this mean and standard deviation: `#cg.normal<0.0 : f64, 0.01 : f64>`";
  let parameters = (ins "::mlir::FloatAttr":$mean, "::mlir::FloatAttr":$deviation);
  let assemblyFormat = "`<` $mean `,` $deviation `>`";
}

def CG_ValuesAttr : CG_InitAttr<"Values", "values"> {
  let summary = "every element has its own value: `#cg.values<dense<[0.5, 1.5]> : tensor<2xf64>>`";
  let parameters = (ins "::mlir::DenseFPElementsAttr":$values);
  let assemblyFormat = "`<` $values `>`";
}

def CG_FanMode : I32EnumAttr<"FanMode", "connections that keep their variance", [
    I32EnumAttrCase<"fan_in", 0>, I32EnumAttrCase<"fan_out", 1>]> {
  let cppNamespace = "::espalier::cg";
  let genSpecializedAttr = 0;
}
def CG_KaimingUniformAttr : CG_InitAttr<"KaimingUniform", "kaiming_uniform"> {
  let summary = "He et al. 2015, section 2.2: uniform within +-gain * sqrt(3 / fan)";
  let parameters = (ins "::espalier::cg::FanMode":$fan, "::mlir::FloatAttr":$gain);
  let assemblyFormat = "`<` $fan `,` $gain `>`";
}
def CG_KaimingNormalAttr : CG_InitAttr<"KaimingNormal", "kaiming_normal"> {
  let summary = "He et al. 2015, section 2.2: normal with deviation gain / sqrt(fan)";
  let parameters = (ins "::espalier::cg::FanMode":$fan, "::mlir::FloatAttr":$gain);
  let assemblyFormat = "`<` $fan `,` $gain `>`";
}

def CG_ComparePredicate : I32EnumAttr<"ComparePredicate", "comparison", [
    I32EnumAttrCase<"eq", 0>, I32EnumAttrCase<"ne", 1>, I32EnumAttrCase<"lt", 2>,
    I32EnumAttrCase<"le", 3>, I32EnumAttrCase<"gt", 4>, I32EnumAttrCase<"ge", 5>]> {
  let cppNamespace = "::espalier::cg";
  let genSpecializedAttr = 0;
}
def CG_ComparePredicateAttr : EnumAttr<CGDialect, CG_ComparePredicate, "predicate">;

#endif // ESPALIER_DIALECT_CG_IR_CGATTRIBUTES_TD
