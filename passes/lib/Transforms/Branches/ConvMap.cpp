//===- ConvMap.cpp - geometry of convolutions -----------------------------===//

#include "espalier/Transforms/ConvMap.h"

#include <numeric>

using namespace mlir;
using namespace espalier::cg;

bool espalier::cg::haveSamePositions(const ConvMap &lhs, const ConvMap &rhs,
                                     std::array<std::optional<int64_t>, 2> sizes) {
  for (unsigned axis : {0u, 1u}) {
    if (lhs.axes[axis].stride != rhs.axes[axis].stride)
      return false;
    // With a stride, windows of different reach fit some images equally often.
    if (lhs.axes[axis].excess() != rhs.axes[axis].excess() && !sizes[axis])
      return false;
  }
  return true;
}

bool espalier::cg::setWindow(ConvMap &map, const WindowAttrs &window, ArrayRef<int64_t> kernel) {
  for (unsigned i : {0u, 1u}) {
    WindowAxis &axis = map.axes[i];
    // Gaps of a single tap mean nothing.
    int64_t dilation = kernel[i] == 1 ? 1 : window.dilations[i];
    axis = {kernel[i], window.strides[i], dilation, window.padBefore(i), window.padAfter(i)};
    for (int64_t extent : {axis.kernel, axis.stride, axis.dilation, axis.low, axis.high})
      if (extent < 0 || extent > ConvAlgebra::maxExtent)
        return false;
  }
  return true;
}

std::optional<ConvMap> espalier::cg::mapOf(Conv2dOp conv) {
  RankedTensorType filter = conv.getFilter().getType();
  if (!filter.hasStaticShape() || filter.getNumElements() == 0)
    return std::nullopt;
  WindowAttrs window = conv.getWindow();
  ConvMap map;
  map.groups = window.groups;
  map.features = filter.getDimSize(0);
  map.channels = filter.getDimSize(1) * window.groups;
  map.filter = conv.getFilter();
  if (!setWindow(map, window, filter.getShape().drop_front(2)))
    return std::nullopt;
  return map;
}

/// The smallest window that has the taps of both.
static WindowAxis uniteAxis(const WindowAxis &lhs, const WindowAxis &rhs) {
  WindowAxis result = lhs;
  int64_t first = std::min(-lhs.low, -rhs.low);
  int64_t last = std::max(lhs.reach() - lhs.low, rhs.reach() - rhs.low);
  int64_t step = std::abs(lhs.low - rhs.low);
  for (const WindowAxis &axis : {lhs, rhs})
    if (axis.kernel > 1)
      step = std::gcd(step, axis.dilation);
  result.dilation = std::max<int64_t>(step, 1);
  result.kernel = (last - first) / result.dilation + 1;
  result.low = -first;
  result.high = lhs.excess() - result.low + result.reach();
  return result;
}

static bool isWithinLimits(const ConvMap &map) {
  int64_t size = map.features;
  for (const WindowAxis &axis : map.axes)
    for (int64_t extent : {axis.kernel, axis.stride, axis.dilation, std::abs(axis.low), std::abs(axis.high)})
      if (extent > ConvAlgebra::maxExtent)
        return false;
  for (int64_t factor : {map.channels / map.groups, map.axes[0].kernel, map.axes[1].kernel})
    if (llvm::MulOverflow(size, factor, size) || size > ConvAlgebra::maxFilterSize)
      return false;
  return true;
}

std::optional<ConvMap> espalier::cg::uniteGeometry(const ConvMap &lhs, const ConvMap &rhs) {
  ConvMap result;
  result.features = lhs.features;
  result.first = std::min(lhs.first, rhs.first);
  result.channels = std::max(lhs.first + lhs.channels, rhs.first + rhs.channels) - result.first;
  bool sameChannels = lhs.first == rhs.first && lhs.channels == rhs.channels;
  result.groups = sameChannels ? std::gcd(lhs.groups, rhs.groups) : 1;
  for (unsigned axis : {0u, 1u})
    result.axes[axis] = uniteAxis(lhs.axes[axis], rhs.axes[axis]);
  if (!isWithinLimits(result))
    return std::nullopt;
  return result;
}

ConvMap ConvAlgebra::identity(int64_t channels) {
  ConvMap map;
  map.channels = map.features = map.groups = channels;
  return map;
}

LogicalResult ConvAlgebra::checkLimits(const ConvMap &map) {
  return isWithinLimits(map) ? success() : refuse("the window or the filter would be too large");
}

/// First `inner`, then `outer`: the taps are at all sums of theirs.
static WindowAxis composeAxis(const WindowAxis &outer, const WindowAxis &inner) {
  WindowAxis result;
  result.stride = inner.stride * outer.stride;
  int64_t reach = inner.stride * outer.reach() + inner.reach();
  int64_t step = 0;
  if (outer.kernel > 1)
    step = inner.stride * outer.dilation;
  if (inner.kernel > 1)
    step = std::gcd(step, inner.dilation);
  result.dilation = std::max<int64_t>(step, 1);
  result.kernel = reach / result.dilation + 1;
  result.low = inner.low + inner.stride * outer.low;
  result.high = inner.high + inner.stride * outer.high;
  return result;
}

