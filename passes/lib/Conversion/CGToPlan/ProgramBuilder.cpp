//===- ProgramBuilder.cpp - one graph as one dispatch table ---------------===//

#include "ProgramBuilder.h"

#include "ArenaPlanner.h"
#include "RowBuilder.h"
#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Dialect/Plan/IR/PlanOps.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {

/// Memory that one or more values share.
struct Storage {
  enum class Kind { Argument, Output, Arena };
  Kind kind = Kind::Arena;
  unsigned index = 0; // of the graph's argument or result
  int64_t bytes = 0;
  int64_t offset = 0;   // in the arena
  int64_t lastUse = -1; // row; `numRows` for what is returned
};

/// A copy at the end of the program: what a return needs and nothing computes in place.
struct FinalCopy {
  Value value;
  unsigned result;
};

class ProgramBuilder final : RowBuilder {
public:
  ProgramBuilder(GraphOp graph, KernelTable &kernels, bool forbidLoops)
      : graph(graph), kernels(kernels), forbidLoops(forbidLoops),
        terminator(cast<ReturnOp>(graph.getBody().front().getTerminator())), builder(graph) {}

  LogicalResult build() {
    if (failed(collectRows()) || failed(assignResults()) || failed(planMemory()))
      return failure();
    auto program = plan::ProgramOp::create(builder, graph.getLoc(), graph.getSymName());
    // It takes the graph's place, and thus its name.
    builder.setInsertionPointToStart(&program.getBody().front());
    createArguments();
    for (GroupOp group : groups)
      if (failed(createRow(group)))
        return failure();
    createFinalCopies();
    return success();
  }

private:
  //===--------------------------------------------------------------------===//
  // Values and their memory
  //===--------------------------------------------------------------------===//

  /// The value whose memory this one is: looks through reshapes.
  static Value getBase(Value value) {
    while (auto reshape = value.getDefiningOp<ReshapeOp>())
      value = reshape.getInput();
    return value;
  }

  static bool isPlain(Value value) { return isSameOrder(getTensorType(value).getShape(), getMemoryOrder(value), {}); }

  LogicalResult collectRows() {
    for (auto [index, argument] : llvm::enumerate(graph.getArguments())) {
      if (!getTensorType(argument).hasStaticShape())
        return graph.emitOpError("expects arguments of static shape, but got ") << argument.getType();
      FailureOr<Storage> storage = makeStorage(argument);
      if (failed(storage))
        return failure();
      storage->kind = Storage::Kind::Argument;
      storage->index = index;
      storages[argument] = *storage;
    }
    for (Operation &op : graph.getBody().front().without_terminator()) {
      if (auto group = dyn_cast<GroupOp>(op)) {
        if (!findCPUCandidate(group.getChosenCandidate()))
          return group.emitOpError("expects a candidate of a CPU, which are ")
                 << listCandidates() << ", but got '" << group.getChosenCandidate() << "'";
        for (Value input : group.getInputs())
          storages[getBase(input)].lastUse = static_cast<int64_t>(groups.size());
        for (Value result : group.getResults()) {
          FailureOr<Storage> storage = makeStorage(result);
          if (failed(storage))
            return failure();
          storage->lastUse = static_cast<int64_t>(groups.size());
          storages[result] = *storage;
        }
        groups.push_back(group);
        continue;
      }
      if (!isa<ReshapeOp>(op))
        return op.emitOpError("expects to be in a 'cg.group'");
      if (!getTensorType(op.getResult(0)).hasStaticShape())
        return op.emitOpError("expects a static shape, but got ") << op.getResult(0).getType();
      if (!isPlain(op.getOperand(0)))
        return op.emitOpError("expects an operand whose memory is in the order of its type");
    }
    for (Value value : terminator.getOperands())
      storages[getBase(value)].lastUse = static_cast<int64_t>(groups.size());
    return success();
  }

