//===- CGAttributes.cpp - attributes of the cg dialect --------------------===//

#include "espalier/Dialect/CG/IR/CGAttributes.h"
#include "espalier/Dialect/CG/IR/CGDialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace espalier::cg;

#include "espalier/Dialect/CG/IR/CGEnums.cpp.inc"

#include "espalier/Dialect/CG/IR/CGAttrInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "espalier/Dialect/CG/IR/CGAttributes.cpp.inc"

void CGDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "espalier/Dialect/CG/IR/CGAttributes.cpp.inc"
      >();
}

/// Connections into (or out of) one unit: input channels (or features) times the filter's window. A tensor of rank < 2
/// has no fan; 1 keeps the formulas finite.
static double fan(ArrayRef<int64_t> shape, FanMode mode) {
  if (shape.size() < 2)
    return 1.0;
  double product = static_cast<double>(shape[mode == FanMode::fan_in ? 1 : 0]);
  for (int64_t extent : shape.drop_front(2))
    product *= static_cast<double>(extent);
  return std::max(product, 1.0);
}

InitDistribution FillAttr::resolve(ArrayRef<int64_t>) const {
  return {InitDistribution::Kind::Fill, getValue().getValueAsDouble(), 0.0};
}
InitDistribution UniformAttr::resolve(ArrayRef<int64_t>) const {
  return {InitDistribution::Kind::Uniform, getLow().getValueAsDouble(), getHigh().getValueAsDouble()};
}
InitDistribution NormalAttr::resolve(ArrayRef<int64_t>) const {
  return {InitDistribution::Kind::Normal, getMean().getValueAsDouble(), getDeviation().getValueAsDouble()};
}
InitDistribution ValuesAttr::resolve(ArrayRef<int64_t>) const {
  auto toDouble = [](const APFloat &value) { return FloatAttr::getValueAsDouble(value); };
  return {InitDistribution::Kind::Values, 0.0, 0.0,
          SmallVector<double, 0>(llvm::map_range(getValues().getValues<APFloat>(), toDouble))};
}
InitDistribution KaimingUniformAttr::resolve(ArrayRef<int64_t> shape) const {
  double bound = getGain().getValueAsDouble() * std::sqrt(3.0 / fan(shape, getFan()));
  return {InitDistribution::Kind::Uniform, -bound, bound};
}
InitDistribution KaimingNormalAttr::resolve(ArrayRef<int64_t> shape) const {
  return {InitDistribution::Kind::Normal, 0.0, getGain().getValueAsDouble() / std::sqrt(fan(shape, getFan()))};
}
