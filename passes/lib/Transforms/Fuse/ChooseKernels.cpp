//===- ChooseKernels.cpp - which candidate runs a group -------------------===//

#include "espalier/Transforms/FusePasses.h"

#include "espalier/CodeGen/CPUTarget.h"
#include "espalier/Conversion/CGToPlan/Candidate.h"
#include "espalier/Conversion/CGToPlan/Contraction.h"
#include "espalier/Transforms/MeasuredTable.h"

#include "llvm/Support/Format.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_CHOOSEKERNELS
#include "espalier/Transforms/FusePasses.h.inc"
} // namespace espalier::cg

/// How much of the first candidate's time another one may take at most to be chosen: measurements differ by as much.
static constexpr double minGain = 0.9;

namespace {
struct ChooseKernels final : espalier::cg::impl::ChooseKernelsBase<ChooseKernels> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<espalier::codegen::CPUTarget> found = espalier::codegen::CPUTarget::get(cpu, module.getLoc());
    if (failed(found) || failed(table.parse(MeasuredTable::getBuiltinText(), "built-in kernel table", getContext())) ||
        (!kernelTable.empty() && failed(table.read(kernelTable, getContext()))))
      return signalPassFailure();
    if (!prefer.empty() && !findCPUCandidate(prefer)) {
      module.emitError("has no candidate '") << prefer << "' to prefer";
      return signalPassFailure();
    }
    target = &*found;
    processor = target->getMeasurementKey();
    for (GraphOp graph : module.getOps<GraphOp>())
      for (GroupOp group : graph.getBody().front().getOps<GroupOp>())
        if (Operation *contraction = findContraction(group); contraction && failed(choose(group, contraction)))
          return signalPassFailure();
  }

private:
  LogicalResult choose(GroupOp group, Operation *contraction) {
    SmallVector<const Candidate *> legal;
    std::string refusals; // of the others
    for (const Candidate *candidate : getCPUCandidates()) {
      std::optional<std::string> why = candidate->whyNot(group);
      if (StringRef extension = candidate->getRequiredExtension(contraction);
          !why && !extension.empty() && !target->hasExtension(extension))
        why = "the processor has no " + extension.str();
      if (!why)
        legal.push_back(candidate);
      else if (candidate->getName() != loopsCandidateName)
        refusals += "; not " + candidate->getName().str() + ": " + *why;
    }
    if (legal.empty())
      return group.emitOpError("cannot run on a CPU") << refusals;
    auto [chosen, reason] = chooseAmong(legal, getContractionSignature(contraction));
    Builder builder(&getContext());
    group.setCandidatesAttr(
        builder.getStrArrayAttr(llvm::map_to_vector(legal, [](const Candidate *each) { return each->getName(); })));
    group.setChosen(chosen->getName());
    group.setReason(reason + refusals);
    return success();
  }

  /// Loops are no rival: they run what nothing else can.
  std::pair<const Candidate *, std::string> chooseAmong(ArrayRef<const Candidate *> legal, StringRef signature) {
    SmallVector<const Candidate *> rivals;
    for (const Candidate *candidate : legal) {
      if (candidate->getName() == prefer)
        return {candidate, "preferred by an option"};
      if (candidate->getName() != loopsCandidateName)
        rivals.push_back(candidate);
    }
    if (rivals.size() < 2)
      return {legal.front(), "the only one"};
    const Candidate *fastest = nullptr;
    int64_t shortest = 0, preferred = 0;
    std::string times;
    llvm::raw_string_ostream os(times);
    for (const Candidate *candidate : rivals) {
      std::optional<int64_t> nanoseconds = table.lookup(processor, signature, candidate->getName());
      if (!nanoseconds)
        return {rivals.front(), "by rule, the first of onednn, tile: no times of both for " + processor};
      os << (fastest ? ", " : "") << candidate->getName()
         << llvm::format(" %.1f us", static_cast<double>(*nanoseconds) / 1000);
      if (!fastest) {
        fastest = candidate;
        shortest = preferred = *nanoseconds;
      } else if (*nanoseconds < shortest && static_cast<double>(*nanoseconds) < minGain * preferred) {
        fastest = candidate;
        shortest = *nanoseconds;
      } else if (*nanoseconds < preferred) {
        os << ", which is no difference";
      }
    }
    return {fastest, "measured on " + processor + ": " + times};
  }

  MeasuredTable table;
  const espalier::codegen::CPUTarget *target = nullptr; // while the pass runs
  std::string processor;
};
} // namespace