  static std::string listCandidates() {
    return llvm::join(
        llvm::map_range(getCPUCandidates(), [](const Candidate *candidate) { return candidate->getName(); }), ", ");
  }

  FailureOr<Storage> makeStorage(Value value) {
    Storage storage;
    std::optional<int64_t> bytes = plan::getByteSize(getMemoryType(getTensorType(value), {}));
    if (!bytes)
      return emitError(value.getLoc()) << "value of type " << value.getType() << " does not fit in 2^46 bytes";
    storage.bytes = *bytes;
    return storage;
  }

  std::optional<unsigned> getTied(unsigned result) {
    auto tied = graph.getResultAttrOfType<IntegerAttr>(result, tiedAttrName);
    if (!tied)
      return std::nullopt;
    return static_cast<unsigned>(tied.getInt());
  }

  /// Decides which results are computed where they are wanted, and which are copied there.
  LogicalResult assignResults() {
    for (auto [index, value] : llvm::enumerate(terminator.getOperands())) {
      if (!isPlain(value))
        return terminator.emitOpError("expects operand ") << index << " in the order of its type";
      std::optional<unsigned> tied = getTied(index);
      if (tied && (*tied >= graph.getNumArguments() || graph.getArgument(*tied).getType() != value.getType()))
        return graph.emitOpError("expects '") << tiedAttrName << "' of result " << index
                                              << " to be the index of an argument of type " << value.getType();
      if (tied && !tiedResult.try_emplace(*tied, index).second)
        return graph.emitOpError("expects one result for each tied argument, but got two for argument ") << *tied;
    }
    for (auto [index, value] : llvm::enumerate(terminator.getOperands())) {
      std::optional<unsigned> tied = getTied(index);
      if (tied && value == graph.getArgument(*tied))
        continue; // stays as it is
      Storage &storage = storages[getBase(value)];
      if (storage.kind != Storage::Kind::Arena || (tied && !canReplace(*tied, getBase(value)))) {
        copies.push_back({value, static_cast<unsigned>(index)});
        continue;
      }
      storage.kind = Storage::Kind::Output;
      storage.index = index;
    }
    return success();
  }

  /// Can `value` be computed in the memory of the argument? The argument must not be read after, nor elsewhere while,
  /// the value is written.
  bool canReplace(unsigned argument, Value value) {
    auto group = value.getDefiningOp<GroupOp>();
    int64_t row = rowOf(group), lastUse = storages[graph.getArgument(argument)].lastUse;
    return lastUse < row || (lastUse == row && canShare(group, graph.getArgument(argument), value));
  }

  int64_t rowOf(GroupOp group) {
    if (rows.empty())
      for (auto [row, group] : llvm::enumerate(groups))
        rows[group] = static_cast<int64_t>(row);
    return rows.lookup(group);
  }

  /// Can the group write `result` into the memory of `base`, some of its operands?
  bool canShare(GroupOp group, Value base, Value result) {
    const Candidate *candidate = findCPUCandidate(group.getChosenCandidate());
    for (auto [index, input] : llvm::enumerate(group.getInputs()))
      if (getBase(input) == base && !candidate->canOverwrite(group, index, cast<OpResult>(result).getResultNumber()))
        return false;
    return true;
  }

  /// Gives every value that is left a place in the arena, in the order of rows.
  LogicalResult planMemory() {
    // What dies at each row.
    SmallVector<SmallVector<Value, 2>> dying(groups.size() + 1);
    for (GroupOp group : groups)
      for (Value result : group.getResults())
        if (Storage &storage = storages[result]; storage.kind == Storage::Kind::Arena)
          dying[storage.lastUse].push_back(result);

    for (auto [row, group] : llvm::enumerate(groups)) {
      llvm::DenseSet<Value> taken; // operands whose memory a result took over
      for (Value result : group.getResults()) {
        Storage &storage = storages[result];
        if (storage.kind != Storage::Kind::Arena)
          continue;
        Value donor = findDonor(row, group, result, taken);
        if (donor) {
          storage.offset = storages[donor].offset;
          taken.insert(donor);
        } else {
          storage.offset = arena.allocate(storage.bytes);
        }
      }
      for (Value value : dying[row])
        if (!taken.contains(value))
          arena.release(storages[value].offset, storages[value].bytes);
    }
    for (FinalCopy &copy : copies)
      if (needsDetour(copy))
        detours[copy.result] = arena.allocate(storages[getBase(copy.value)].bytes);
    return success();
  }

