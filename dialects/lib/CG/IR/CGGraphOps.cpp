//===- CGGraphOps.cpp - graphs, parameters, states ------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace espalier::cg;

//===----------------------------------------------------------------------===//
// GraphOp
//===----------------------------------------------------------------------===//

void GraphOp::build(OpBuilder &builder, OperationState &state, StringRef name, FunctionType type,
                    ArrayRef<NamedAttribute> attributes, ArrayRef<DictionaryAttr> argAttrs) {
  buildWithEntryBlock(builder, state, name, type, attributes, type.getInputs());
  if (argAttrs.empty())
    return;
  call_interface_impl::addArgAndResultAttrs(builder, state, argAttrs, /*resultAttrs=*/{},
                                            getArgAttrsAttrName(state.name), getResAttrsAttrName(state.name));
}

ParseResult GraphOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType = [](Builder &builder, ArrayRef<Type> arguments, ArrayRef<Type> results,
                      function_interface_impl::VariadicFlag,
                      std::string &) { return builder.getFunctionType(arguments, results); };
  return function_interface_impl::parseFunctionOp(parser, result, /*allowVariadic=*/false,
                                                  getFunctionTypeAttrName(result.name), buildType,
                                                  getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void GraphOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
                                           getArgAttrsAttrName(), getResAttrsAttrName());
}

std::string GraphOp::getArgumentName(unsigned index) {
  if (auto name = getArgAttrOfType<StringAttr>(index, getNameAttrName()))
    return name.str();
  return "arg" + std::to_string(index);
}

std::optional<int64_t> GraphOp::getDefaultSize(StringRef size) {
  auto defaults = (*this)->getAttrOfType<DictionaryAttr>(getDefaultSizesAttrName());
  auto number = defaults ? defaults.getAs<IntegerAttr>(size) : IntegerAttr();
  return number ? std::optional<int64_t>(number.getInt()) : std::nullopt;
}

ShapeContext GraphOp::getShapeContext(bool strict) {
  ShapeContext shapes(getOperationName(), getLoc(), strict);
  for (BlockArgument argument : getArguments()) {
    auto dims = getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), getDimsAttrName());
    auto type = cast<RankedTensorType>(argument.getType());
    if (!dims)
      continue;
    TensorShape shape{type.getElementType(), {}};
    for (auto [name, extent] : llvm::zip_equal(dims.getAsRange<StringAttr>(), type.getShape()))
      shape.dims.push_back(ShapedType::isDynamic(extent) ? DimExpr::symbol(name.getValue()) : DimExpr(extent));
    shapes.set(argument, std::move(shape));
  }
  return shapes;
}

static LogicalResult verifyDefaultSizes(GraphOp graph, const llvm::StringSet<> &symbols) {
  Attribute attribute = graph->getAttr(GraphOp::getDefaultSizesAttrName());
  if (!attribute)
    return success();
  auto defaults = dyn_cast<DictionaryAttr>(attribute);
  if (!defaults) // graph_c4
    return graph.emitOpError("expects 'cg.default_sizes' to map sizes to numbers, but got ") << attribute;
  for (NamedAttribute entry : defaults) {
    if (!symbols.contains(entry.getName())) // graph_c4
      return graph.emitOpError("expects 'cg.default_sizes' to hold sizes that 'cg.dims' names, but got ")
             << entry.getName();
    auto number = dyn_cast<IntegerAttr>(entry.getValue());
    if (!number || !number.getType().isSignlessInteger(64) || number.getInt() < 1) // graph_c4
      return graph.emitOpError("expects the default of size ")
             << entry.getName() << " to be an i64 number of at least 1, but got " << entry.getValue();
  }
  return success();
}

LogicalResult GraphOp::verify() {
  for (auto [types, what] : {std::pair(getArgumentTypes(), "arguments"), std::pair(getResultTypes(), "results")})
    for (Type type : types)
      if (!isa<RankedTensorType>(type)) // graph_c1
        return emitOpError("expects ranked tensors as ") << what << ", but got " << type;
  llvm::StringSet<> symbols;
  for (unsigned i = 0; i < getNumArguments(); ++i) {
    Attribute attribute = getArgAttr(i, getDimsAttrName());
    if (!attribute)
      continue;
    auto type = cast<RankedTensorType>(getArgumentTypes()[i]);
    auto dims = dyn_cast<ArrayAttr>(attribute);
    if (!dims || static_cast<int64_t>(dims.size()) != type.getRank()) // graph_c2
      return emitOpError("expects 'cg.dims' with ")
             << type.getRank() << " strings for argument " << i << ", but got " << attribute;
    for (auto [entry, extent] : llvm::zip_equal(dims, type.getShape())) {
      auto name = dyn_cast<StringAttr>(entry);
      bool matches = name && !name.empty() &&
                     (ShapedType::isDynamic(extent) ? !llvm::isDigit(name.getValue().front())
                                                    : name.getValue() == std::to_string(extent));
      if (!matches) // graph_c2
        return emitOpError("expects 'cg.dims' of argument ")
               << i << " to name the extents of " << type << ", but got " << entry;
      if (ShapedType::isDynamic(extent))
        symbols.insert(name.getValue());
    }
  }
  return verifyDefaultSizes(*this, symbols);
}

