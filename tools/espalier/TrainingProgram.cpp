//===- TrainingProgram.cpp - compiled sides of a training run -------------===//

#include "TrainingProgram.h"

#include "../common/Compile.h"

#include "espalier/Runtime/Core/Digest.h"
#include "espalier/Runtime/Core/Text.h"
#include "llvm/Support/GlobPattern.h"

#include <fmt/ranges.h>

using namespace espalier;
using namespace espalier::tools;

static cg::OptimizerKind optimizerKind(rt::Optimiser optimiser) {
  switch (optimiser) {
  case rt::Optimiser::SGD:
    return cg::OptimizerKind::SGD;
  case rt::Optimiser::Adam:
    return cg::OptimizerKind::Adam;
  case rt::Optimiser::AdamW:
    return cg::OptimizerKind::AdamW;
  case rt::Optimiser::RMSprop:
    return cg::OptimizerKind::RMSprop;
  }
  llvm_unreachable("all optimisers are handled");
}

Precision espalier::tools::precisionOf(const rt::Recipe &recipe) {
  return recipe.precision == rt::TrainingPrecision::BF16 ? Precision::BF16 : Precision::F32;
}

/// As `cg-group-parameters` reads it.
static std::string formatGroup(const rt::ParameterGroup &group) {
  std::string text = group.match;
  if (group.weightDecay)
    text += fmt::format(":weight-decay={}", *group.weightDecay);
  if (group.learningRateFactor != 1)
    text += fmt::format(":rate={}", group.learningRateFactor);
  return group.frozen ? text + ":frozen" : text;
}

/// As `cg-insert-gradient-scaling` reads it.
static cg::InsertGradientScalingOptions gradientScalingOptions(const rt::Recipe &recipe) {
  cg::InsertGradientScalingOptions options;
  options.source = recipe.gradientScaling == rt::GradientScaling::Fixed ? cg::GradientScaleSource::Fixed
                                                                        : cg::GradientScaleSource::MutualInformation;
  switch (recipe.scalingBlock) {
  case rt::ScalingBlock::None:
    options.block = cg::GradientScaleBlock::None;
    break;
  case rt::ScalingBlock::ACNet:
    options.block = cg::GradientScaleBlock::ACNet;
    break;
  case rt::ScalingBlock::RepVGG:
    options.block = cg::GradientScaleBlock::RepVGG;
    break;
  }
  for (const std::vector<double> &row : recipe.scalingMatrix)
    options.matrix.push_back(fmt::format("{}", fmt::join(row, ":")));
  return options;
}

/// A random choice wants to know as well which filters are trained.
static cg::ScoreFiltersOptions scoreOptions(const rt::Recipe &recipe) {
  cg::ScoreFiltersOptions options;
  switch (recipe.growthScore) {
  case rt::GrowthScore::Synflow:
  case rt::GrowthScore::Random:
    options.score = cg::FilterScore::SynFlow;
    break;
  case rt::GrowthScore::Snip:
    options.score = cg::FilterScore::SNIP;
    break;
  case rt::GrowthScore::GradientNorm:
    options.score = cg::FilterScore::GradientNorm;
    break;
  }
  return options;
}

rt::Status espalier::tools::checkGroups(const rt::Recipe &recipe, cg::GraphOp network) {
  std::vector<llvm::GlobPattern> patterns;
  for (const rt::ParameterGroup &group : recipe.groups) {
    llvm::Expected<llvm::GlobPattern> pattern = llvm::GlobPattern::create(group.match);
    if (!pattern)
      return rt::invalidInput("{}'groups.match' expects a pattern for paths of parameters, but got {}: {}",
                              group.location.prefix(), rt::quote(group.match), llvm::toString(pattern.takeError()));
    patterns.push_back(*std::move(pattern));
  }
  std::vector<bool> isUsed(patterns.size());
  std::vector<std::string_view> paths;
  bool trains = false;
  for (cg::ParameterOp parameter : network.getBody().getOps<cg::ParameterOp>()) {
    paths.push_back(parameter.getPath());
    const rt::ParameterGroup *first = nullptr;
    for (auto [index, pattern] : llvm::enumerate(patterns))
      if (pattern.match(parameter.getPath())) {
        isUsed[index] = true;
        first = first ? first : &recipe.groups[index];
      }
    trains |= !first || !first->frozen;
  }
  for (auto [group, used] : llvm::zip_equal(recipe.groups, isUsed))
    if (!used) {
      std::string_view closest = rt::closestMatch(group.match, paths);
      return rt::invalidInput("{}'groups.match' expects a pattern that parameters of '{}' match, but {} matches none{}",
                              group.location.prefix(), network.getSymName().str(), rt::quote(group.match),
                              closest.empty() ? "" : fmt::format("; did you mean '{}'?", closest));
    }
  if (trains || paths.empty())
    return {};
  auto frozen = llvm::find_if(recipe.groups, [](const rt::ParameterGroup &group) { return group.frozen; });
  return rt::invalidInput("{}'groups' expects a parameter to train, but all of '{}' are frozen",
                          frozen->location.prefix(), network.getSymName().str());
}