  /// An operand that dies in this row and whose memory the result can take over.
  Value findDonor(int64_t row, GroupOp group, Value result, const llvm::DenseSet<Value> &taken) {
    for (Value input : group.getInputs()) {
      Value base = getBase(input);
      const Storage &storage = storages[base];
      if (storage.kind == Storage::Kind::Arena && storage.lastUse == row && !taken.contains(base) &&
          storage.bytes == storages[result].bytes && input.getType() == result.getType() &&
          canShare(group, base, result))
        return base;
    }
    return nullptr;
  }

  //===--------------------------------------------------------------------===//
  // Places
  //===--------------------------------------------------------------------===//

  static std::string getName(DictionaryAttr attributes, StringRef fallback) {
    std::string name = storageName(attributes);
    return name.empty() ? fallback.str() : name;
  }

  void createArguments() {
    for (auto [index, argument] : llvm::enumerate(graph.getArguments())) {
      DictionaryAttr attributes = graph.getArgAttrDict(index);
      auto roleName = attributes ? attributes.getAs<StringAttr>(roleAttrName) : StringAttr();
      plan::Role role = plan::Role::Input;
      if (roleName)
        role = plan::symbolizeRole(roleName.getValue()).value_or(plan::Role::Input);
      auto place = plan::ArgumentOp::create(builder, argument.getLoc(), getMemoryType(getTensorType(argument), {}),
                                            getName(attributes, "arg" + std::to_string(index)), role,
                                            /*tied=*/nullptr, nullptr, nullptr);
      if (Attribute init = attributes ? attributes.get(initAttrName) : Attribute())
        place->setAttr(initAttrName, init);
      argumentPlaces.push_back(place);
    }
    for (auto [index, value] : llvm::enumerate(terminator.getOperands())) {
      DictionaryAttr attributes = graph.getResultAttrDict(index);
      std::string name = getName(attributes, "output" + std::to_string(index));
      if (auto role = attributes ? attributes.getAs<StringAttr>(roleAttrName) : StringAttr();
          role && role.getValue() == "gradient")
        name += ".gradient";
      std::optional<unsigned> tied = getTied(index);
      outputPlaces.push_back(plan::ArgumentOp::create(builder, terminator.getLoc(),
                                                      getMemoryType(getTensorType(value), {}), name, plan::Role::Output,
                                                      tied ? argumentPlaces[*tied] : Value(), nullptr, nullptr));
    }
  }

  /// The place of a value, seen as `type`.
  Value getPlace(Value value, MemRefType type) override {
    Value &place = places[{value, type}];
    if (place)
      return place;
    Value base = getBase(value);
    const Storage &storage = storages[base];
    Value whole;
    switch (storage.kind) {
    case Storage::Kind::Argument:
      whole = argumentPlaces[storage.index];
      break;
    case Storage::Kind::Output: {
      // A tied result and its argument are one place.
      std::optional<unsigned> tied = getTied(storage.index);
      whole = tied ? argumentPlaces[*tied] : outputPlaces[storage.index];
      break;
    }
    case Storage::Kind::Arena:
      return place = plan::BufferOp::create(builder, value.getLoc(), type, storage.offset);
    }
    if (whole.getType() != type)
      whole = plan::ViewOp::create(builder, value.getLoc(), type, whole, /*offset=*/0);
    return place = whole;
  }
  Value getPlace(Value value) { return getPlace(value, getMemoryType(getTensorType(value), getMemoryOrder(value))); }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  LogicalResult createRow(GroupOp group) {
    const Candidate &candidate = *findCPUCandidate(group.getChosenCandidate());
    if (candidate.getName() == loopsCandidateName && failed(reportLoops(group)))
      return failure();
    Block *rows = builder.getInsertionBlock();
    Operation *previous = rows->empty() ? nullptr : &rows->back();
    if (failed(candidate.emitRows(group, *this)))
      return failure();
    // Only for a contraction there was a choice. Its row is the last.
    if (!findContraction(group) || rows->empty() || &rows->back() == previous)
      return success();
    rows->back().setAttr(plan::candidateAttrName, builder.getStringAttr(candidate.getName()));
    if (group.getReasonAttr())
      rows->back().setAttr(plan::reasonAttrName, group.getReasonAttr());
    return success();
  }

