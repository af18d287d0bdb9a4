//===- TrainerAllocationTest.cpp - a step of training allocates nothing ---===//

#include "../../../tools/common/Allocations.h"
#include "../../../tools/common/Compile.h"

#include "espalier/Frontend/DSL.h"
#include "espalier/Pipelines/InitAll.h"
#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Train/Trainer.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/SourceMgr.h"

#include <gtest/gtest.h>

using namespace espalier;

/// Parameters, states, slots, random numbers, and no product that the library would compute: what it allocates is its
/// own affair.
static constexpr const char *source = R"(
arch net(x: f32[N, 3, 4, 4]) -> f32[N, 3] {
  x |> batch_norm as norm |> relu |> dropout(0.5) |> global_avg_pool
}
)";

static mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  return registry;
}

static constexpr int64_t batch = 4, numSteps = 6;

static std::optional<rt::Program> compile(mlir::ModuleOp module, bool isStep) {
  TrainingOptions options;
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

static rt::Dataset makeDataset() {
  rt::ImageShape shape{3, 4, 4};
  std::vector<uint8_t> images(static_cast<size_t>(batch * numSteps * shape.numElements()));
  for (size_t i = 0; i < images.size(); ++i)
    images[i] = static_cast<uint8_t>(i * 37);
  std::vector<int32_t> labels(static_cast<size_t>(batch * numSteps));
  for (size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<int32_t>(i % 3);
  return rt::Dataset::fromMemory(shape, std::move(images), std::move(labels), {"a", "b", "c"});
}

static std::optional<rt::Prefetcher> load(const rt::Dataset &data) {
  auto normalisation = rt::measureNormalisation(data);
  auto view = rt::View::create(data, *normalisation, {{"flip", {0.5}}}, rt::View::Use::Training);
  auto loader = rt::BatchLoader::forTraining(data, std::move(*view), batch, /*seed=*/0);
  auto prefetcher = rt::Prefetcher::create(std::move(*loader), /*workers=*/1);
  return prefetcher ? std::optional<rt::Prefetcher>(std::move(*prefetcher)) : std::nullopt;
}

TEST(TrainerAllocation, StepsAfterTheFirstAllocateNothing) {
  if (!tools::canCountAllocations())
    GTEST_SKIP() << "a sanitizer has an allocator of its own";
  mlir::MLIRContext context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(source, "net.esp"), llvm::SMLoc());
  mlir::SourceMgrDiagnosticHandler handler(sources, &context);
  ArchitectureOptions architecture;
  architecture.losses = {"cross_entropy", "accuracy"};
  mlir::OwningOpRef<mlir::ModuleOp> module = parseArchitecture(sources, &context, architecture);
  ASSERT_TRUE(module);
  std::optional<rt::Program> step = compile(*module, true), evaluate = compile(*module, false);
  ASSERT_TRUE(step && evaluate);
  for (const rt::Row &row : step->table().rows)
    ASSERT_FALSE(row.isLibraryCall()) << "the test wants a network without library calls";

  rt::Dataset data = makeDataset();
  rt::Recipe recipe;
  recipe.batch = batch;
  recipe.threads = 1;
  std::optional<rt::Prefetcher> train = load(data), test = load(data);
  ASSERT_TRUE(train && test);
  auto trainer = rt::Trainer::create({std::move(*step), std::move(*evaluate), std::nullopt}, std::move(*train),
                                     std::move(*test), recipe);
  ASSERT_TRUE(trainer.ok()) << trainer.status().message();
  ASSERT_TRUE(trainer->initialize({}).ok());

  std::vector<uint64_t> counts;
  counts.reserve(numSteps);
  for (int64_t i = 0; i < numSteps; ++i) {
    rt::Status status = trainer->trainStep(i);
    ASSERT_TRUE(status.ok()) << status.message();
    counts.push_back(tools::numAllocations());
  }
  EXPECT_GT(counts.front(), 0u) << "nothing is counted";
  EXPECT_EQ(counts.back(), counts.front());
}
