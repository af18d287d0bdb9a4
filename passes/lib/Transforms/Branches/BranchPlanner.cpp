//===- BranchPlanner.cpp - which sub-graphs become one convolution --------===//

#include "BranchPlanner.h"
#include "ImageSum.h"

#include "espalier/Dialect/CG/IR/ShapeInference.h"
#include "espalier/Transforms/StepPasses.h"
#include "espalier/Transforms/Weights.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace espalier::cg;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The first floating-point type of images, in which filters are computed.
static Type findElementType(FunctionOpInterface function) {
  Type element;
  function.walk([&](Conv2dOp conv) {
    element = conv.getType().getElementType();
    return WalkResult::interrupt();
  });
  return element ? element : Float32Type::get(function.getContext());
}

BranchPlanner::BranchPlanner(FunctionOpInterface function, bool online, Hindrance hinder)
    : function(function), builder(function.getContext()), algebra(builder, findElementType(function), online),
      hinder(hinder), shapes([&] {
        auto graph = dyn_cast<GraphOp>(function.getOperation());
        return graph ? graph.getShapeContext() : ShapeContext(function->getName().getStringRef(), function.getLoc());
      }()) {}

//===----------------------------------------------------------------------===//
// What values are
//===----------------------------------------------------------------------===//

/// Images have rank 4, channels of known number, and the type that filters are computed in.
bool BranchPlanner::isImage(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 4 && type.getDimSize(1) > 0 && !isWeight(value) &&
         type.getElementType() == algebra.getElementType();
}

int64_t BranchPlanner::countUses(Value value) const { return uses.lookup(value); }

/// An addition of images inside a larger sum, which is looked at as a whole.
bool BranchPlanner::isInnerSum(Operation *op) const {
  auto isSum = [&](Operation *candidate) {
    return isImageSum(candidate) &&
           llvm::all_of(candidate->getOperands(), [&](Value operand) { return isImage(operand); });
  };
  return isSum(op) && countUses(op->getResult(0)) == 1 && isSum(*op->getResult(0).user_begin());
}

BranchRegion BranchPlanner::identityOf(Value value) const {
  return {value, ConvAlgebra::identity(typeOf(value).getDimSize(1)), {}, 1};
}

/// `value` as a branch of a join: back to where it forks, if nothing else reads it.
BranchRegion BranchPlanner::branchOf(Value value) const {
  auto it = states.find(value);
  return it != states.end() && countUses(value) == 1 ? it->second.widest : identityOf(value);
}

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

/// Symbolic sizes have their default, or a number that three usual images have; a region must pay at each.
double BranchPlanner::evaluate(const DimExpr &expression, unsigned size) const {
  static constexpr int64_t usual[BranchCost::numSizes] = {64, 33, 224};
  auto graph = dyn_cast<GraphOp>(FunctionOpInterface(function).getOperation());
  DimExpr number = expression.substitute([&](StringRef symbol) -> std::optional<DimExpr> {
    if (size == 0 && graph)
      if (std::optional<int64_t> given = graph.getDefaultSize(symbol))
        return DimExpr(*given);
    return DimExpr(usual[size]);
  });
  return static_cast<double>(number.getConstant().value_or(0));
}

/// Elements of the parameters and states that a weight is made of. One that several ops read is counted for none of
/// them, so that folding never multiplies what is shared.
int64_t BranchPlanner::countStored(Value weight) { return stored.lookup(weight); }

BranchCost BranchPlanner::costOf(Operation &op) {
  BranchCost cost;
  cost.ops = isa<BatchNormOp, BatchNormInferenceOp>(op) ? 2 : 1; // a scale and a bias
  if (auto priced = dyn_cast<CostOpInterface>(op)) {
    DimExpr macs = priced.getCost(shapes).macs;
    for (unsigned i = 0; i < BranchCost::numSizes; ++i)
      cost.macs[i] = evaluate(macs, i);
  }
  for (Value operand : op.getOperands())
    if (isWeight(operand))
      cost.weights += countStored(operand);
  return cost;
}