TrainingOptions espalier::tools::trainingOptions(const rt::Recipe &recipe, llvm::StringRef arch,
                                                 const std::string &loss) {
  TrainingOptions options;
  options.network = arch.str();
  options.loss = (arch + "." + loss).str();
  options.metrics = {(arch + ".accuracy").str()};
  options.precision = precisionOf(recipe);
  options.optimizer.kind = optimizerKind(recipe.optimiser);
  options.optimizer.momentum = recipe.momentum;
  options.optimizer.nesterov = recipe.nesterov;
  options.optimizer.weightDecay = recipe.weightDecay;
  options.optimizer.beta1 = recipe.betas[0];
  options.optimizer.beta2 = recipe.betas[1];
  options.optimizer.epsilon = recipe.epsilon;
  options.optimizer.alpha = recipe.alpha;
  options.optimizer.centered = recipe.centred;
  options.groups.decayNormsAndBiases = recipe.decayNormsAndBiases;
  for (const rt::ParameterGroup &group : recipe.groups)
    options.groups.groups.push_back(formatGroup(group));
  if (recipe.clipNorm > 0)
    options.clipNorm = recipe.clipNorm;
  if (recipe.clipValue > 0)
    options.clipValue = recipe.clipValue;
  if (recipe.gradientScaling != rt::GradientScaling::None)
    options.gradientScaling = gradientScalingOptions(recipe);
  options.estimation.temperature = recipe.scalingTemperature;
  options.estimation.removeDiagonal = recipe.scalingRemovesDiagonal;
  if (recipe.growthInterval > 0)
    options.score = scoreOptions(recipe);
  options.accumulate = recipe.accumulate;
  if (recipe.emaDecay > 0)
    options.average = cg::AverageParametersOptions{recipe.emaDecay, recipe.emaWarmup};
  return options;
}

rt::Expected<rt::Program> espalier::tools::compileTrainingProgram(mlir::ModuleOp module, const TrainingOptions &options,
                                                                  ProgramKind kind, const TargetFlags &target,
                                                                  int threads, TrainingArtifact *artifact) {
  PhaseOptions phases;
  phases.kernels.kernelTable = target.kernelTable;
  phases.toStep = [&](mlir::OpPassManager &manager) {
    switch (kind) {
    case ProgramKind::Step:
      return buildTrainingStepPipeline(manager, options);
    case ProgramKind::Evaluation:
      return buildEvaluationStepPipeline(manager, options);
    case ProgramKind::Accumulation:
      return buildAccumulationStepPipeline(manager, options);
    case ProgramKind::Estimation:
      return buildEstimationStepPipeline(manager, options);
    }
  };
  mlir::FailureOr<std::string> compiled = compileArtifact(module, phases, target.cpu);
  if (failed(compiled))
    return reported();
  rt::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t *>(compiled->data()), compiled->size());
  rt::Expected<std::shared_ptr<const rt::Executable>> executable = rt::Executable::load(bytes);
  if (!executable)
    return executable.takeStatus();
  if (artifact) {
    rt::Expected<rt::InitializerTable> table = rt::parseInitializers((*executable)->artifact().metadata);
    if (!table)
      return table.takeStatus();
    artifact->initializers = std::move(*table);
    artifact->processor = (*executable)->artifact().cpu;
    rt::Digest digest;
    digest.add(bytes);
    artifact->digest = digest.finish();
  }
  return rt::Program::create(*executable, kind == ProgramKind::Estimation ? "estimate" : "step", threads);
}
