//===- BranchRegion.cpp - random regions of branches ----------------------===//

#include "BranchRegion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <numeric>

using namespace mlir;
using namespace espalier::cg;
using namespace espalier::cg::test;

//===----------------------------------------------------------------------===//
// Drawing
//===----------------------------------------------------------------------===//

namespace {

class Drawer {
public:
  explicit Drawer(std::mt19937_64 &random) : random(random) {}

  RegionNode draw(int64_t channels, int64_t features, std::array<Sliding, 2> sliding, int depth) {
    int64_t choice = pick(0, 9);
    if (depth > 0 && choice < 4)
      return drawSum(channels, features, sliding, depth);
    if (depth > 0 && choice < 5 && features > 1)
      return drawConcat(channels, features, sliding, depth);
    if (depth > 0 && choice < 6 && channels % 2 == 0 && features % 2 == 0)
      return drawSplit(channels, features, sliding, depth);
    return drawChain(channels, features, sliding, depth);
  }

  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); }
  bool flip() { return pick(0, 1) != 0; }

private:
  RegionNode drawSum(int64_t channels, int64_t features, std::array<Sliding, 2> sliding, int depth) {
    RegionNode node;
    node.kind = pick(0, 5) == 0 ? RegionNode::Difference : RegionNode::Sum;
    node.isSwapped = flip();
    int64_t count = node.kind == RegionNode::Difference ? 2 : pick(2, 4);
    for (int64_t i = 0; i < count; ++i)
      node.children.push_back(draw(channels, features, sliding, depth - 1));
    bool isIdentity = channels == features && sliding[0].stride == 1 && sliding[1].stride == 1 &&
                      sliding[0].excess == 0 && sliding[1].excess == 0;
    if (isIdentity && flip())
      node.children.back() = flip() ? RegionNode() : drawPointwise(channels);
    return node;
  }

  RegionNode drawConcat(int64_t channels, int64_t features, std::array<Sliding, 2> sliding, int depth) {
    RegionNode node;
    node.kind = RegionNode::Concat;
    int64_t first = pick(1, features - 1);
    node.children.push_back(draw(channels, first, sliding, depth - 1));
    node.children.push_back(draw(channels, features - first, sliding, depth - 1));
    return node;
  }

  RegionNode drawSplit(int64_t channels, int64_t features, std::array<Sliding, 2> sliding, int depth) {
    RegionNode node;
    node.kind = RegionNode::SplitConcat;
    for (int i = 0; i < 2; ++i)
      node.children.push_back(draw(channels / 2, features / 2, sliding, depth - 1));
    return node;
  }

  /// Work by channel around one or two windows.
  RegionNode drawChain(int64_t channels, int64_t features, std::array<Sliding, 2> sliding, int depth) {
    RegionNode node;
    node.kind = RegionNode::Chain;
    std::vector<RegionNode> &parts = node.children;
    auto maybePointwise = [&](int64_t width) {
      while (pick(0, 2) == 0)
        parts.push_back(drawPointwise(width));
    };
    maybePointwise(channels);
    int64_t choice = pick(0, 9);
    if (choice < 5) {
      parts.push_back(drawConv(channels, features, sliding));
    } else if (choice < 7) { // a 1x1 convolution before or after
      int64_t middle = pick(1, 6);
      RegionNode point = drawConv(channels, middle, {}, /*maxKernel=*/1);
      if (flip()) {
        parts.push_back(point);
        maybePointwise(middle);
        parts.push_back(drawConv(middle, features, sliding));
      } else {
        parts.push_back(drawConv(channels, middle, sliding));
        maybePointwise(middle);
        parts.push_back(drawConv(middle, features, {}, /*maxKernel=*/1));
      }
    } else if (choice < 8) { // the border of a batch norm, then a window without padding
      int64_t middle = pick(1, 6);
      parts.push_back(drawConv(channels, middle, {}, /*maxKernel=*/1));
      RegionNode pad;
      pad.kind = RegionNode::PadBiased;
      pad.pads = {pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)};
      parts.push_back(pad);
      std::array<Sliding, 2> rest = sliding;
      for (int i : {0, 1})
        rest[i].excess -= pad.pads[i] + pad.pads[i + 2];
      parts.push_back(flip() ? drawConv(middle, features, rest) : drawPool(middle, features, rest));
    } else if (choice < 9) { // any two windows
      std::array<Sliding, 2> first, second;
      for (int i : {0, 1}) {
        bool strideFirst = flip();
        first[i].stride = strideFirst ? sliding[i].stride : 1;
        second[i].stride = strideFirst ? 1 : sliding[i].stride;
        second[i].excess = -pick(0, 2);
        first[i].excess = sliding[i].excess - first[i].stride * second[i].excess;
      }
      int64_t middle = pick(1, 6);
      parts.push_back(depth > 0 ? draw(channels, middle, first, depth - 1) : drawConv(channels, middle, first));
      parts.push_back(drawConv(middle, features, second));
    } else {
      parts.push_back(drawPool(channels, features, sliding));
    }
    maybePointwise(features);
    if (depth > 0 && pick(0, 4) == 0)
      parts.push_back(drawFork(features));
    maybePointwise(features);
    return node;
  }

  /// A sum of a value that is inside the region with itself, or with what is made of it.
  RegionNode drawFork(int64_t channels) {
    RegionNode node;
    node.kind = pick(0, 3) == 0 ? RegionNode::Difference : RegionNode::Sum;
    node.isSwapped = flip();
    for (int64_t i = 0, count = pick(2, 3); i < count; ++i)
      node.children.push_back(i > 0 && flip() ? drawConv(channels, channels, {}, /*maxKernel=*/1)
                              : i > 0         ? drawPointwise(channels)
                                              : RegionNode());
    if (node.kind == RegionNode::Sum && flip())
      node.children.push_back(RegionNode());
    return node;
  }

  RegionNode drawPointwise(int64_t channels) {
    static constexpr RegionNode::Kind kinds[] = {
        RegionNode::BatchNorm,   RegionNode::BatchNorm,    RegionNode::ScaleVector,
        RegionNode::ScaleNumber, RegionNode::Divide,       RegionNode::Bias,
        RegionNode::Subtract,    RegionNode::SubtractFrom, RegionNode::Negate};
    RegionNode node;
    node.kind = kinds[pick(0, std::size(kinds) - 1)];
    node.isSwapped = flip();
    node.features = channels;
    return node;
  }

  /// Chooses kernel, dilation and pads that give `sliding`.
  void drawWindow(RegionNode &node, std::array<Sliding, 2> sliding, int64_t maxKernel, bool mayDilate) {
    for (int i : {0, 1}) {
      node.strides[i] = sliding[i].stride;
      node.kernel[i] = pick(1, maxKernel);
      if (flip() && maxKernel >= 3)
        node.kernel[i] = 3;
      node.dilations[i] = mayDilate && pick(0, 3) == 0 ? 2 : 1;
      int64_t pads = sliding[i].excess + node.dilations[i] * (node.kernel[i] - 1);
      while (pads < 0) {
        ++node.kernel[i];
        pads = sliding[i].excess + node.dilations[i] * (node.kernel[i] - 1);
      }
      node.pads[i] = flip() ? pads / 2 : pick(0, pads);
      node.pads[i + 2] = pads - node.pads[i];
    }
  }

  RegionNode drawConv(int64_t channels, int64_t features, std::array<Sliding, 2> sliding, int64_t maxKernel = 4) {
    RegionNode node;
    node.kind = RegionNode::Conv;
    node.features = features;
    int64_t common = std::gcd(channels, features);
    node.groups = pick(0, 2) == 0 ? common : common % 2 == 0 && flip() ? 2 : 1;
    drawWindow(node, sliding, maxKernel, /*mayDilate=*/true);
    return node;
  }

  /// An average pool, and a 1x1 convolution before it where channels change. Its pads are at most half the window.
  RegionNode drawPool(int64_t channels, int64_t features, std::array<Sliding, 2> sliding) {
    RegionNode pool;
    pool.kind = RegionNode::AvgPool;
    drawWindow(pool, sliding, 3, /*mayDilate=*/false);
    RegionNode chain;
    chain.kind = RegionNode::Chain;
    RegionNode pad;
    pad.kind = RegionNode::Pad;
    for (int i : {0, 1})
      if (std::max(pool.pads[i], pool.pads[i + 2]) > pool.kernel[i] / 2) {
        pad.pads[i] = std::exchange(pool.pads[i], 0);
        pad.pads[i + 2] = std::exchange(pool.pads[i + 2], 0);
      }
    chain.children.push_back(pad);
    if (channels != features)
      chain.children.push_back(drawConv(channels, features, {}, /*maxKernel=*/1));
    chain.children.push_back(pool);
    return chain;
  }

  std::mt19937_64 &random;
};

} // namespace