/// The kind of storage that a path names and its type, wherever the op holds them.
static std::optional<std::pair<std::string, Type>> storageOf(Operation &op) {
  auto key = [](StringRef path, std::optional<StringRef> slot) {
    return slot ? (path + "#" + *slot).str() : path.str();
  };
  if (auto parameter = dyn_cast<ParameterOp>(op))
    return std::pair(key(parameter.getPath(), {}), parameter.getType());
  if (auto state = dyn_cast<StateOp>(op))
    return std::pair(key(state.getPath(), state.getSlot()), state.getType());
  if (auto update = dyn_cast<UpdateOp>(op))
    return std::pair(key(update.getPath(), update.getSlot()), update.getValue().getType());
  if (auto gradient = dyn_cast<ParameterGradientOp>(op))
    return std::pair(key(gradient.getPath(), {}), gradient.getType());
  if (auto update = dyn_cast<ParameterUpdateOp>(op))
    return std::pair(key(update.getPath(), {}), update.getValue().getType());
  return std::nullopt;
}

LogicalResult GraphOp::verifyRegions() {
  llvm::StringMap<std::pair<Type, Operation *>> storages;
  for (Operation &op : getBody().front()) {
    auto storage = storageOf(op);
    if (!storage)
      continue;
    auto [it, inserted] = storages.try_emplace(storage->first, storage->second, &op);
    if (inserted || it->second.first == storage->second)
      continue;
    InFlightDiagnostic diag = op.emitOpError("expects '") // graph_c3
                              << storage->first << "' to have type " << it->second.first << ", but got "
                              << storage->second;
    diag.attachNote(it->second.second->getLoc()) << "first named here";
    return diag;
  }
  return success();
}

LogicalResult ReturnOp::verify() {
  auto graph = (*this)->getParentOfType<GraphOp>();
  if (getOperandTypes() != graph.getResultTypes()) // return_c1
    return emitOpError("expects operand types ")
           << TypeRange(graph.getResultTypes()) << ", but got " << TypeRange(getOperandTypes());
  return success();
}

//===----------------------------------------------------------------------===//
// Storage
//===----------------------------------------------------------------------===//

static LogicalResult verifyStorage(Operation *op, StringRef path) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (!type.hasStaticShape()) // parameter_c1, state_c1, hyper_c1
    return op->emitOpError("expects a static shape, but got ") << type;
  if (path.empty()) // parameter_c2, state_c2
    return op->emitOpError("expects a path that is not empty, but got \"\"");
  return success();
}

/// parameter_c3, state_c3
static LogicalResult verifyInit(Operation *op, std::optional<InitAttrInterface> init) {
  auto values = dyn_cast_or_null<ValuesAttr>(init.value_or(InitAttrInterface()));
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (values && values.getValues().getType().getShape() != type.getShape())
    return op->emitOpError("expects initial values of the shape of ")
           << type << ", but got " << values.getValues().getType();
  return success();
}

LogicalResult ParameterOp::verify() {
  return success(succeeded(verifyStorage(*this, getPath())) && succeeded(verifyInit(*this, getInit())));
}
LogicalResult StateOp::verify() {
  return success(succeeded(verifyStorage(*this, getPath())) && succeeded(verifyInit(*this, getInit())));
}
LogicalResult HyperOp::verify() { return verifyStorage(*this, getName()); }

// Reading and writing storage is free: what uses the value counts its bytes.
OpCost ParameterOp::getCost(ShapeContext &) { return {}; }
OpCost StateOp::getCost(ShapeContext &) { return {}; }
OpCost HyperOp::getCost(ShapeContext &) { return {}; }
OpCost UpdateOp::getCost(ShapeContext &) { return {}; }
OpCost ParameterGradientOp::getCost(ShapeContext &) { return {}; }
OpCost ParameterUpdateOp::getCost(ShapeContext &) { return {}; }