  LogicalResult dispatch(GroupOp group, GroupKernel &kernel) override {
    if (kernel.getParallelExtent() == 0)
      return success();
    // Operands and results that share memory share a place of the kernel, when their types agree.
    SmallVector<Value> operands;
    llvm::DenseMap<std::pair<Value, int64_t>, unsigned> numbers; // by memory
    SmallVector<unsigned> inputPlaces, resultPlaces;
    auto number = [&](Value value) -> unsigned {
      if (getTensorType(value).getNumElements() == 0)
        return GroupKernel::noPlace;
      Value place = getPlace(value);
      auto [it, inserted] = numbers.try_emplace(getIdentity(place), operands.size());
      if (inserted)
        operands.push_back(place);
      return it->second;
    };
    for (Value input : group.getInputs())
      inputPlaces.push_back(number(input));
    for (Value result : group.getResults())
      resultPlaces.push_back(number(result));
    FlatSymbolRefAttr symbol =
        kernels.get(group, kernel, llvm::map_to_vector(group.getInputs(), getMemoryOrder), inputPlaces, resultPlaces);
    plan::DispatchOp::create(builder, group.getLoc(), symbol, operands, getScope(group));
    return success();
  }

  /// Memory and type of a place: equal for two places that one kernel argument can stand for.
  std::pair<Value, int64_t> getIdentity(Value place) {
    if (auto buffer = place.getDefiningOp<plan::BufferOp>()) {
      Value &first = bufferAt[{static_cast<int64_t>(buffer.getOffset()), buffer.getType()}];
      if (!first)
        first = place;
      return {first, 0};
    }
    return {place, 0};
  }

  static StringAttr getScope(GroupOp group) { return group->getAttrOfType<StringAttr>(scopeAttrName); }

  /// A contraction of an element type that the library or tiles take has become loops.
  LogicalResult reportLoops(GroupOp group) {
    for (Operation &op : group.getBody().front()) {
      if (!isContraction(&op))
        continue;
      RankedTensorType type = getTensorType(op.getResult(0));
      bool hasEmptyOperand =
          llvm::any_of(op.getOperands(), [](Value value) { return getTensorType(value).getNumElements() == 0; });
      if ((!type.getElementType().isF32() && !type.getElementType().isF64()) || type.getNumElements() == 0 ||
          hasEmptyOperand)
        continue;
      if (forbidLoops)
        return op.emitOpError("reaches scalar loops: neither a library call nor tiles compute it");
      remark::missed(op.getLoc(), remark::RemarkOpts::name("contraction-in-loops").category("cg-to-plan"))
          << remark::reason("contraction runs as scalar loops") << remark::metric("Op", op.getName().getStringRef());
    }
    return success();
  }

  OpBuilder &getBuilder() override { return builder; }

  bool isConstant(Value value) override {
    auto argument = dyn_cast<BlockArgument>(getBase(value));
    if (!argument || tiedResult.contains(argument.getArgNumber()))
      return false;
    auto role = graph.getArgAttrOfType<StringAttr>(argument.getArgNumber(), roleAttrName);
    return role && (role == "parameter" || role == "state" || role == "packed");
  }

