//===- Contraction.cpp - convolutions, products, what follows them --------===//

#include "espalier/Conversion/CGToPlan/Contraction.h"

#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace espalier::cg;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

bool espalier::cg::isContraction(Operation *op) {
  return isa<Conv2dOp, Conv2dInputGradientOp, Conv2dFilterGradientOp, MatmulOp>(op);
}

Operation *espalier::cg::findContraction(GroupOp group) {
  for (Operation &op : group.getBody().front())
    if (isContraction(&op))
      return &op;
  return nullptr;
}

WindowAttrs espalier::cg::getConvolutionWindow(Operation *op) {
  if (auto conv = dyn_cast<Conv2dOp>(op))
    return conv.getWindow();
  if (auto gradient = dyn_cast<Conv2dInputGradientOp>(op))
    return gradient.getWindow();
  return cast<Conv2dFilterGradientOp>(op).getWindow();
}

/// Is operand 1 of a contraction in a group a weight, in a graph that updates none?
static bool hasConstantWeights(Operation *op) {
  auto group = op->getParentOfType<GroupOp>();
  auto graph = op->getParentOfType<GraphOp>();
  auto inside = dyn_cast<BlockArgument>(op->getOperand(1));
  if (!group || !graph || !inside)
    return false;
  auto argument = dyn_cast<BlockArgument>(group.getInputs()[inside.getArgNumber()]);
  if (!argument)
    return false;
  auto role = graph.getArgAttrOfType<StringAttr>(argument.getArgNumber(), roleAttrName);
  return role && (role == "parameter" || role == "state" || role == "packed") &&
         llvm::none_of(llvm::seq(graph.getNumResults()),
                       [&](unsigned result) { return graph.getResultAttr(result, tiedAttrName); });
}

std::string espalier::cg::getContractionSignature(Operation *op) {
  std::string text;
  llvm::raw_string_ostream os(text);
  Type element = getTensorType(op->getOperand(0)).getElementType(),
       result = getTensorType(op->getResult(0)).getElementType();
  os << op->getName().stripDialect() << ':' << element;
  if (result != element)
    os << '-' << result;
  auto addShape = [&](Value value) {
    os << ':';
    llvm::interleave(getTensorType(value).getShape(), os, "x");
  };
  if (auto matmul = dyn_cast<MatmulOp>(op)) {
    addShape(matmul.getLhs());
    addShape(matmul.getRhs());
    os << (matmul.getTransposeA() ? ":t" : ":n") << (matmul.getTransposeB() ? 't' : 'n')
       << (hasConstantWeights(op) ? ":constant" : "");
    return text;
  }
  for (Value operand : op->getOperands().take_front(2))
    addShape(operand);
  addShape(op->getResult(0));
  WindowAttrs window = getConvolutionWindow(op);
  os << ":s" << window.strides[0] << 'x' << window.strides[1] << ":p";
  llvm::interleave(window.pads, os, "x");
  os << ":d" << window.dilations[0] << 'x' << window.dilations[1] << ":g" << window.groups
     << (hasConstantWeights(op) ? ":constant" : "");
  return text;
}

/// Is `value` one number for each channel, or column, of `result`?
static bool isBias(Operation *contraction, Value value, RankedTensorType result) {
  RankedTensorType type = getTensorType(value);
  int64_t fromRight = isa<Conv2dOp>(contraction) ? 3 : 1; // place of the dimension
  int64_t extent = result.getDimSize(result.getRank() - fromRight);
  if (type.getRank() < fromRight || type.getNumElements() != extent)
    return false;
  return type.getDimSize(type.getRank() - fromRight) == extent;
}

std::optional<ContractionChain> espalier::cg::matchContractionChain(ArrayRef<Operation *> ops) {
  ContractionChain chain;
  llvm::SmallPtrSet<Operation *, 8> left;
  for (Operation *op : ops) {
    if (isa<ConstantOp>(op))
      continue;
    left.insert(op);
    if (!isContraction(op))
      continue;
    if (chain.contraction)
      return std::nullopt;
    chain.contraction = op;
  }
  if (!chain.contraction)
    return std::nullopt;

  chain.result = chain.contraction->getResult(0);
  left.erase(chain.contraction);
  bool takesEpilogue = isa<Conv2dOp, MatmulOp>(chain.contraction);
  while (!left.empty()) {
    if (!takesEpilogue || chain.min || chain.max || !chain.result.hasOneUse())
      return std::nullopt;
    Operation *user = *chain.result.user_begin();
    if (!left.erase(user) || user->getResult(0).getType() != chain.result.getType())
      return std::nullopt;
    if (auto add = dyn_cast<AddOp>(user)) {
      Value other = add.getLhs() == chain.result ? add.getRhs() : add.getLhs();
      if (Operation *def = other.getDefiningOp(); def && llvm::is_contained(ops, def))
        return std::nullopt;
      if (!chain.bias && isBias(chain.contraction, other, add.getType()))
        chain.bias = other;
      else if (!chain.residual && isa<Conv2dOp>(chain.contraction) && other.getType() == add.getType())
        chain.residual = other;
      else
        return std::nullopt;
    } else if (isa<ReluOp>(user)) {
      chain.min = 0.0;
    } else if (auto clamp = dyn_cast<ClampOp>(user)) {
      chain.min = clamp.getLow().convertToDouble();
      chain.max = clamp.getHigh().convertToDouble();
    } else {
      return std::nullopt;
    }
    chain.result = user->getResult(0);
  }
  return chain;
}
