//===- GraphBuilder.cpp - Operations of one cg.graph ----------------------===//

#include "GraphBuilder.h"
#include "mlir/IR/Verifier.h"

using namespace espalier;
using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

namespace {
/// Takes the first error emitted in its scope instead of letting it out.
class Capture {
public:
  Capture(mlir::MLIRContext *context, std::string &text)
      : handler(context, [&text](mlir::Diagnostic &diag) {
          if (text.empty() && diag.getSeverity() == mlir::DiagnosticSeverity::Error)
            text = diag.str();
          return mlir::success();
        }) {}

private:
  mlir::ScopedDiagnosticHandler handler;
};
} // namespace

GraphBuilder::GraphBuilder(mlir::ModuleOp module, mlir::Location loc, StringRef name, bool isFn)
    : builder(mlir::OpBuilder::atBlockEnd(module.getBody())),
      graph(cg::GraphOp::create(builder, loc, name, builder.getFunctionType({}, {}))),
      shapes(cg::GraphOp::getOperationName(), loc, /*strict=*/true) {
  if (isFn)
    graph->setAttr("cg.fn", builder.getUnitAttr());
  builder.setInsertionPointToStart(&graph.getBody().front());
}

mlir::Value GraphBuilder::addArgument(mlir::Location loc, StringRef name, cg::TensorShape shape) {
  SmallVector<int64_t> extents;
  SmallVector<mlir::Attribute> dims;
  for (const cg::DimExpr &dim : shape.dims) {
    extents.push_back(dim.getConstant().value_or(mlir::ShapedType::kDynamic));
    dims.push_back(builder.getStringAttr(dim.str()));
  }
  mlir::NamedAttribute attributes[] = {
      {builder.getStringAttr(cg::GraphOp::getNameAttrName()), builder.getStringAttr(name)},
      {builder.getStringAttr(cg::GraphOp::getDimsAttrName()), builder.getArrayAttr(dims)}};
  unsigned index = graph.getNumArguments();
  (void)graph.insertArgument(index, mlir::RankedTensorType::get(extents, shape.elementType),
                             builder.getDictionaryAttr(attributes), loc);
  mlir::Value argument = graph.getArgument(index);
  shapes.set(argument, std::move(shape));
  return argument;
}

mlir::Type GraphBuilder::typeOf(const cg::TensorShape &shape, std::string &error) {
  Capture capture(builder.getContext(), error);
  SmallVector<mlir::Type, 1> types;
  if (mlir::failed(shapes.appendTypes(shape, types)))
    return {};
  return types.front();
}

mlir::Value GraphBuilder::create(mlir::Location loc, StringRef name, mlir::ValueRange operands,
                                 ArrayRef<mlir::NamedAttribute> attributes, StringRef scope, std::string &error) {
  mlir::OperationState state(loc, name);
  state.addOperands(operands);
  state.addAttributes(attributes);
  if (!scope.empty())
    state.addAttribute("cg.scope", builder.getStringAttr(scope));
  // The shape function reads operands and attributes of the operation; the real type follows.
  state.addTypes(builder.getNoneType());
  mlir::Operation *op = builder.create(state);
  {
    Capture capture(builder.getContext(), error);
    SmallVector<cg::TensorShape, 1> results;
    SmallVector<mlir::Type, 1> types;
    shapes.moveTo(op->getName().getStringRef(), loc);
    if (mlir::succeeded(llvm::cast<cg::ShapeOpInterface>(op).inferResultShapes(shapes, results)) &&
        mlir::succeeded(shapes.appendTypes(results, types))) {
      op->getResult(0).setType(types.front());
      shapes.set(op->getResult(0), std::move(results.front()));
      if (mlir::succeeded(mlir::verify(op))) {
        ++ops;
        return op->getResult(0);
      }
    }
  }
  op->erase();
  return {};
}

mlir::Value GraphBuilder::storage(mlir::Location loc, bool isState, StringRef path, const cg::TensorShape &shape,
                                  mlir::Attribute init, StringRef scope, mlir::Operation *&previous,
                                  std::string &error) {
  shapes.moveTo(isState ? "cg.state" : "cg.parameter", loc);
  mlir::Type type = typeOf(shape, error);
  if (!type)
    return {};
  if (mlir::Operation *first = storages.lookup(path)) {
    if (llvm::isa<cg::StateOp>(first) == isState && first->getResult(0).getType() == type &&
        first->getAttr("init") == init)
      return first->getResult(0);
    previous = first;
    return {};
  }
  mlir::OperationState state(loc, isState ? "cg.state" : "cg.parameter");
  state.addAttribute("path", builder.getStringAttr(path));
  if (init)
    state.addAttribute("init", init);
  if (!scope.empty())
    state.addAttribute("cg.scope", builder.getStringAttr(scope));
  state.addTypes(type);
  mlir::Operation *op = builder.create(state);
  {
    Capture capture(builder.getContext(), error);
    if (mlir::failed(mlir::verify(op))) {
      op->erase();
      return {};
    }
  }
  ++ops;
  shapes.set(op->getResult(0), shape);
  storages[path] = op;
  return op->getResult(0);
}

mlir::Value GraphBuilder::constant(mlir::Location loc, const cg::TensorShape &shape, ArrayRef<mlir::Attribute> elements,
                                   std::string &error) {
  shapes.moveTo("cg.constant", loc);
  mlir::Type type = typeOf(shape, error);
  if (!type)
    return {};
  ++ops;
  mlir::Value result =
      cg::ConstantOp::create(builder, loc, mlir::DenseElementsAttr::get(llvm::cast<mlir::ShapedType>(type), elements));
  shapes.set(result, shape);
  return result;
}

mlir::Value GraphBuilder::scalar(mlir::Location loc, mlir::TypedAttr value) {
  auto type = mlir::RankedTensorType::get({}, value.getType());
  ++ops;
  mlir::Value result = cg::ConstantOp::create(builder, loc, mlir::DenseElementsAttr::get(type, mlir::Attribute(value)));
  shapes.set(result, {value.getType(), {}});
  return result;
}

void GraphBuilder::finish(mlir::ValueRange results) {
  cg::ReturnOp::create(builder, graph.getLoc(), results);
  if (!defaultSizes.empty())
    graph->setAttr(cg::GraphOp::getDefaultSizesAttrName(), defaultSizes.getDictionary(builder.getContext()));
  graph.setType(builder.getFunctionType(graph.getArgumentTypes(), results.getTypes()));
}

void GraphBuilder::abandon() { graph.erase(); }