static std::string compare(double folded, double before, const char *what) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("it would take %.0f ", folded) << what
                                 << llvm::format(", and takes %.0f", before);
  return text;
}

/// Why `region` should stay as it is; nothing where one convolution is better.
std::optional<std::string> BranchPlanner::whyNotWorth(const BranchRegion &region, Value result) {
  const ConvMap &map = region.map;
  int64_t ops = ConvAlgebra::countImageOps(map, typeOf(region.source).getDimSize(1));
  if (region.cost.ops <= ops)
    return ""; // it is one convolution already
  const TensorShape &shape = shapes[result];
  DimExpr positions = shape.dims[0] * shape.dims[2] * shape.dims[3];
  for (unsigned i = 0; i < BranchCost::numSizes; ++i) {
    double macs = evaluate(positions, i) * static_cast<double>(map.filterSize());
    if (macs > region.cost.macs[i])
      return compare(macs, region.cost.macs[i], "multiply-accumulates");
  }
  int64_t weights = map.filterSize() + (map.bias ? map.features : 0);
  if (weights > region.cost.weights)
    return compare(static_cast<double>(weights), static_cast<double>(region.cost.weights), "weights");
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

void BranchPlanner::addStored(Value value) {
  weights.insert(value);
  Operation *op = value.getDefiningOp();
  bool isShared = countUses(value) != 1 || (op && opsOfPath.lookup(op->getAttrOfType<StringAttr>("path")) > 1);
  stored[value] = !isShared && typeOf(value).hasStaticShape() ? typeOf(value).getNumElements() : 0;
}

LogicalResult BranchPlanner::run() {
  Block &block = function.getFunctionBody().front();
  SmallVector<Operation *> ops;
  for (Operation &op : block) {
    ops.push_back(&op);
    if (isa<ParameterOp, StateOp>(op))
      ++opsOfPath[op.getAttrOfType<StringAttr>("path")];
    for (Value result : op.getResults())
      uses[result] = std::distance(result.use_begin(), result.use_end());
  }
  for (BlockArgument argument : block.getArguments())
    uses[argument] = std::distance(argument.use_begin(), argument.use_end());

  for (BlockArgument argument : block.getArguments()) {
    auto role = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), roleAttrName);
    if (role && (role.getValue() == "parameter" || role.getValue() == "state"))
      addStored(argument);
  }
  for (Operation *op : ops) {
    if (failed(inferShapes(*op, shapes)))
      return failure();
    if (isa<ParameterOp, StateOp>(op)) {
      addStored(op->getResult(0));
    } else if (isa<ShapeOpInterface>(op) && readsOnly(*op, weights)) {
      if (auto literal = dyn_cast<ConstantOp>(op)) { // stored, too
        weights.insert(literal);
        stored[literal] = typeOf(literal).getNumElements();
        continue;
      }
      int64_t count = 0;
      for (Value operand : op->getOperands())
        count += countStored(operand);
      for (Value result : op->getResults()) {
        weights.insert(result);
        stored[result] = op->getNumResults() == 1 && countUses(result) == 1 ? count : 0;
      }
    } else {
      visit(*op);
    }
  }
  return success();
}

FailureOr<ConvMap> BranchPlanner::mapResult(Operation &op, ArrayRef<const ConvMap *> operands) {
  builder.setInsertionPoint(&op);
  algebra.setLocation(op.getLoc());
  return cast<ConvMapOpInterface>(op).mapResult(algebra, operands);
}

void BranchPlanner::visit(Operation &op) {
  if (!isa<ConvMapOpInterface>(op) || !isImage(op.getResult(0)) || isInnerSum(&op))
    return;
  SmallVector<Value> images;
  for (Value operand : op.getOperands())
    if (!isWeight(operand)) {
      if (!isImage(operand)) {
        if (isa<BatchNormOp, BatchNormInferenceOp>(op))
          hinder(&op, "the statistics of a batch norm depend on the image");
        return;
      }
      images.push_back(operand);
    }
  if (images.size() == 1)
    visitChain(op, images[0]);
  else if (isa<AddOp>(op) && llvm::all_equal(op.getOperandTypes()))
    visitSum(op);
  else
    visitJoin(op);
}

