//===- ConvAlgebra.cpp - filters and biases as expressions of parameters --===//

#include "espalier/Transforms/ConvMap.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace espalier::cg;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

Value ConvAlgebra::reshape(Value value, ArrayRef<int64_t> shape) {
  if (auto previous = value.getDefiningOp<ReshapeOp>())
    value = previous.getInput();
  return typeOf(value).getShape() == shape ? value : make<ReshapeOp>(value, shape);
}

Value ConvAlgebra::slice(Value value, int64_t axis, int64_t start, int64_t end) {
  return make<SliceOp>(value, axis, start, end, /*stride=*/1);
}

Value ConvAlgebra::constant(ArrayRef<int64_t> shape, double number) {
  auto type = RankedTensorType::get(shape, elementType);
  return make<ConstantOp>(type, DenseElementsAttr::get(type, builder.getFloatAttr(elementType, number)));
}

Value ConvAlgebra::literal(ArrayRef<double> numbers) {
  auto type = RankedTensorType::get({static_cast<int64_t>(numbers.size())}, elementType);
  SmallVector<Attribute> elements;
  for (double number : numbers)
    elements.push_back(builder.getFloatAttr(elementType, number));
  return make<ConstantOp>(type, DenseElementsAttr::get(type, elements));
}

Value ConvAlgebra::getFilter(const ConvMap &map) { return map.filter ? map.filter : constant(map.filterShape(), 1.0); }

FailureOr<Value> ConvAlgebra::asVector(Value value, int64_t channels) {
  RankedTensorType type = typeOf(value);
  if (!type.hasStaticShape() || type.getElementType() != elementType || type.getRank() > 4)
    return refuse("a factor or summand is no vector over the channels");
  int64_t dimension = type.getRank() - 3; // where the channels are, aligned at the right
  for (auto [axis, extent] : llvm::enumerate(type.getShape()))
    if (extent != 1 && static_cast<int64_t>(axis) != dimension)
      return refuse("a factor or summand changes with the position or the sample");
  if (dimension >= 0 && type.getDimSize(dimension) == channels)
    return reshape(value, {channels});
  return make<BroadcastLikeOp>(reshape(value, {1}), constant({channels}, 0.0));
}

//===----------------------------------------------------------------------===//
// Vectors over the features
//===----------------------------------------------------------------------===//

ConvMap ConvAlgebra::scale(ConvMap map, Value vector) {
  Value column = reshape(vector, {map.features, 1, 1, 1});
  map.filter = map.filter ? make<MulOp>(map.filter, column) : column;
  if (map.bias)
    map.bias = make<MulOp>(map.bias, vector);
  return map;
}

ConvMap ConvAlgebra::divide(ConvMap map, Value vector) {
  map.filter = make<DivOp>(getFilter(map), reshape(vector, {map.features, 1, 1, 1}));
  if (map.bias)
    map.bias = make<DivOp>(map.bias, vector);
  return map;
}

ConvMap ConvAlgebra::negate(ConvMap map) {
  map.filter = make<NegOp>(getFilter(map));
  if (map.bias)
    map.bias = make<NegOp>(map.bias);
  return map;
}

ConvMap ConvAlgebra::addConstant(ConvMap map, Value vector) {
  map.bias = map.bias ? make<AddOp>(map.bias, vector) : vector;
  return map;
}

ConvMap ConvAlgebra::subtractConstant(ConvMap map, Value vector) {
  if (!map.bias)
    map.bias = make<NegOp>(vector);
  else if (isSameExpression(map.bias, vector))
    map.bias = Value();
  else
    map.bias = make<SubOp>(map.bias, vector);
  return map;
}

/// A zero becomes `shift - mean * (scale * rsqrt(variance + epsilon))`. Blocks that pad behind a batch norm write their
/// border so, and `subtractConstant` knows it again.
ConvMap ConvAlgebra::normalise(ConvMap map, Value scale, Value shift, Value mean, Value variance, double epsilon) {
  Value stable = make<AddOp>(variance, constant({}, epsilon));
  Value factor = make<MulOp>(scale, make<RsqrtOp>(stable));
  Value bias = std::exchange(map.bias, Value());
  map = this->scale(map, factor);
  if (bias)
    map.bias = make<AddOp>(shift, make<MulOp>(make<SubOp>(bias, mean), factor));
  else
    map.bias = make<SubOp>(shift, make<MulOp>(mean, factor));
  return map;
}

//===----------------------------------------------------------------------===//
// Filters
//===----------------------------------------------------------------------===//

