//===- PackOperands.cpp - operands in the order that candidates read ------===//

#include "espalier/Transforms/FusePasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Conversion/CGToPlan/Layout.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_PACKOPERANDS
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// A group that copies `source`, or a literal, with its dimensions in `order`. `scope` is whose copy it is, for
/// reports.
static Value createCopy(OpBuilder &builder, Location loc, Value source, ConstantOp literal, ArrayRef<int64_t> order,
                        Attribute scope) {
  RankedTensorType type = getTensorType(source ? source : literal.getResult());
  SmallVector<int64_t> shape;
  for (int64_t dim : order)
    shape.push_back(type.getDimSize(dim));
  auto packed = RankedTensorType::get(shape, type.getElementType());
  auto group = GroupOp::create(builder, loc, TypeRange{packed}, source ? ValueRange{source} : ValueRange{},
                               StringRef(loopsCandidateName));
  if (scope)
    group->setAttr(scopeAttrName, scope);
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(&group.getBody());
  Value inside = source ? Value(block->addArgument(type, loc)) : builder.clone(*literal)->getResult(0);
  Value transposed = TransposeOp::create(builder, loc, packed, inside, builder.getDenseI64ArrayAttr(order));
  YieldOp::create(builder, loc, transposed);
  return group.getResult(0);
}

namespace {

/// The graph that computes once what depends on weights alone, and the graph that reads its results.
class WeightStage {
public:
  WeightStage(ModuleOp module, GraphOp graph, StringRef prefix) : module(module), graph(graph), name(prefix) {
    std::string longName = (prefix + "_" + graph.getSymName()).str();
    prepare = module.lookupSymbol<GraphOp>(longName);
    if (!prepare)
      prepare = module.lookupSymbol<GraphOp>(prefix);
    if (llvm::range_size(module.getOps<GraphOp>()) > (prepare ? 2 : 1))
      name = longName;
  }

  /// Is it that graph itself?
  bool isFor(GraphOp other) const { return prepare == other; }

  /// A new argument of the graph: `weight`, one of its arguments, with dimensions in `order`.
  BlockArgument pack(BlockArgument weight, ArrayRef<int64_t> order, Attribute scope) {
    if (!prepare) {
      OpBuilder builder(graph);
      prepare = GraphOp::create(builder, graph.getLoc(), name, builder.getFunctionType({}, {}));
      builder.setInsertionPointToStart(&prepare.getBody().front());
      ReturnOp::create(builder, graph.getLoc(), ValueRange());
    }
    Block &body = prepare.getBody().front();
    OpBuilder builder(body.getTerminator());
    Value copy = createCopy(builder, weight.getLoc(), findSource(weight), nullptr, order, scope);
    std::string resultName = chooseName();
    body.getTerminator()->insertOperands(body.getTerminator()->getNumOperands(), copy);
    addResult(copy.getType(), describe("output", resultName));
    return addArgument(graph, copy.getType(), weight.getLoc(), describe("packed", resultName));
  }

  /// Drops the weights that the graph no longer reads, and what was computed for them.
  void dropUnread() {
    Block &body = graph.getBody().front();
    SmallVector<DictionaryAttr> attributes, kept;
    graph.getAllArgAttrs(attributes);
    llvm::BitVector dead(body.getNumArguments());
    for (BlockArgument argument : body.getArguments()) {
      DictionaryAttr attribute = attributes[argument.getArgNumber()];
      StringRef role = getRole(attribute);
      if (!argument.use_empty() || (role != "parameter" && role != "state" && role != "packed")) {
        kept.push_back(attribute);
        continue;
      }
      dead.set(argument.getArgNumber());
      if (role == "packed")
        dropResult(getName(attribute));
    }
    body.eraseArguments(dead);
    graph.setFunctionType(FunctionType::get(graph.getContext(), body.getArgumentTypes(), graph.getResultTypes()));
    graph.setAllArgAttrs(kept);
  }

private:
  static StringRef getRole(DictionaryAttr attributes) {
    auto role = attributes ? attributes.getAs<StringAttr>(roleAttrName) : StringAttr();
    return role ? role.getValue() : StringRef();
  }
  static StringRef getName(DictionaryAttr attributes) {
    auto name = attributes ? attributes.getAs<StringAttr>(GraphOp::getNameAttrName()) : StringAttr();
    return name ? name.getValue() : StringRef();
  }
  DictionaryAttr describe(StringRef role, StringRef name) {
    Builder builder(module.getContext());
    return builder.getDictionaryAttr({builder.getNamedAttr(roleAttrName, builder.getStringAttr(role)),
                                      builder.getNamedAttr(GraphOp::getNameAttrName(), builder.getStringAttr(name))});
  }

  std::optional<unsigned> findResult(StringRef name) {
    for (unsigned i = 0; i < prepare.getNumResults(); ++i)
      if (getName(prepare.getResultAttrDict(i)) == name)
        return i;
    return std::nullopt;
  }
  std::string chooseName() {
    while (findResult("packed" + std::to_string(nextName)))
      ++nextName;
    return "packed" + std::to_string(nextName);
  }

  /// The weight in the other graph: a result of that, or an argument of both.
  Value findSource(BlockArgument weight) {
    DictionaryAttr attributes = graph.getArgAttrDict(weight.getArgNumber());
    if (getRole(attributes) == "packed")
      if (std::optional<unsigned> result = findResult(getName(attributes)))
        return prepare.getBody().front().getTerminator()->getOperand(*result);
    for (BlockArgument argument : prepare.getArguments())
      if (prepare.getArgAttrDict(argument.getArgNumber()) == attributes)
        return argument;
    return addArgument(prepare, weight.getType(), weight.getLoc(), attributes);
  }

