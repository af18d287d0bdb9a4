//===- TinyTrainer.h - a trainer for tests ----------------------*- C++ -*-===//

#ifndef ESPALIER_UNITTEST_TOOLS_TINYTRAINER_H
#define ESPALIER_UNITTEST_TOOLS_TINYTRAINER_H

#include "../../../tools/common/Compile.h"
#include "../TestRegistry.h"

#include "espalier/Frontend/DSL.h"
#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Train/Trainer.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/SourceMgr.h"

namespace espalier::tiny {

/// Parameters, states, slots, random numbers, and no product that the library would compute: what it allocates is its
/// own affair.
inline constexpr const char *source = R"(
arch net(x: f32[N, 3, 4, 4]) -> f32[N, 3] {
  x |> batch_norm as norm |> relu |> dropout(0.5) |> global_avg_pool
}
)";

inline constexpr int64_t batch = 4, numSteps = 6;

inline std::optional<rt::Program> compile(mlir::ModuleOp module, TrainingOptions options, bool isStep) {
  options.network = "net";
  options.loss = "net.cross_entropy";
  options.metrics = {"net.accuracy"};
  options.optimizer.momentum = 0.9;
  options.sizes = {"N=" + std::to_string(batch)};
  PhaseOptions phases;
  phases.toStep = [&](mlir::OpPassManager &manager) {
    if (isStep)
      buildTrainingStepPipeline(manager, options);
    else
      buildEvaluationStepPipeline(manager, options);
  };
  auto executable = tools::compileExecutable(module, phases, "host");
  if (!executable)
    return std::nullopt;
  auto program = rt::Program::create(executable, "step", /*threads=*/1);
  return program ? std::optional<rt::Program>(std::move(*program)) : std::nullopt;
}

inline rt::Dataset makeDataset() {
  rt::ImageShape shape{3, 4, 4};
  std::vector<uint8_t> images(static_cast<size_t>(batch * numSteps * shape.numElements()));
  for (size_t i = 0; i < images.size(); ++i)
    images[i] = static_cast<uint8_t>(i * 37);
  std::vector<int32_t> labels(static_cast<size_t>(batch * numSteps));
  for (size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<int32_t>(i % 3);
  return rt::Dataset::fromMemory(shape, std::move(images), std::move(labels), {"a", "b", "c"});
}

inline std::optional<rt::Prefetcher> load(const rt::Dataset &data) {
  auto normalisation = rt::measureNormalisation(data);
  auto view = rt::View::create(data, *normalisation, {{"flip", {0.5}}}, rt::View::Use::Training);
  auto loader = rt::BatchLoader::forTraining(data, std::move(*view), batch, /*seed=*/0);
  auto prefetcher = rt::Prefetcher::create(std::move(*loader), /*workers=*/1);
  return prefetcher ? std::optional<rt::Prefetcher>(std::move(*prefetcher)) : std::nullopt;
}

/// A trainer of `network` on `data`, which has to outlive it; null, with messages, if it cannot be made.
inline std::unique_ptr<rt::Trainer> makeTrainer(const rt::Dataset &data, const TrainingOptions &options,
                                                const char *network = source) {
  mlir::MLIRContext context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(network, "net.esp"), llvm::SMLoc());
  mlir::SourceMgrDiagnosticHandler handler(sources, &context);
  ArchitectureOptions architecture;
  architecture.losses = {"cross_entropy", "accuracy"};
  mlir::OwningOpRef<mlir::ModuleOp> module = parseArchitecture(sources, &context, architecture);
  if (!module)
    return nullptr;
  std::optional<rt::Program> step = compile(*module, options, true), evaluate = compile(*module, options, false);
  rt::Recipe recipe;
  recipe.batch = batch;
  recipe.threads = 1;
  std::optional<rt::Prefetcher> train = load(data), test = load(data);
  if (!step || !evaluate || !train || !test)
    return nullptr;
  auto trainer = rt::Trainer::create({std::move(*step), std::move(*evaluate), std::nullopt}, std::move(*train),
                                     std::move(*test), recipe);
  return trainer ? std::make_unique<rt::Trainer>(std::move(*trainer)) : nullptr;
}

} // namespace espalier::tiny

#endif // ESPALIER_UNITTEST_TOOLS_TINYTRAINER_H