/// The filter of a convolution in `from` groups, written for `to` groups, a divisor: zeros where a feature does not
/// read a channel. They are chosen, not multiplied by, so that no NaN of one group gets into another.
Value ConvAlgebra::spreadGroups(Value filter, int64_t from, int64_t to) {
  if (from == to)
    return filter;
  ArrayRef<int64_t> shape = typeOf(filter).getShape();
  int64_t features = shape[0], height = shape[2], width = shape[3], ratio = from / to;
  int64_t block = shape[1] * height * width;
  Value index = make<IotaOp>(builder.getI64IntegerAttr(ratio), TypeAttr::get(builder.getI64Type()));
  Value onDiagonal =
      make<CompareOp>(ComparePredicate::eq, reshape(index, {ratio, 1, 1, 1}), reshape(index, {ratio, 1}));
  Value blocks = reshape(filter, {to, ratio, features / from, 1, block});
  Value spread = make<WhereOp>(onDiagonal, blocks, constant({}, 0.0));
  return reshape(spread, {features, ratio * shape[1], height, width});
}

/// The filter of `map`, written with the channels, groups and window of `target`.
Value ConvAlgebra::placeFilter(const ConvMap &map, const ConvMap &target) {
  Value filter = getFilter(map);
  filter = spreadGroups(filter, map.groups, target.groups);
  SmallVector<int64_t, 4> low(4, 0), high(4, 0);
  if (target.groups == 1) {
    low[1] = map.first - target.first;
    high[1] = target.channels - map.channels - low[1];
  }
  SmallVector<int64_t, 4> gaps(2, 1);
  for (unsigned i : {0u, 1u}) {
    const WindowAxis &from = map.axes[i], &to = target.axes[i];
    gaps[i] = from.kernel > 1 ? from.dilation / to.dilation : 1;
    low[i + 2] = (to.low - from.low) / to.dilation;
    high[i + 2] = to.kernel - ((from.kernel - 1) * gaps[i] + 1) - low[i + 2];
  }
  if (gaps[0] > 1 || gaps[1] > 1) {
    SmallVector<int64_t, 4> shape(typeOf(filter).getShape());
    filter = reshape(filter, {shape[0] * shape[1], shape[2], 1, shape[3], 1});
    filter = make<PadOp>(filter, ArrayRef<int64_t>{0, 0, 0, 0, 0}, ArrayRef<int64_t>{0, 0, gaps[0] - 1, 0, gaps[1] - 1},
                         llvm::APFloat(0.0));
    filter = reshape(filter, {shape[0], shape[1], shape[2] * gaps[0], shape[3] * gaps[1]});
    for (unsigned i : {0u, 1u})
      if (gaps[i] > 1)
        filter = slice(filter, i + 2, 0, (shape[i + 2] - 1) * gaps[i] + 1);
  }
  auto isZero = [](int64_t pad) { return pad == 0; };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return filter;
  return make<PadOp>(filter, low, high, llvm::APFloat(0.0));
}

/// What has its default is not written, as in the language.
static DenseI64ArrayAttr unless(OpBuilder &builder, ArrayRef<int64_t> entries, int64_t usual) {
  bool isUsual = llvm::all_of(entries, [&](int64_t entry) { return entry == usual; });
  return isUsual ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(entries);
}
static IntegerAttr groupsAttr(OpBuilder &builder, int64_t groups) {
  return groups == 1 ? IntegerAttr() : builder.getI64IntegerAttr(groups);
}

/// `sum over m and p of outer[o, m, p] * inner[m, i, t - p]`: the transposed convolution of one filter by the other.
/// `result` has the geometry.
Value ConvAlgebra::composeFilters(const ConvMap &outer, const ConvMap &inner, const ConvMap &result) {
  if (inner.isDiagonal()) {
    if (!inner.filter)
      return outer.filter;
    Value row = reshape(inner.filter, {outer.groups, 1, inner.features / outer.groups, 1, 1});
    if (!outer.filter)
      return reshape(row, {outer.features, 1, 1, 1});
    if (outer.groups == 1)
      return make<MulOp>(outer.filter, reshape(inner.filter, {1, inner.features, 1, 1}));
    ArrayRef<int64_t> shape = typeOf(outer.filter).getShape();
    Value byGroup = reshape(outer.filter, {outer.groups, shape[0] / outer.groups, shape[1], shape[2], shape[3]});
    return reshape(make<MulOp>(byGroup, row), outer.filterShape());
  }
  if (outer.isDiagonal()) {
    if (!outer.filter)
      return inner.filter;
    return make<MulOp>(inner.filter, reshape(outer.filter, {outer.features, 1, 1, 1}));
  }

  // Both filters in groups one of which divides the other.
  Value first = inner.filter, second = outer.filter;
  int64_t firstGroups = inner.groups, secondGroups = outer.groups;
  if (firstGroups % secondGroups != 0 && secondGroups % firstGroups != 0) {
    first = spreadGroups(first, firstGroups, result.groups);
    firstGroups = result.groups;
  }
  int64_t groups = std::max(firstGroups, secondGroups);
  int64_t features = outer.features / secondGroups, middle = inner.features;
  ArrayRef<int64_t> outerShape = typeOf(second).getShape();
  int64_t height = outerShape[2], width = outerShape[3];
  // [features of a group, middle, height, width]: a batch of images over all middle channels.
  if (secondGroups != 1) {
    second = reshape(second, {secondGroups, features, middle / secondGroups, height * width});
    second = make<TransposeOp>(second, ArrayRef<int64_t>{1, 0, 2, 3});
    second = reshape(second, {features, middle, height, width});
  }
  int64_t channels = typeOf(first).getDimSize(1) * groups;
  SmallVector<int64_t, 2> strides, dilations;
  for (unsigned i : {0u, 1u}) {
    const WindowAxis &out = outer.axes[i], &in = inner.axes[i];
    strides.push_back(out.kernel > 1 ? in.stride * out.dilation / result.axes[i].dilation : 1);
    dilations.push_back(in.kernel > 1 ? in.dilation / result.axes[i].dilation : 1);
  }
  int64_t rows = result.axes[0].kernel, columns = result.axes[1].kernel;
  Value like = constant({features, channels, rows, columns}, 0.0);
  Value composed = make<Conv2dInputGradientOp>(like.getType(), second, first, like, unless(builder, strides, 1),
                                               /*pads=*/DenseI64ArrayAttr(), unless(builder, dilations, 1),
                                               groupsAttr(builder, groups));
  if (secondGroups == 1)
    return composed;
  composed = reshape(composed, {features, secondGroups, channels / secondGroups, rows * columns});
  composed = make<TransposeOp>(composed, ArrayRef<int64_t>{1, 0, 2, 3});
  return reshape(composed, result.filterShape());
}