  //===--------------------------------------------------------------------===//
  // Copies at the end
  //===--------------------------------------------------------------------===//

  /// An argument that is itself replaced at the end must be read before.
  bool needsDetour(const FinalCopy &copy) {
    auto argument = dyn_cast<BlockArgument>(getBase(copy.value));
    return argument && getTied(copy.result) && tiedResult.contains(argument.getArgNumber());
  }

  void createFinalCopies() {
    auto getTarget = [&](unsigned result) {
      std::optional<unsigned> tied = getTied(result);
      return tied ? argumentPlaces[*tied] : outputPlaces[result];
    };
    auto copyValue = [&](const FinalCopy &copy, Value to) {
      createCopy(getPlace(copy.value, cast<MemRefType>(to.getType())), to, getTensorType(copy.value));
    };
    // First what is not tied and what takes a detour: these read arguments that the others replace.
    llvm::DenseMap<unsigned, Value> waiting;
    for (const FinalCopy &copy : copies) {
      if (auto detour = detours.find(copy.result); detour != detours.end()) {
        Value buffer = plan::BufferOp::create(builder, terminator.getLoc(),
                                              cast<MemRefType>(getTarget(copy.result).getType()), detour->second);
        copyValue(copy, buffer);
        waiting[copy.result] = buffer;
      } else if (!getTied(copy.result)) {
        copyValue(copy, getTarget(copy.result));
      }
    }
    for (const FinalCopy &copy : copies) {
      if (Value buffer = waiting.lookup(copy.result))
        createCopy(buffer, getTarget(copy.result), getTensorType(copy.value));
      else if (getTied(copy.result))
        copyValue(copy, getTarget(copy.result));
    }
  }

  /// A copy is the kernel of a group that yields its operand.
  void createCopy(Value from, Value to, RankedTensorType type) {
    if (type.getNumElements() == 0)
      return;
    OpBuilder scratch(terminator);
    Location loc = terminator.getLoc();
    Value source =
        ConstantOp::create(scratch, loc, DenseElementsAttr::get(type, scratch.getZeroAttr(type.getElementType())));
    auto group = GroupOp::create(scratch, loc, TypeRange{type}, ValueRange{source}, StringRef(loopsCandidateName));
    Block &body = group.getBody().emplaceBlock();
    body.addArgument(type, loc);
    scratch.setInsertionPointToStart(&body);
    YieldOp::create(scratch, loc, body.getArguments());
    GroupKernel kernel = *GroupKernel::analyze(group, {Layout()});
    FlatSymbolRefAttr symbol = kernels.get(group, kernel, {Layout()}, {0}, {1});
    plan::DispatchOp::create(builder, loc, symbol, ValueRange{from, to}, /*scope=*/nullptr);
    group.erase();
    source.getDefiningOp()->erase();
  }

  GraphOp graph;
  KernelTable &kernels;
  bool forbidLoops; // for contractions in f32 and f64
  ReturnOp terminator;
  OpBuilder builder;
  SmallVector<GroupOp> groups;
  llvm::DenseMap<Operation *, int64_t> rows;
  llvm::DenseMap<Value, Storage> storages;       // by base value
  llvm::DenseMap<unsigned, unsigned> tiedResult; // argument -> result
  SmallVector<FinalCopy> copies;
  llvm::DenseMap<unsigned, int64_t> detours; // result -> offset of a copy of an argument
  ArenaPlanner arena;
  SmallVector<Value> argumentPlaces, outputPlaces;
  llvm::DenseMap<std::pair<Value, Type>, Value> places;
  llvm::DenseMap<std::pair<int64_t, Type>, Value> bufferAt;
};

} // namespace

LogicalResult espalier::cg::buildProgram(GraphOp graph, KernelTable &kernels, bool forbidScalarContractions) {
  return ProgramBuilder(graph, kernels, forbidScalarContractions).build();
}