/// A region that ends before `op` goes on through it.
void BranchPlanner::visitChain(Operation &op, Value image) {
  Value result = op.getResult(0);
  auto extend = [&](const BranchRegion &before) -> std::optional<BranchRegion> {
    SmallVector<const ConvMap *> operands(op.getNumOperands(), nullptr);
    for (auto [operand, map] : llvm::zip_equal(op.getOperands(), operands))
      if (operand == image)
        map = &before.map;
    FailureOr<ConvMap> map = mapResult(op, operands);
    if (failed(map))
      return std::nullopt;
    BranchRegion region{before.source, *map, before.cost, before.sourceUses};
    region.cost += costOf(op);
    return region;
  };
  auto it = states.find(image);
  bool goesOn = it != states.end() && countUses(image) == 1;
  std::optional<BranchRegion> widest, cheapest;
  if (goesOn) {
    widest = extend(it->second.widest);
    if (!widest)
      hinder(&op, algebra.getReason());
    cheapest = it->second.widest.source == it->second.cheapest.source ? widest : extend(it->second.cheapest);
    if (cheapest && !isWorth(*cheapest, result))
      cheapest.reset();
  } else if (it != states.end()) {
    hinder(&op, "the image before it has other uses");
  }
  if (!widest || !cheapest) {
    std::optional<BranchRegion> alone = extend(identityOf(image));
    if (!alone)
      return;
    widest = widest ? widest : alone;
    cheapest = cheapest ? cheapest : alone;
  }
  settle(result, std::move(*widest), std::move(*cheapest));
}

/// Takes note of the regions that end in `value`.
void BranchPlanner::settle(Value value, BranchRegion widest, BranchRegion cheapest) {
  std::optional<std::string> why = whyNotWorth(widest, value);
  if (!why)
    cheapest = widest;
  else if (!why->empty() && widest.source != cheapest.source)
    hinder(value.getDefiningOp(), *why);
  if (isWorth(cheapest, value))
    plans[value].parts.push_back(cheapest);
  states[value] = {std::move(widest), std::move(cheapest)};
}

/// A region that has all uses of its source goes on before it.
void BranchPlanner::widenPastSource(BranchRegion &region) {
  auto it = states.find(region.source);
  if (it == states.end() || region.sourceUses != countUses(region.source))
    return;
  const BranchRegion &before = it->second.widest;
  FailureOr<ConvMap> map = algebra.compose(region.map, before.map);
  if (failed(map))
    return;
  region.source = before.source;
  region.map = *map;
  region.cost += before.cost;
  region.sourceUses = before.sourceUses;
}

/// Several images meet in an op that is no sum: all of them must come from one source.
void BranchPlanner::visitJoin(Operation &op) {
  SmallVector<BranchRegion> branches;
  for (Value operand : op.getOperands())
    if (!isWeight(operand))
      branches.push_back(branchOf(operand));
  for (const BranchRegion &branch : branches)
    if (branch.source != branches[0].source)
      return hinder(&op, "its operands come from different images");
  SmallVector<const ConvMap *> operands;
  unsigned next = 0;
  for (Value operand : op.getOperands())
    operands.push_back(isWeight(operand) ? nullptr : &branches[next++].map);
  FailureOr<ConvMap> map = mapResult(op, operands);
  if (failed(map))
    return hinder(&op, algebra.getReason());
  BranchRegion region{branches[0].source, *map, costOf(op), 0};
  for (const BranchRegion &branch : branches) {
    region.cost += branch.cost;
    region.sourceUses += branch.sourceUses;
  }
  BranchRegion wider = region;
  widenPastSource(wider);
  settle(op.getResult(0), std::move(wider), std::move(region));
}

