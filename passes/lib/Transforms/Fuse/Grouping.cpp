//===- Grouping.cpp - which ops share a kernel ----------------------------===//

#include "Grouping.h"

#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Conversion/CGToPlan/Lowering.h"

#include <queue>

using namespace mlir;
using namespace espalier::cg;

/// Ops that cost more instructions for each element are not computed twice.
static constexpr int64_t maxRepeatedCost = 8;
/// An op that more groups read than these is computed once. Each of them is looked at with all users of the op.
static constexpr size_t maxRepetitions = 16;

/// Level, type, reduced dimensions and source of a tensor that reductions read.
using SiblingKey = std::tuple<int64_t, const void *, const void *, const void *>;

static RankedTensorType getTensorType(Value value) { return cast<RankedTensorType>(value.getType()); }
static ArrayRef<int64_t> getShape(Value value) { return getTensorType(value).getShape(); }

static bool isPointwise(Operation *op) { return isa<PointwiseLoweringOpInterface>(op); }
static bool isView(Operation *op) { return isa<ViewLoweringOpInterface>(op); }
static bool isIndexed(Operation *op) { return isa<IndexedLoweringOpInterface>(op); }
static bool isReduction(Operation *op) { return isa<ReductionLoweringOpInterface>(op); }

void Grouping::run() {
  int64_t index = 0;
  for (Operation &op : body)
    position[&op] = index++;
  claimContractions();
  groupBackwards();
  mergeForwards();
  sortNodes();
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// Can more than loops, which fuse nothing with a contraction, run these ops?
static bool hasContractionCandidate(ArrayRef<Operation *> ops) {
  return llvm::any_of(getCPUCandidates(), [&](const Candidate *candidate) {
    return candidate->getName() != loopsCandidateName && !candidate->whyNotOps(ops);
  });
}

/// Gives each contraction what follows it, as far as some candidate adds it. Later ones choose first: of two
/// convolutions whose results are added, the later one takes the other's result as its residual.
void Grouping::claimContractions() {
  for (Operation &op : llvm::reverse(body)) {
    if (!isContraction(&op) || op.use_empty() || !hasContractionCandidate({&op}))
      continue;
    unsigned number = createGroup(&op);
    FusionGroup &group = *groups[number];
    group.kind = FusionGroup::Kind::Contraction;
    SmallVector<Operation *> ops{&op};
    while (ops.back()->hasOneUse()) {
      Operation *user = *ops.back()->user_begin();
      if (groupsOf.contains(user) || !isPointwise(user))
        break;
      ops.push_back(user);
      if (!hasContractionCandidate(ops))
        break;
      group.add(user);
      groupsOf[user].push_back(number);
    }
  }
}

//===----------------------------------------------------------------------===//
// Backwards: producers join their only consumer
//===----------------------------------------------------------------------===//

void Grouping::groupBackwards() {
  for (Operation &op : llvm::reverse(body.without_terminator())) {
    if (groupsOf.contains(&op))
      continue; // claimed by a contraction
    if (isa<ReshapeOp>(op)) {
      Consumers consumers = findConsumers(&op);
      if (consumers.external || !consumers.groups.empty())
        liveReshapes.insert(&op);
      continue;
    }
    place(&op);
  }
}

Grouping::Consumers Grouping::findConsumers(Operation *op) const {
  Consumers consumers;
  for (Operation *user : op->getUsers()) {
    if (user->hasTrait<OpTrait::IsTerminator>() || liveReshapes.contains(user)) {
      consumers.external = true;
      continue;
    }
    auto it = groupsOf.find(user);
    if (it == groupsOf.end())
      continue; // dead
    consumers.groups.insert(it->second.begin(), it->second.end());
  }
  return consumers;
}

void Grouping::place(Operation *op) {
  Consumers consumers = findConsumers(op);
  if (isa<ConstantOp>(op)) { // groups have copies of their own
    if (consumers.external)
      createGroup(op);
    return;
  }
  if (!consumers.external && consumers.groups.empty())
    return;
  bool fitsAll = !consumers.external && consumers.groups.size() <= maxRepetitions &&
                 llvm::all_of(consumers.groups, [&](unsigned group) { return fits(op, *groups[group]); });
  if (!fitsAll || (consumers.groups.size() > 1 && !isWorthRepeating(op, consumers.groups.size()))) {
    createGroup(op);
    return;
  }
  for (unsigned group : consumers.groups)
    join(op, group);
}

bool Grouping::fits(Operation *op, FusionGroup &group) const {
  if (!group.isLoops() || static_cast<int64_t>(group.ops.size()) >= maxOps)
    return false;
  SmallVector<Operation *> users;
  for (Operation *user : op->getUsers())
    if (group.contains(user))
      users.push_back(user);
  if (isView(op))
    return llvm::all_of(users, [](Operation *user) { return isPointwise(user) || isReduction(user) || isView(user); });
  if (!llvm::all_of(users, [](Operation *user) { return isPointwise(user) || isReduction(user); }))
    return false;

  ArrayRef<int64_t> shape = getShape(op->getResult(0));
  bool allPost = llvm::all_of(users, [&](Operation *user) { return group.post.contains(user); });
  bool nonePost = llvm::none_of(users, [&](Operation *user) { return group.post.contains(user); });
  bool isReducing = group.kind == FusionGroup::Kind::Reduction;
  if (isPointwise(op))
    return (nonePost && shape == group.space) || (isReducing && allPost && shape == group.postSpace);
  if (isIndexed(op))
    return !isReducing && !group.hasIndexed && shape == group.space; // one unrolled window is enough for one kernel
  if (!isReduction(op))
    return false;
  if (isReducing)
    return allPost && getShape(op->getOperand(0)) == group.space &&
           cast<ReductionLoweringOpInterface>(op).getReducedDims() == group.reducedDims;
  return !group.hasIndexed && shape == group.space;
}

bool Grouping::isWorthRepeating(Operation *op, size_t numConsumers) const {
  if (isView(op) || isa<IotaOp>(op))
    return true;
  auto pointwise = dyn_cast<PointwiseLoweringOpInterface>(op);
  if (!pointwise || pointwise.getScalarCost() > maxRepeatedCost)
    return false;
  // Kept, it is written once and read by each consumer; repeated, each consumer reads what it is computed from.
  RankedTensorType type = getTensorType(op->getResult(0));
  SmallVector<Value, 4> read;
  for (Value operand : op->getOperands())
    if (getTensorType(operand).getNumElements() == type.getNumElements() && !operand.getDefiningOp<ConstantOp>() &&
        !llvm::is_contained(read, operand))
      read.push_back(operand);
  return numConsumers * read.size() <= 1 + numConsumers + read.size();
}

void Grouping::join(Operation *op, unsigned number) {
  FusionGroup &group = *groups[number];
  if (isReduction(op)) {
    if (group.kind == FusionGroup::Kind::Map) {
      group.kind = FusionGroup::Kind::Reduction;
      group.post.insert(group.ops.begin(), group.ops.end());
      group.postSpace = group.space;
      group.space = getShape(op->getOperand(0));
      group.reducedDims = cast<ReductionLoweringOpInterface>(op).getReducedDims();
    }
  } else if (group.kind == FusionGroup::Kind::Reduction) {
    bool allPost = llvm::all_of(op->getUsers(),
                                [&](Operation *user) { return !group.contains(user) || group.post.contains(user); });
    if (allPost)
      group.post.insert(op);
  }
  group.hasIndexed |= isIndexed(op);
  group.add(op);
  groupsOf[op].push_back(number);
}

unsigned Grouping::createGroup(Operation *op) {
  auto number = static_cast<unsigned>(groups.size());
  groups.push_back(std::make_unique<FusionGroup>());
  FusionGroup &group = *groups.back();
  group.space = getShape(op->getResult(0));
  if (isReduction(op)) {
    group.kind = FusionGroup::Kind::Reduction;
    group.postSpace = group.space;
    group.space = getShape(op->getOperand(0));
    group.reducedDims = cast<ReductionLoweringOpInterface>(op).getReducedDims();
  } else if (isa<KernelLoweringOpInterface>(op)) {
    group.kind = FusionGroup::Kind::Kernel;
  }
  group.hasIndexed = isIndexed(op);
  group.add(op);
  groupsOf[op].push_back(number);
  return number;
}

//===----------------------------------------------------------------------===//
// The graph of groups
//===----------------------------------------------------------------------===//

/// Nodes are groups, by number, then live reshapes.
struct Grouping::Graph {
  explicit Graph(const Grouping &grouping) : grouping(grouping) {
    size_t numGroups = grouping.groups.size();
    for (Operation &op : grouping.body)
      if (grouping.liveReshapes.contains(&op)) {
        nodeOfReshape[&op] = static_cast<unsigned>(numGroups + reshapes.size());
        reshapes.push_back(cast<ReshapeOp>(op));
      }
    size = numGroups + reshapes.size();
    priority.assign(size, -1);
    predecessors.resize(size);
    for (auto [number, group] : llvm::enumerate(grouping.groups)) {
      if (!group)
        continue;
      for (Operation *op : group->ops) {
        priority[number] = std::max(priority[number], grouping.position.lookup(op));
        for (Value operand : op->getOperands())
          if (Operation *def = operand.getDefiningOp(); def && !group->contains(def) && !isa<ConstantOp>(def))
            predecessors[number].push_back(nodeOf(def));
      }
    }
    for (auto [index, reshape] : llvm::enumerate(reshapes)) {
      priority[numGroups + index] = grouping.position.lookup(reshape);
      if (Operation *def = reshape.getInput().getDefiningOp())
        predecessors[numGroups + index].push_back(nodeOf(def));
    }
    for (auto &list : predecessors) {
      llvm::sort(list);
      list.erase(llvm::unique(list), list.end());
    }
  }

  bool isNode(size_t node) const { return priority[node] >= 0; }
  bool isReshape(size_t node) const { return node >= grouping.groups.size(); }
  unsigned nodeOf(Operation *op) const {
    auto it = nodeOfReshape.find(op);
    return it != nodeOfReshape.end() ? it->second : grouping.groupsOf.find(op)->second[0];
  }

  /// Each node after its predecessors; among those that are free, the one that comes first in the graph.
  std::vector<unsigned> sort() const {
    std::vector<SmallVector<unsigned, 2>> successors(size);
    std::vector<unsigned> waiting(size, 0);
    using Entry = std::pair<int64_t, unsigned>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    for (unsigned node = 0; node < size; ++node) {
      waiting[node] = predecessors[node].size();
      for (unsigned predecessor : predecessors[node])
        successors[predecessor].push_back(node);
      if (isNode(node) && waiting[node] == 0)
        ready.emplace(priority[node], node);
    }
    std::vector<unsigned> sorted;
    while (!ready.empty()) {
      unsigned node = ready.top().second;
      ready.pop();
      sorted.push_back(node);
      for (unsigned successor : successors[node])
        if (--waiting[successor] == 0)
          ready.emplace(priority[successor], successor);
    }
    return sorted;
  }

  const Grouping &grouping;
  size_t size = 0;
  std::vector<ReshapeOp> reshapes;
  llvm::DenseMap<Operation *, unsigned> nodeOfReshape;
  std::vector<int64_t> priority; // place of the last op; -1 for what is no node
  std::vector<SmallVector<unsigned, 4>> predecessors;
};

//===----------------------------------------------------------------------===//
// Forwards: siblings, and consumers that read what was just computed
//===----------------------------------------------------------------------===//

/// Can the consumer's ops run in the producer's loops?
bool Grouping::canMergeInto(const FusionGroup &producer, const FusionGroup &consumer) const {
  if (!producer.isLoops() || !consumer.isLoops() || producer.space != consumer.space ||
      static_cast<int64_t>(producer.ops.size() + consumer.ops.size()) > maxOps)
    return false;
  bool bothReduce = producer.kind == FusionGroup::Kind::Reduction && consumer.kind == FusionGroup::Kind::Reduction;
  bool anyReduces = producer.kind == FusionGroup::Kind::Reduction || consumer.kind == FusionGroup::Kind::Reduction;
  if ((bothReduce && producer.reducedDims != consumer.reducedDims) ||
      (anyReduces && (producer.hasIndexed || consumer.hasIndexed)) || (producer.hasIndexed && consumer.hasIndexed))
    return false;
  // What the consumer reads of the producer must be at hand at the same place of the same loops.
  for (Operation *op : consumer.ops)
    for (Value operand : op->getOperands()) {
      Operation *def = operand.getDefiningOp();
      if (!def || consumer.contains(def) || !producer.contains(def))
        continue;
      if (isView(def) || isReduction(def) || producer.post.contains(def) || consumer.post.contains(op) ||
          getShape(operand) != producer.space || !(isPointwise(op) || isReduction(op)))
        return false;
    }
  return true;
}

void Grouping::merge(unsigned into, unsigned from) {
  FusionGroup &target = *groups[into], &source = *groups[from];
  for (Operation *op : source.ops) {
    target.add(op);
    auto &list = groupsOf[op];
    llvm::erase(list, from);
    if (!llvm::is_contained(list, into))
      list.push_back(into);
  }
  target.post.insert(source.post.begin(), source.post.end());
  target.hasIndexed |= source.hasIndexed;
  if (source.kind == FusionGroup::Kind::Reduction) {
    target.kind = FusionGroup::Kind::Reduction;
    target.reducedDims = source.reducedDims;
    target.postSpace = source.postSpace;
  }
  groups[from] = nullptr;
}

void Grouping::mergeForwards() {
  Graph graph(*this);
  std::vector<int64_t> level(graph.size, 0);
  std::vector<unsigned> representative(graph.size);
  for (unsigned node = 0; node < graph.size; ++node)
    representative[node] = node;

  std::map<SiblingKey, unsigned> siblings;

  for (unsigned node : graph.sort()) {
    // Merging leaves chains of length one: a node that took another one in is never merged itself after that.
    SmallVector<unsigned, 4> read;
    for (unsigned predecessor : graph.predecessors[node])
      read.push_back(representative[predecessor]);
    if (graph.isReshape(node)) {
      for (unsigned predecessor : read)
        level[node] = level[predecessor];
      continue;
    }
    unsigned latest = 0;
    bool isUnique = false; // is everything else below the latest?
    for (unsigned predecessor : read) {
      if (level[predecessor] + 1 > level[node]) {
        level[node] = level[predecessor] + 1;
        latest = predecessor;
        isUnique = true;
      } else if (level[predecessor] + 1 == level[node] && predecessor != latest) {
        isUnique = false;
      }
    }
    if (isUnique && !graph.isReshape(latest) && canMergeInto(*groups[latest], *groups[node])) {
      level[node] = level[latest];
      representative[node] = latest;
      merge(latest, node);
      continue;
    }
    FusionGroup &group = *groups[node];
    if (group.kind != FusionGroup::Kind::Reduction)
      continue;

    SmallVector<SiblingKey> keys;
    for (Operation *op : group.ops) {
      if (group.post.contains(op))
        continue;
      for (Value operand : op->getOperands()) {
        Operation *def = operand.getDefiningOp();
        if (getShape(operand) != group.space || (def && (group.contains(def) || isa<ConstantOp>(def))))
          continue;
        const void *source = def ? static_cast<const void *>(&representative[representative[graph.nodeOf(def)]])
                                 : operand.getAsOpaquePointer();
        keys.emplace_back(level[node], operand.getType().getAsOpaquePointer(), group.reducedDims.data(), source);
      }
    }
    for (const auto &key : keys) {
      auto it = siblings.find(key);
      if (it == siblings.end() || it->second == node || !groups[it->second] ||
          !canMergeInto(*groups[it->second], group))
        continue;
      representative[node] = it->second;
      merge(it->second, node);
      break;
    }
    for (const auto &key : keys)
      siblings.try_emplace(key, representative[node]);
  }
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void Grouping::sortNodes() {
  Graph graph(*this);
  for (unsigned node : graph.sort()) {
    Node entry;
    if (graph.isReshape(node))
      entry.reshape = graph.reshapes[node - groups.size()];
    else
      entry.group = groups[node].get();
    order.push_back(entry);
  }
  for (auto &group : groups)
    if (group)
      llvm::sort(group->ops, [&](Operation *a, Operation *b) { return position.lookup(a) < position.lookup(b); });
}

bool Grouping::isOutput(const FusionGroup &group, Operation *op) const {
  for (Operation *user : op->getUsers()) {
    if (user->hasTrait<OpTrait::IsTerminator>() || liveReshapes.contains(user))
      return true;
    auto it = groupsOf.find(user);
    if (it == groupsOf.end())
      continue;
    for (unsigned number : it->second)
      if (!groups[number]->contains(op))
        return true;
  }
  return false;
}