RegionCase espalier::cg::test::drawRegion(std::mt19937_64 &random) {
  Drawer drawer(random);
  RegionCase region;
  region.batch = drawer.pick(1, 2);
  region.channels = drawer.pick(1, 6);
  region.size = {drawer.pick(5, 9), drawer.pick(5, 9)};
  region.isDynamic = drawer.flip();
  region.isFunction = drawer.pick(0, 4) == 0;
  region.sharesFilters = drawer.pick(0, 3) == 0;
  if (drawer.pick(0, 2) == 0)
    region.kept = drawer.pick(0, 9);
  std::array<Sliding, 2> sliding;
  for (int i : {0, 1}) {
    sliding[i].stride = drawer.pick(0, 2) == 0 ? 2 : 1;
    sliding[i].excess = drawer.pick(0, 2) == 0 ? drawer.pick(-2, 1) : 0;
  }
  int64_t features = drawer.flip() ? region.channels : drawer.pick(1, 6);
  if (drawer.pick(0, 5) == 0) { // channels cropped first
    RegionNode crop;
    crop.kind = RegionNode::Crop;
    crop.pads = {drawer.pick(0, 1), drawer.pick(0, 1), drawer.pick(0, 1), drawer.pick(0, 1)};
    region.root.kind = RegionNode::Chain;
    region.root.children = {crop, drawer.draw(region.channels, features, sliding, 2)};
  } else {
    region.root = drawer.draw(region.channels, features, sliding, 2);
  }
  return region;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

namespace {

class RegionBuilder {
public:
  RegionBuilder(MLIRContext &context, Type element)
      : builder(&context), loc(builder.getUnknownLoc()), element(element) {}

  OwningOpRef<ModuleOp> build(const RegionCase &region, RegionUse use) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(module->getBody());
    SmallVector<int64_t, 4> shape{region.batch, region.channels, region.size[0], region.size[1]};
    if (region.isDynamic)
      shape[0] = shape[2] = shape[3] = ShapedType::kDynamic;
    sharesFilters = region.sharesFilters;
    FunctionType type = builder.getFunctionType({RankedTensorType::get(shape, element)}, {});
    FunctionOpInterface function;
    if (region.isFunction) {
      function = func::FuncOp::create(builder, loc, "net", type);
      cast<func::FuncOp>(function).addEntryBlock();
    } else {
      function = GraphOp::create(builder, loc, "net", type);
    }
    builder.setInsertionPointToEnd(&function.getFunctionBody().front());
    Value image = function.getArgument(0);
    if (use == RegionUse::Loss)
      image =
          AddOp::create(builder, loc, image, parameter("offset", {1, region.channels, region.size[0], region.size[1]}));
    SmallVector<Value> results{emit(region.root, image)};
    if (!results[0])
      return nullptr;
    if (region.kept)
      results.push_back(values[static_cast<size_t>(*region.kept) % values.size()]);
    if (use == RegionUse::Loss)
      results = {sumOfSquares(results)};
    if (region.isFunction)
      func::ReturnOp::create(builder, loc, results);
    else
      ReturnOp::create(builder, loc, results);
    function.setType(builder.getFunctionType(function.getArgumentTypes(), TypeRange(ValueRange(results))));
    return module;
  }

private:
  Value parameter(const Twine &name, ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, element);
    return ParameterOp::create(builder, loc, type, builder.getStringAttr(name), nullptr);
  }
  Value sumOfSquares(ArrayRef<Value> images) {
    Value sum;
    for (Value image : images) {
      Value squares = MulOp::create(builder, loc, image, image);
      Value total = ReduceSumOp::create(builder, loc, squares, ArrayRef<int64_t>{0, 1, 2, 3}, /*keep_dims=*/false);
      sum = sum ? AddOp::create(builder, loc, sum, total).getResult() : total;
    }
    return sum;
  }
  Value fresh(ArrayRef<int64_t> shape) { return parameter("p" + Twine(next++), shape); }
  Value vector(int64_t channels) { return fresh({channels, 1, 1}); }
  static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
  static int64_t channelsOf(Value value) { return typeOf(value).getDimSize(1); }

  struct Norm {
    Value scale, shift, mean, variance;
  };
  Norm drawNorm(int64_t channels) {
    auto type = RankedTensorType::get({channels}, element);
    Norm norm{fresh({channels}), fresh({channels}), {}, {}};
    norm.mean = StateOp::create(builder, loc, type, builder.getStringAttr("mean" + Twine(next++)), nullptr, nullptr);
    norm.variance =
        StateOp::create(builder, loc, type, builder.getStringAttr("variance" + Twine(next++)), nullptr, nullptr);
    return norm;
  }
  Value normalise(Value image, const Norm &norm) {
    return BatchNormOp::create(builder, loc, image, norm.scale, norm.shift, norm.mean, norm.variance,
                               builder.getF64FloatAttr(epsilon), builder.getF64FloatAttr(0.1));
  }

  bool fitsWindow(const RegionNode &node, Value image) {
    for (int i : {0, 1}) {
      int64_t extent = typeOf(image).getDimSize(i + 2);
      int64_t reach = node.dilations[i] * (node.kernel[i] - 1) + 1;
      if (node.kernel[i] < 1 || (!ShapedType::isDynamic(extent) && extent + node.pads[i] + node.pads[i + 2] < reach))
        return false;
    }
    return true;
  }

  Value emit(const RegionNode &node, Value image) {
    Value value = emitNode(node, image);
    if (value)
      values.push_back(value);
    return value;
  }

  Value emitNode(const RegionNode &node, Value image) {
    auto array = [&](ArrayRef<int64_t> entries) { return builder.getDenseI64ArrayAttr(entries); };
    int64_t channels = channelsOf(image);
    switch (node.kind) {
    case RegionNode::Identity:
      return image;
    case RegionNode::Conv: {
      if (!fitsWindow(node, image) || channels % node.groups != 0 || node.features % node.groups != 0)
        return {};
      std::array<int64_t, 4> shape{node.features, channels / node.groups, node.kernel[0], node.kernel[1]};
      Value &shared = filters[shape];
      Value filter = shared &&sharesFilters ? shared : shared = fresh(shape);
      return Conv2dOp::create(builder, loc, image, filter, array(node.strides), array(node.pads), array(node.dilations),
                              builder.getI64IntegerAttr(node.groups));
    }
    case RegionNode::AvgPool:
      if (!fitsWindow(node, image))
        return {};
      return AvgPool2dOp::create(builder, loc, image, array(node.kernel), array(node.strides), array(node.pads),
                                 UnitAttr());
    case RegionNode::Pad:
      return pad(image, node.pads);
    case RegionNode::Crop: {
      for (int i : {0, 1})
        image = SliceOp::create(builder, loc, image, i + 2, node.pads[i], -1 - node.pads[i + 2], 1);
      return image;
    }
    case RegionNode::BatchNorm:
      return normalise(image, drawNorm(channels));
    case RegionNode::ScaleVector:
      return commute<MulOp>(image, vector(channels), node.isSwapped);
    case RegionNode::ScaleNumber:
      return commute<MulOp>(image, fresh({}), node.isSwapped);
    case RegionNode::Divide:
      return DivOp::create(builder, loc, image, vector(channels));
    case RegionNode::Bias:
      return commute<AddOp>(image, vector(channels), node.isSwapped);
    case RegionNode::Subtract:
      return SubOp::create(builder, loc, image, vector(channels));
    case RegionNode::SubtractFrom:
      return SubOp::create(builder, loc, vector(channels), image);
    case RegionNode::Negate:
      return NegOp::create(builder, loc, image);
    case RegionNode::PadBiased: {
      Norm norm = drawNorm(channels);
      Value stable = AddOp::create(builder, loc, norm.variance, scalar(epsilon));
      Value factor = MulOp::create(builder, loc, norm.scale, RsqrtOp::create(builder, loc, stable));
      Value border = SubOp::create(builder, loc, norm.shift, MulOp::create(builder, loc, norm.mean, factor));
      border = ReshapeOp::create(builder, loc, border, ArrayRef<int64_t>{channels, 1, 1});
      Value inner = SubOp::create(builder, loc, normalise(image, norm), border);
      return AddOp::create(builder, loc, pad(inner, node.pads), border);
    }
    case RegionNode::Chain:
      for (const RegionNode &child : node.children)
        if (image = emit(child, image); !image)
          return {};
      return image;
    case RegionNode::Sum:
    case RegionNode::Difference: {
      Value sum;
      for (const RegionNode &child : node.children) {
        Value value = emit(child, image);
        if (!value || (sum && value.getType() != sum.getType()))
          return {};
        if (!sum)
          sum = value;
        else if (node.kind == RegionNode::Sum)
          sum = commute<AddOp>(sum, value, node.isSwapped);
        else
          sum = SubOp::create(builder, loc, sum, value);
      }
      return sum;
    }
    case RegionNode::Concat:
    case RegionNode::SplitConcat: {
      SmallVector<Value> parts;
      int64_t count = static_cast<int64_t>(node.children.size());
      if (node.kind == RegionNode::SplitConcat && channels % count != 0)
        return {};
      for (auto [index, child] : llvm::enumerate(node.children)) {
        Value part = image;
        if (node.kind == RegionNode::SplitConcat)
          part = SliceOp::create(builder, loc, image, 1, static_cast<int64_t>(index) * channels / count,
                                 static_cast<int64_t>(index + 1) * channels / count, 1);
        part = emit(child, part);
        if (!part ||
            (!parts.empty() && typeOf(parts[0]).getShape().drop_front(2) != typeOf(part).getShape().drop_front(2)))
          return {};
        parts.push_back(part);
      }
      return ConcatOp::create(builder, loc, parts, 1);
    }
    }
    return {};
  }

  template <typename OpT> Value commute(Value lhs, Value rhs, bool isSwapped) {
    return OpT::create(builder, loc, isSwapped ? rhs : lhs, isSwapped ? lhs : rhs);
  }
  Value pad(Value image, const std::array<int64_t, 4> &pads) {
    return PadOp::create(builder, loc, image, ArrayRef<int64_t>{0, 0, pads[0], pads[1]},
                         ArrayRef<int64_t>{0, 0, pads[2], pads[3]}, llvm::APFloat(0.0));
  }
  Value scalar(double number) {
    auto type = RankedTensorType::get({}, element);
    return ConstantOp::create(builder, loc, type, DenseElementsAttr::get(type, builder.getFloatAttr(element, number)));
  }

  static constexpr double epsilon = 1e-3;
  OpBuilder builder;
  Location loc;
  Type element;
  int next = 0;
  bool sharesFilters = false;
  std::map<std::array<int64_t, 4>, Value> filters; // the last of each shape
  std::vector<Value> values;                       // in order of creation
};

} // namespace