/// The summands of a tree of additions: those from one source that are worth it become one convolution.
void BranchPlanner::visitSum(Operation &root) {
  Value result = root.getResult(0);
  SmallVector<Value> leaves = findSummands(cast<AddOp>(root), [&](Operation *op) { return isInnerSum(op); });
  std::array<std::optional<int64_t>, 2> sizes;
  for (unsigned axis : {0u, 1u})
    if (int64_t extent = typeOf(result).getDimSize(axis + 2); !ShapedType::isDynamic(extent))
      sizes[axis] = extent;

  struct Summand {
    size_t position;
    Value leaf;
    BranchRegion region;
  };
  llvm::MapVector<Value, SmallVector<Summand>> bySource;
  for (auto [position, leaf] : llvm::enumerate(leaves)) {
    BranchRegion region = branchOf(leaf);
    bySource[region.source].push_back({position, leaf, region});
  }

  builder.setInsertionPoint(&root);
  algebra.setLocation(root.getLoc());
  auto merge = [&](ArrayRef<Summand> summands) -> std::optional<BranchRegion> {
    SmallVector<ConvMap> maps;
    BranchRegion region{summands[0].region.source, {}, {}, 0};
    for (const Summand &summand : summands) {
      maps.push_back(summand.region.map);
      region.cost += summand.region.cost;
      region.sourceUses += summand.region.sourceUses;
    }
    region.cost.ops += static_cast<int64_t>(summands.size()) - 1;
    FailureOr<ConvMap> map = algebra.add(maps, sizes);
    if (failed(map))
      return std::nullopt;
    region.map = *map;
    return region;
  };

  if (bySource.size() == 1) {
    std::optional<BranchRegion> whole = merge(bySource.front().second);
    if (whole) {
      BranchRegion wider = *whole;
      widenPastSource(wider);
      if (isWorth(*whole, result) || isWorth(wider, result))
        return settle(result, std::move(wider), std::move(*whole));
      if (std::string why = *whyNotWorth(*whole, result); !why.empty())
        hinder(&root, why);
      states[result] = {std::move(wider), identityOf(result)};
    } else {
      hinder(&root, algebra.getReason());
    }
  } else {
    hinder(&root, "its summands come from different images");
  }

  // Leaving out one summand after another would take quadratic time.
  static constexpr unsigned maxAttempts = 8;
  // The best parts: of the summands of one source, the largest set without the most expensive ones.
  BranchPlan plan;
  for (auto &[source, summands] : bySource) {
    llvm::sort(summands, [](const Summand &lhs, const Summand &rhs) {
      return std::pair(lhs.region.map.filterSize(), rhs.position) >
             std::pair(rhs.region.map.filterSize(), lhs.position);
    });
    MutableArrayRef<Summand> left = summands;
    for (unsigned attempt = 0; attempt < maxAttempts && left.size() > 1; ++attempt) {
      // Geometry and cost of the last i summands together.
      size_t merged = 0;
      BranchRegion tail = left.back().region;
      for (size_t i = 2; i <= left.size(); ++i) {
        const BranchRegion &next = left[left.size() - i].region;
        if (!haveSamePositions(tail.map, next.map, sizes))
          break;
        std::optional<ConvMap> geometry = uniteGeometry(tail.map, next.map);
        if (!geometry)
          break;
        geometry->bias = tail.map.bias ? tail.map.bias : next.map.bias;
        tail.map = *geometry;
        tail.cost += next.cost;
        tail.cost.ops += 1;
        if (isWorth(tail, result))
          merged = i;
      }
      std::optional<BranchRegion> part;
      if (merged > 1)
        part = merge(left.take_back(merged));
      if (part) {
        plan.parts.push_back(std::move(*part));
        left = left.drop_back(merged);
      } else {
        plan.rest.push_back(left.back().leaf);
        left = left.drop_back();
      }
    }
    for (const Summand &summand : left)
      plan.rest.push_back(summand.leaf);
  }
  if (!plan.parts.empty())
    plans[result] = std::move(plan);
}