FailureOr<ConvMap> ConvAlgebra::compose(const ConvMap &outer, const ConvMap &inner) {
  static constexpr StringLiteral axisNames[] = {"rows", "columns"};
  ConvMap result;
  for (unsigned i : {0u, 1u}) {
    const WindowAxis &out = outer.axes[i], &in = inner.axes[i];
    bool padsLow = out.low > 0, padsHigh = out.high > 0;
    if (inner.bias && (padsLow || padsHigh))
      return refuse("an intermediate image with a bias is padded with zeros");
    // Beyond its border, `inner` itself must see nothing but zeros.
    if ((padsLow && in.low < in.reach() - in.stride + 1) || (padsHigh && in.high < in.reach()))
      return refuse("zeros pad the " + axisNames[i] + " of an intermediate image that is not zero beyond its border");
    result.axes[i] = composeAxis(out, in);
  }
  FailureOr<ConvMap> read = selectFeatures(inner, outer.first, outer.channels);
  if (failed(read))
    return failure();
  result.first = read->first;
  result.channels = read->channels;
  result.features = outer.features;
  result.groups = std::gcd(outer.groups, read->groups);
  if (failed(checkLimits(result)))
    return failure();
  result.filter = composeFilters(outer, *read, result);
  result.bias = outer.bias;
  if (inner.bias) {
    Value through = biasThrough(outer, read->bias);
    result.bias = outer.bias ? make<AddOp>(outer.bias, through) : through;
  }
  return result;
}

FailureOr<ConvMap> ConvAlgebra::selectFeatures(const ConvMap &map, int64_t first, int64_t count) {
  if (first == 0 && count == map.features)
    return map;
  ConvMap result = map;
  result.features = count;
  int64_t featuresOfGroup = map.features / map.groups, channelsOfGroup = map.channels / map.groups;
  int64_t firstGroup = first / featuresOfGroup, lastGroup = (first + count - 1) / featuresOfGroup;
  bool wholeGroups = first % featuresOfGroup == 0 && count % featuresOfGroup == 0;
  if (!wholeGroups && firstGroup != lastGroup)
    return refuse("a slice cuts groups of channels apart");
  result.groups = wholeGroups ? count / featuresOfGroup : 1;
  result.first = map.first + firstGroup * channelsOfGroup;
  result.channels = (lastGroup - firstGroup + 1) * channelsOfGroup;
  if (map.filter)
    result.filter = slice(map.filter, 0, first, first + count);
  if (map.bias)
    result.bias = slice(map.bias, 0, first, first + count);
  return result;
}

FailureOr<ConvMap> ConvAlgebra::add(ArrayRef<ConvMap> maps, std::array<std::optional<int64_t>, 2> sizes) {
  std::optional<ConvMap> target = maps[0];
  for (const ConvMap &map : maps.drop_front()) {
    if (!haveSamePositions(*target, map, sizes))
      return refuse("windows of different strides or sizes are added");
    target = uniteGeometry(*target, map);
    if (!target)
      return refuse("the window or the filter would be too large");
  }
  for (const ConvMap &map : maps) {
    Value filter = placeFilter(map, *target);
    target->filter = &map == maps.begin() ? filter : make<AddOp>(target->filter, filter);
    if (map.bias)
      target->bias = target->bias && &map != maps.begin() ? make<AddOp>(target->bias, map.bias) : map.bias;
  }
  return *target;
}

FailureOr<ConvMap> ConvAlgebra::concat(ArrayRef<ConvMap> maps, std::array<std::optional<int64_t>, 2> sizes) {
  // Slices of the channels that lie side by side, mapped alike, are groups.
  const ConvMap &front = maps.front();
  bool areGroups = true, haveBias = false;
  for (auto [index, map] : llvm::enumerate(maps)) {
    areGroups &= map.channels == front.channels && map.features == front.features && map.groups == front.groups &&
                 map.first == front.first + static_cast<int64_t>(index) * front.channels;
    haveBias |= static_cast<bool>(map.bias);
  }
  std::optional<ConvMap> window = front;
  for (const ConvMap &map : maps.drop_front()) {
    if (!haveSamePositions(*window, map, sizes))
      return refuse("windows of different strides or sizes are concatenated");
    window = uniteGeometry(*window, map);
    if (!window)
      return refuse("the window or the filter would be too large");
  }
  ConvMap result = *window;
  result.groups = areGroups ? front.groups * static_cast<int64_t>(maps.size()) : 1;
  result.features = 0;
  for (const ConvMap &map : maps)
    result.features += map.features;
  if (failed(checkLimits(result)))
    return failure();
  SmallVector<Value> filters, biases;
  for (const ConvMap &map : maps) {
    ConvMap target = result;
    target.features = map.features;
    if (areGroups) {
      target.first = map.first;
      target.channels = map.channels;
      target.groups = map.groups;
    }
    filters.push_back(placeFilter(map, target));
    if (haveBias)
      biases.push_back(map.bias ? map.bias : constant({map.features}, 0.0));
  }
  result.filter = make<ConcatOp>(filters, 0);
  result.bias = haveBias ? make<ConcatOp>(biases, 0) : Value();
  return result;
}

int64_t ConvAlgebra::countImageOps(const ConvMap &map, int64_t sourceChannels) {
  int64_t count = 1 + (map.bias ? 1 : 0) + (map.channels != sourceChannels ? 1 : 0);
  for (const WindowAxis &axis : map.axes)
    count += axis.low < 0 || axis.high < 0 ? 1 : 0;
  return count;
}
