//===- TrainingCompiler.cpp - the programs of a training run --------------===//

#include "TrainingCompiler.h"

using namespace espalier;
using namespace espalier::tools;

rt::Expected<SizeBindings> TrainingCompiler::bindSizes(cg::GraphOp graph, int64_t batch,
                                                       const rt::ImageShape &image) const {
  NetworkFlags flags = network.forImages(graph, image);
  flags.batch = batch;
  return flags.bindSizes(graph);
}

/// Paths of the filters whose gradients a training step scales by one matrix.
static llvm::SmallVector<std::string> findScaledFilters(const rt::Program &step) {
  llvm::SmallVector<std::string> filters;
  for (const rt::Place &place : step.table().places) {
    llvm::StringRef path = place.name;
    if (place.role == rt::Role::Slot && place.logical.size() == 2 && path.consume_back(rt::gradientScaleSuffix))
      filters.push_back(path.str());
  }
  return filters;
}

rt::Expected<CompiledTraining> TrainingCompiler::compile(cg::GraphOp graph) const {
  TrainingArtifact artifact;
  TrainingOptions options = trainingOptions(recipe, graph.getSymName(), loss);
  const int64_t part = recipe.partSize();
  console.note("compiling {} for batches of {}", graph.getSymName().str(),
               recipe.accumulate > 1 ? fmt::format("{} in {} parts", recipe.batch, recipe.accumulate)
                                     : fmt::format("{}", part));
  auto compileFor = [&](int64_t batch, ProgramKind kind) -> rt::Expected<rt::Program> {
    rt::Expected<SizeBindings> sizes =
        bindSizes(graph, batch, kind == ProgramKind::Evaluation ? testShape : trainShape);
    if (!sizes)
      return sizes.takeStatus();
    options.sizes = *std::move(sizes);
    rt::Expected<rt::Program> program =
        compileTrainingProgram(graph->getParentOfType<mlir::ModuleOp>(), options, kind, target,
                               static_cast<int>(recipe.threads), kind == ProgramKind::Step ? &artifact : nullptr);
    if (program)
      program->setDeterministic(recipe.deterministic);
    return program;
  };
  rt::Expected<rt::Program> step = compileFor(part, ProgramKind::Step);
  if (!step)
    return step.takeStatus();
  rt::Expected<rt::Program> evaluate = compileFor(part, ProgramKind::Evaluation);
  if (!evaluate)
    return evaluate.takeStatus();
  rt::TrainingPrograms programs{std::move(*step), std::move(*evaluate), std::nullopt};
  if (recipe.accumulate > 1) {
    rt::Expected<rt::Program> program = compileFor(part, ProgramKind::Accumulation);
    if (!program)
      return program.takeStatus();
    programs.accumulate = std::move(*program);
  }
  if (recipe.gradientScaling == rt::GradientScaling::MutualInformation) {
    options.estimation.filters = findScaledFilters(programs.step);
    if (options.estimation.filters.empty())
      return rt::invalidInput("gradient scaling 'mutual-information' expects a convolution that is trained, with a "
                              "window of odd extents of at least 3, but '{}' has none",
                              graph.getSymName().str());
    rt::Expected<rt::Program> program = compileFor(recipe.scalingBatches * recipe.batch, ProgramKind::Estimation);
    if (!program)
      return program.takeStatus();
    programs.estimate = std::move(*program);
  }
  if (int64_t rest = testSize % part) {
    rt::Expected<rt::Program> program = compileFor(rest, ProgramKind::Evaluation);
    if (!program)
      return program.takeStatus();
    programs.evaluateRest = std::move(*program);
  }
  return CompiledTraining{std::move(programs), std::move(artifact)};
}
