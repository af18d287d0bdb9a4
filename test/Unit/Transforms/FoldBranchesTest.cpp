//===- FoldBranchesTest.cpp - folded regions against the reference --------===//
//
// Random regions of branches: what cg-fold-branches makes of them, from their text, computes the same.
//
//===----------------------------------------------------------------------===//

#include "BranchRegion.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Pipelines/InitAll.h"
#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace espalier::cg;
using namespace espalier::cg::test;

namespace {

class FoldBranchesTest : public testing::Test {
protected:
  FoldBranchesTest() {
    DialectRegistry registry;
    espalier::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadDialect<CGDialect>();
    context.disableMultithreading();
  }

  static std::string print(ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream os(text);
    module.print(os);
    return text;
  }

  /// Numbers that depend on the path alone; variances and divisors keep away from 0.
  static ReferenceTensor drawStored(Operation *op) {
    StringRef path = isa<ParameterOp>(op) ? cast<ParameterOp>(op).getPath() : cast<StateOp>(op).getPath();
    ReferenceTensor tensor(cast<RankedTensorType>(op->getResult(0).getType()));
    std::mt19937_64 random(llvm::hash_value(path));
    bool isVector = tensor.rank() != 4;
    for (double &value : tensor.data)
      value = std::uniform_real_distribution<double>(isVector ? 0.5 : -1.0, isVector ? 1.5 : 1.0)(random);
    return tensor;
  }

  FailureOr<ReferenceRun> evaluate(ModuleOp module, const RegionCase &region) {
    GraphOp graph = *module.getOps<GraphOp>().begin();
    ReferenceTensor image(RankedTensorType::get({region.batch, region.channels, region.size[0], region.size[1]},
                                                Float64Type::get(&context)));
    std::mt19937_64 random(7);
    for (double &value : image.data)
      value = std::uniform_real_distribution<double>(-1.0, 1.0)(random);
    return evaluateReference(graph, {image},
                             [&](Operation *op) -> FailureOr<ReferenceTensor> { return drawStored(op); });
  }

  OwningOpRef<ModuleOp> fold(ModuleOp module) {
    OwningOpRef<ModuleOp> folded = parseSourceString<ModuleOp>(print(module), &context);
    PassManager manager(&context);
    manager.addPass(createFoldBranches());
    if (!folded || failed(manager.run(*folded)))
      return nullptr;
    return folded;
  }

  static double distance(const ReferenceTensor &lhs, const ReferenceTensor &rhs) {
    if (lhs.shape() != rhs.shape())
      return INFINITY;
    double difference = 0, norm = 0;
    for (auto [a, b] : llvm::zip_equal(lhs.data, rhs.data)) {
      difference += (a - b) * (a - b);
      norm += b * b;
    }
    return difference == 0 ? 0 : std::sqrt(difference / norm);
  }

  static int64_t countConvs(ModuleOp module) {
    int64_t count = 0;
    module.walk([&](Operation *op) { count += isa<Conv2dOp, AvgPool2dOp>(op); });
    return count;
  }

  /// What is wrong with the case; nothing where all is well, or where it is no region.
  std::optional<std::string> check(const RegionCase &region) {
    ScopedDiagnosticHandler handler(&context, [](Diagnostic &) { return success(); });
    OwningOpRef<ModuleOp> module = buildRegion(context, region, Float64Type::get(&context), /*withOffset=*/false);
    if (!module)
      return std::nullopt;
    FailureOr<ReferenceRun> before = evaluate(*module, region);
    if (failed(before))
      return std::nullopt; // a window larger than its image
    ++numRegions;
    OwningOpRef<ModuleOp> folded = fold(*module);
    if (!folded)
      return "the pass fails";
    FailureOr<ReferenceRun> after = evaluate(*folded, region);
    if (failed(after))
      return "the folded graph cannot be evaluated:\n" + print(*folded);
    if (countConvs(*folded) < countConvs(*module))
      ++numFolded;
    double error = distance(after->results[0], before->results[0]);
    if (!(error <= 1e-12))
      return "differs by " + std::to_string(error) + ":\n" + print(*module) + print(*folded);
    return std::nullopt;
  }

  /// The smallest case found that fails too.
  std::string shrink(RegionCase region, std::string failure) {
    for (bool smaller = true; smaller;) {
      smaller = false;
      for (const RegionCase &cut : cutRegion(region)) {
        std::optional<std::string> found = check(cut);
        if (!found)
          continue;
        region = cut;
        failure = *found;
        smaller = true;
        break;
      }
    }
    return failure;
  }

  void checkRegions(uint64_t seed, int count) {
    std::mt19937_64 random(seed);
    while (numRegions < count) {
      RegionCase region = drawRegion(random);
      if (std::optional<std::string> failure = check(region))
        FAIL() << shrink(region, *failure);
    }
    // A pass that leaves everything as it is would be right, too.
    EXPECT_GE(numFolded, count / 3);
    RecordProperty("folded", numFolded);
  }

  MLIRContext context;
  int numRegions = 0, numFolded = 0;
};

TEST_F(FoldBranchesTest, computesTheSame0) { checkRegions(0, 2500); }
TEST_F(FoldBranchesTest, computesTheSame1) { checkRegions(1, 2500); }
TEST_F(FoldBranchesTest, computesTheSame2) { checkRegions(2, 2500); }
TEST_F(FoldBranchesTest, computesTheSame3) { checkRegions(3, 2500); }

} // namespace