/// What `outer` makes of an image that is constant over its positions.
Value ConvAlgebra::biasThrough(const ConvMap &outer, Value bias) {
  if (!outer.filter)
    return bias;
  if (outer.isDiagonal())
    return make<MulOp>(bias, reshape(outer.filter, {outer.features}));
  Value filter = outer.filter;
  int64_t channels = outer.channels / outer.groups, features = outer.features / outer.groups;
  if (outer.axes[0].kernel != 1 || outer.axes[1].kernel != 1)
    filter = make<ReduceSumOp>(filter, ArrayRef<int64_t>{2, 3});
  Value byGroup = reshape(filter, {outer.groups, features, channels});
  Value product = make<MulOp>(byGroup, reshape(bias, {outer.groups, 1, channels}));
  return reshape(make<ReduceSumOp>(product, ArrayRef<int64_t>{2}), {outer.features});
}

//===----------------------------------------------------------------------===//
// Ops from a map
//===----------------------------------------------------------------------===//

Value ConvAlgebra::apply(const ConvMap &map, Value source) {
  if (map.channels != typeOf(source).getDimSize(1))
    source = slice(source, 1, map.first, map.first + map.channels);
  SmallVector<int64_t, 4> pads(4, 0);
  SmallVector<int64_t, 2> strides, dilations;
  for (auto [i, axis] : llvm::enumerate(map.axes)) {
    pads[i] = std::max<int64_t>(axis.low, 0);
    pads[i + 2] = std::max<int64_t>(axis.high, 0);
    if (axis.low < 0 || axis.high < 0)
      source = slice(source, static_cast<int64_t>(i) + 2, std::max<int64_t>(-axis.low, 0),
                     -1 - std::max<int64_t>(-axis.high, 0));
    strides.push_back(axis.stride);
    dilations.push_back(axis.dilation);
  }
  Value result = make<Conv2dOp>(source, getFilter(map), unless(builder, strides, 1), unless(builder, pads, 0),
                                unless(builder, dilations, 1), groupsAttr(builder, map.groups));
  return map.bias ? make<AddOp>(result, reshape(map.bias, {map.features, 1, 1})) : result;
}

//===----------------------------------------------------------------------===//
// Equality
//===----------------------------------------------------------------------===//

bool espalier::cg::isSameExpression(Value lhs, Value rhs) {
  constexpr size_t limit = 256;
  SmallVector<std::pair<Value, Value>> stack{{lhs, rhs}};
  llvm::DenseSet<std::pair<Value, Value>> seen;
  while (!stack.empty()) {
    auto [a, b] = stack.pop_back_val();
    if (a == b || !seen.insert({a, b}).second)
      continue;
    Operation *left = a.getDefiningOp(), *right = b.getDefiningOp();
    if (seen.size() > limit || !left || !right || left->getName() != right->getName() || a.getType() != b.getType() ||
        left->getNumOperands() != right->getNumOperands() || left->getNumRegions() != 0 || !isMemoryEffectFree(left) ||
        left->getPropertiesAsAttribute() != right->getPropertiesAsAttribute() ||
        cast<OpResult>(a).getResultNumber() != cast<OpResult>(b).getResultNumber())
      return false;
    for (auto [operand, other] : llvm::zip_equal(left->getOperands(), right->getOperands()))
      stack.push_back({operand, other});
  }
  return true;
}