  static BlockArgument addArgument(GraphOp graph, Type type, Location loc, DictionaryAttr attributes) {
    SmallVector<DictionaryAttr> all;
    graph.getAllArgAttrs(all);
    all.push_back(attributes);
    BlockArgument argument = graph.getBody().front().addArgument(type, loc);
    graph.setFunctionType(
        FunctionType::get(graph.getContext(), graph.getBody().getArgumentTypes(), graph.getResultTypes()));
    graph.setAllArgAttrs(all);
    return argument;
  }

  void addResult(Type type, DictionaryAttr attributes) {
    SmallVector<DictionaryAttr> all;
    prepare.getAllResultAttrs(all);
    all.push_back(attributes);
    SmallVector<Type> types(prepare.getResultTypes());
    types.push_back(type);
    setResults(types, all);
  }

  void dropResult(StringRef resultName) {
    std::optional<unsigned> index = findResult(resultName);
    if (!index)
      return;
    SmallVector<DictionaryAttr> all;
    prepare.getAllResultAttrs(all);
    SmallVector<Type> types(prepare.getResultTypes());
    all.erase(all.begin() + *index);
    types.erase(types.begin() + *index);
    Operation *terminator = prepare.getBody().front().getTerminator();
    Operation *def = terminator->getOperand(*index).getDefiningOp();
    terminator->eraseOperand(*index);
    setResults(types, all);
    while (def && isPure(def) && def->use_empty()) { // a reshape of a group, say
      Operation *dead = def;
      def = dead->getNumOperands() == 1 ? dead->getOperand(0).getDefiningOp() : nullptr;
      dead->erase();
    }
  }

  void setResults(ArrayRef<Type> types, ArrayRef<DictionaryAttr> attributes) {
    prepare.setFunctionType(FunctionType::get(prepare.getContext(), prepare.getArgumentTypes(), types));
    prepare.setAllResultAttrs(attributes);
  }

  ModuleOp module;
  GraphOp graph, prepare;
  std::string name;
  unsigned nextName = 0;
};

struct PackOperands final : espalier::cg::impl::PackOperandsBase<PackOperands> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<GraphOp> graphs(getOperation().getOps<GraphOp>());
    for (GraphOp graph : graphs)
      pack(graph);
  }

private:
  using Copies = llvm::DenseMap<std::pair<Value, Attribute>, Value>; // by source and order

  void pack(GraphOp graph) {
    WeightStage stage(getOperation(), graph, prefix);
    bool splits = prepareWeights && !stage.isFor(graph);
    llvm::DenseSet<Value> weights = splits ? findWeightValues(graph) : llvm::DenseSet<Value>();
    Copies copies;
    SmallVector<GroupOp> groups(graph.getBody().front().getOps<GroupOp>());
    bool any = false;
    for (GroupOp group : groups) {
      Operation *contraction = findContraction(group);
      const Candidate *candidate = findCPUCandidate(group.getChosenCandidate());
      if (!contraction || !candidate) // an unknown candidate is for the lowering to report
        continue;
      SmallVector<int64_t> order = candidate->getPackedOrder(contraction);
      if (!order.empty())
        any |= packOperand(group, contraction, order, weights, stage, copies);
    }
    if (any && splits)
      stage.dropUnread();
  }

  /// Makes operand 1 of the contraction a transposed view of a copy whose dimensions are in `order`.
  static bool packOperand(GroupOp group, Operation *contraction, ArrayRef<int64_t> order,
                          const llvm::DenseSet<Value> &weights, WeightStage &stage, Copies &copies) {
    Value inside = contraction->getOperand(1);
    auto argument = dyn_cast<BlockArgument>(inside);
    auto literal = inside.getDefiningOp<ConstantOp>();
    if (!argument && !literal)
      return false;
    Value source = argument ? group.getInputs()[argument.getArgNumber()] : Value();
    if (isSameOrder(getTensorType(inside).getShape(), source ? getMemoryOrder(source) : Layout(), order))
      return false;

    OpBuilder builder(group);
    Value copy = source ? copies.lookup({source, builder.getDenseI64ArrayAttr(order)}) : Value();
    if (!copy) {
      auto weight = dyn_cast_if_present<BlockArgument>(source);
      Attribute scope = group->getAttr(scopeAttrName);
      copy = weight && weights.contains(weight) ? Value(stage.pack(weight, order, scope))
                                                : createCopy(builder, group.getLoc(), source, literal, order, scope);
      if (source)
        copies[{source, builder.getDenseI64ArrayAttr(order)}] = copy;
    }
    group.getInputsMutable().append(copy);
    Block &body = group.getBody().front();
    Value packed = body.addArgument(copy.getType(), copy.getLoc());
    builder.setInsertionPointToStart(&body);
    auto view = TransposeOp::create(builder, contraction->getLoc(), inside.getType(), packed,
                                    builder.getDenseI64ArrayAttr(invertPermutationVector(order)));
    contraction->setOperand(1, view);
    if (argument && argument.use_empty()) {
      unsigned index = argument.getArgNumber();
      group->eraseOperand(index);
      body.eraseArgument(index);
    } else if (literal && literal->use_empty()) {
      literal->erase();
    }
    return true;
  }
};

} // namespace