OwningOpRef<ModuleOp> espalier::cg::test::buildRegion(MLIRContext &context, const RegionCase &region, Type element,
                                                      RegionUse use) {
  return RegionBuilder(context, element).build(region, use);
}

//===----------------------------------------------------------------------===//
// Shrinking
//===----------------------------------------------------------------------===//

std::vector<RegionCase> espalier::cg::test::cutRegion(const RegionCase &region) {
  std::vector<RegionCase> cuts;
  auto offer = [&](auto change) {
    RegionCase smaller = region;
    change(smaller);
    cuts.push_back(std::move(smaller));
  };
  if (region.batch > 1)
    offer([](RegionCase &r) { r.batch = 1; });
  if (region.isDynamic)
    offer([](RegionCase &r) { r.isDynamic = false; });
  if (region.isFunction)
    offer([](RegionCase &r) { r.isFunction = false; });
  if (region.sharesFilters)
    offer([](RegionCase &r) { r.sharesFilters = false; });
  if (region.kept) {
    offer([](RegionCase &r) { r.kept.reset(); });
    if (*region.kept > 0)
      offer([](RegionCase &r) { --*r.kept; });
  }
  for (int i : {0, 1})
    if (region.size[i] > 1)
      offer([i](RegionCase &r) { --r.size[i]; });

  // The path to each node is a list of child indices.
  std::vector<std::vector<size_t>> paths{{}};
  auto at = [](RegionCase &r, const std::vector<size_t> &path) {
    RegionNode *node = &r.root;
    for (size_t index : path)
      node = &node->children[index];
    return node;
  };
  for (size_t i = 0; i < paths.size(); ++i) {
    std::vector<size_t> path = paths[i];
    RegionCase copy = region;
    const RegionNode &node = *at(copy, path);
    for (size_t child = 0; child < node.children.size(); ++child) {
      paths.push_back(path);
      paths.back().push_back(child);
      offer([&](RegionCase &r) { // the child alone
        RegionNode only = at(r, path)->children[child];
        *at(r, path) = only;
      });
      if (node.children.size() > 1)
        offer([&](RegionCase &r) { // all but the child
          RegionNode *parent = at(r, path);
          parent->children.erase(parent->children.begin() + static_cast<ptrdiff_t>(child));
        });
    }
    if (node.kind == RegionNode::Conv && node.groups > 1)
      offer([&](RegionCase &r) { at(r, path)->groups = 1; });
    for (int axis : {0, 1}) {
      if (node.dilations[axis] > 1)
        offer([&](RegionCase &r) { at(r, path)->dilations[axis] = 1; });
      if (node.strides[axis] > 1)
        offer([&](RegionCase &r) { at(r, path)->strides[axis] = 1; });
      if (node.kernel[axis] > 1)
        offer([&](RegionCase &r) { --at(r, path)->kernel[axis]; });
      for (int side : {axis, axis + 2})
        if (node.pads[side] > 0)
          offer([&](RegionCase &r) { --at(r, path)->pads[side]; });
    }
  }
  return cuts;
}
