//===- ParameterPaths.cpp - what parameters are called --------------------===//

#include "espalier/Transforms/ParameterPaths.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace espalier;

StringRef cg::pathOf(Operation *stored) { return stored->getAttrOfType<StringAttr>("path").getValue(); }

StringRef cg::pathOf(Value stored) { return pathOf(stored.getDefiningOp()); }

StringRef cg::convolutionPath(StringRef filter) {
  if (filter == "weight")
    return "";
  filter.consume_back(".weight");
  return filter;
}

std::string cg::joinPaths(StringRef first, StringRef second) {
  return first.empty() ? second.str() : second.empty() ? first.str() : (first + "." + second).str();
}

bool cg::isUnderPath(StringRef path, StringRef above) {
  return path.consume_front(above) && (path.empty() || path.starts_with("."));
}
