//===- FoldBranchesTest.cpp - folded regions against the reference --------===//
//
// Random regions of branches: what cg-fold-branches makes of them, from their text, computes the same and costs no
// more; so do its gradients, and its compiled program in float32.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/CompiledProgram.h"
#include "BranchRegion.h"

#include "espalier/Analysis/CostAnalysis.h"
#include "espalier/Analysis/WeightEvaluator.h"
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
    context.loadAllAvailableDialects();
    context.disableMultithreading();
  }

  static std::string print(ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream os(text);
    module.print(os);
    return text;
  }

  /// Numbers that depend on the path alone; variances and divisors keep away from 0.
  static ReferenceTensor drawStored(StringRef path, RankedTensorType type) {
    ReferenceTensor tensor(type);
    std::mt19937_64 random(llvm::hash_value(path));
    bool isVector = tensor.rank() != 4;
    for (double &value : tensor.data)
      value = std::uniform_real_distribution<double>(isVector ? 0.5 : -1.0, isVector ? 1.5 : 1.0)(random);
    return tensor;
  }

  static FunctionOpInterface functionOf(ModuleOp module) { return *module.getOps<FunctionOpInterface>().begin(); }

  static ReferenceTensor drawImage(const RegionCase &region, Type element) {
    ReferenceTensor image(
        RankedTensorType::get({region.batch, region.channels, region.size[0], region.size[1]}, element));
    std::mt19937_64 random(7);
    for (double &value : image.data)
      value = std::uniform_real_distribution<double>(-1.0, 1.0)(random);
    return image;
  }

  FailureOr<ReferenceRun> evaluate(ModuleOp module, const RegionCase &region) {
    return evaluateReference(functionOf(module), {drawImage(region, Float64Type::get(&context))},
                             [&](Operation *op) -> FailureOr<ReferenceTensor> {
                               auto parameter = dyn_cast<ParameterOp>(op);
                               return drawStored(parameter ? parameter.getPath() : cast<StateOp>(op).getPath(),
                                                 cast<RankedTensorType>(op->getResult(0).getType()));
                             });
  }

  OwningOpRef<ModuleOp> fold(ModuleOp module) {
    OwningOpRef<ModuleOp> folded = parseSourceString<ModuleOp>(print(module), &context);
    return folded && run(*folded, [](PassManager &manager) { manager.addPass(createFoldBranches()); })
               ? std::move(folded)
               : nullptr;
  }

  template <typename Add> bool run(ModuleOp module, Add add) {
    PassManager manager(&context);
    add(manager);
    return succeeded(manager.run(module));
  }

  static double distance(const ReferenceTensor &lhs, const ReferenceTensor &rhs) {
    return lhs.shape() == rhs.shape() ? distance(lhs.data, rhs.data) : INFINITY;
  }
  template <typename Range> static double distance(const Range &lhs, const Range &rhs) {
    double difference = 0, norm = 0;
    for (auto [a, b] : llvm::zip_equal(lhs, rhs)) {
      difference += (a - b) * (a - b);
      norm += b * b;
    }
    return difference == 0 ? 0 : std::sqrt(difference / norm);
  }
  static double largestDistance(const ReferenceRun &lhs, const ReferenceRun &rhs) {
    double largest = 0;
    for (auto [a, b] : llvm::zip_equal(lhs.results, rhs.results))
      largest = std::max(largest, distance(a, b));
    return largest;
  }

  static int64_t countConvs(ModuleOp module) {
    int64_t count = 0;
    module.walk([&](Operation *op) { count += isa<Conv2dOp, AvgPool2dOp>(op); });
    return count;
  }

  /// Multiply-accumulates, and numbers in parameters and states, with the weights computed beforehand; nothing where
  /// sizes are open.
  std::optional<std::pair<int64_t, int64_t>> costOf(ModuleOp module) {
    OwningOpRef<ModuleOp> copy = module.clone();
    if (!run(*copy, [](PassManager &manager) { manager.addPass(createMaterializeWeights()); }))
      return std::nullopt;
    FailureOr<espalier::CostReport> cost = espalier::computeCost(functionOf(*copy));
    if (failed(cost))
      return std::nullopt;
    const espalier::CostFigures &totals = cost->getTotals();
    std::optional<int64_t> macs = totals.macs.getConstant();
    if (!macs)
      return std::nullopt;
    return std::pair(*macs, *totals.params.getConstant() + *totals.stateBytes.getConstant() / 8);
  }

  using Failure = std::optional<std::string>;

  /// What is wrong with the case; nothing where all is well, or where it is no region.
  Failure check(const RegionCase &region) {
    ScopedDiagnosticHandler handler(&context, [](Diagnostic &) { return success(); });
    OwningOpRef<ModuleOp> module = buildRegion(context, region, Float64Type::get(&context));
    if (!module)
      return std::nullopt;
    FailureOr<ReferenceRun> before = evaluate(*module, region);
    if (failed(before))
      return std::nullopt; // a window larger than its image
    ++numRegions;
    OwningOpRef<ModuleOp> folded = fold(*module);
    if (!folded)
      return "the pass fails:\n" + print(*module);
    FailureOr<ReferenceRun> after = evaluate(*folded, region);
    if (failed(after))
      return "the folded graph cannot be evaluated:\n" + print(*folded);
    if (countConvs(*folded) < countConvs(*module))
      ++numFolded;
    double error = largestDistance(*after, *before);
    if (!(error <= 1e-12))
      return "differs by " + std::to_string(error) + ":\n" + print(*module) + print(*folded);
    if (!region.isFunction)
      if (auto cost = costOf(*module), foldedCost = costOf(*folded);
          cost && (!foldedCost || foldedCost->first > cost->first || foldedCost->second > cost->second))
        return "costs more:\n" + print(*module) + print(*folded);
    return std::nullopt;
  }

  /// The same for the gradient with respect to the image.
  Failure checkGradient(const RegionCase &drawn) {
    ScopedDiagnosticHandler handler(&context, [](Diagnostic &) { return success(); });
    RegionCase region = drawn;
    region.isFunction = false;
    OwningOpRef<ModuleOp> module = buildRegion(context, region, Float64Type::get(&context), RegionUse::Loss);
    if (!module || failed(evaluate(*module, region)))
      return std::nullopt;
    ++numRegions;
    OwningOpRef<ModuleOp> folded = fold(*module);
    if (!folded)
      return "the pass fails:\n" + print(*module);
    if (countConvs(*folded) < countConvs(*module))
      ++numFolded;
    FailureOr<ReferenceTensor> before = differentiate(*module, region), after = differentiate(*folded, region);
    if (failed(before) || failed(after))
      return "cannot be differentiated:\n" + print(*module) + print(*folded);
    double error = distance(*after, *before);
    if (!(error <= 1e-12))
      return "the gradients differ by " + std::to_string(error) + ":\n" + print(*module) + print(*folded);
    return std::nullopt;
  }

  /// The gradient of the loss with respect to the offset.
  FailureOr<ReferenceTensor> differentiate(ModuleOp module, const RegionCase &region) {
    OwningOpRef<ModuleOp> step = module.clone();
    if (!run(*step, [](PassManager &manager) {
          manager.addNestedPass<GraphOp>(createSpecialize());
          manager.addNestedPass<GraphOp>(createDifferentiate());
        }))
      return failure();
    FailureOr<ReferenceRun> result = evaluate(*step, region);
    if (succeeded(result))
      for (ReferenceRun::Write &write : result->writes)
        if (auto gradient = dyn_cast<ParameterGradientOp>(write.op); gradient && gradient.getPath() == "offset")
          return std::move(write.value);
    return failure();
  }

  /// The same for the compiled programs, in float32.
  Failure checkCompiled(const RegionCase &drawn) {
    ScopedDiagnosticHandler handler(&context, [](Diagnostic &) { return success(); });
    RegionCase region = drawn;
    region.isDynamic = region.isFunction = false;
    OwningOpRef<ModuleOp> exact = buildRegion(context, region, Float64Type::get(&context));
    if (!exact || failed(evaluate(*exact, region)))
      return std::nullopt;
    OwningOpRef<ModuleOp> module = buildRegion(context, region, Float32Type::get(&context));
    OwningOpRef<ModuleOp> folded = fold(*module);
    // Large ones take long to compile, and do the same more often.
    constexpr int64_t maxOps = 40;
    if (!folded || countConvs(*folded) == countConvs(*module) || countOps(*module) > maxOps)
      return std::nullopt;
    ++numRegions;
    ++numFolded;
    for (auto [expected, actual] : llvm::zip_equal(compute(*module, region), compute(*folded, region)))
      if (double error = distance(actual, expected); !(error <= 1e-5))
        return "the results in float32 differ by " + std::to_string(error) + ":\n" + print(*module) + print(*folded);
    return std::nullopt;
  }

  static int64_t countOps(ModuleOp module) {
    Block &block = functionOf(module).getFunctionBody().front();
    return std::distance(block.begin(), block.end());
  }

  /// The results in float32.
  std::vector<std::vector<float>> compute(ModuleOp module, const RegionCase &region) {
    Type element = Float32Type::get(&context);
    std::vector<std::vector<float>> results;
    OwningOpRef<ModuleOp> copy = module.clone();
    EXPECT_TRUE(run(*copy, [](PassManager &manager) {
      manager.addNestedPass<GraphOp>(createSpecialize());
      manager.addNestedPass<GraphOp>(createFunctionalize());
    }));
    std::shared_ptr<const espalier::rt::Executable> executable = compile(*copy);
    if (!executable)
      return results;
    auto program = espalier::rt::Program::create(executable, "net", /*threads=*/1);
    EXPECT_TRUE(bool(program)) << program.status().message();
    for (auto [id, place] : llvm::enumerate(program->table().places)) {
      if (place.kind != espalier::rt::Place::Kind::Argument || place.role == espalier::rt::Role::Output)
        continue;
      auto type = RankedTensorType::get(place.logical, element);
      ReferenceTensor value =
          place.role == espalier::rt::Role::Input ? drawImage(region, element) : drawStored(place.name, type);
      EXPECT_TRUE(program->write(id, toHost(value)).ok()) << place.name;
    }
    EXPECT_TRUE(program->run().ok());
    for (int i = 0; i <= (region.kept ? 1 : 0); ++i) {
      auto value = program->read(*program->findOutput("output" + std::to_string(i)));
      EXPECT_TRUE(bool(value));
      results.emplace_back(value->elements<float>().begin(), value->elements<float>().end());
    }
    return results;
  }

  /// The weights of the folded region, by both evaluators.
  Failure checkWeights(const RegionCase &drawn) {
    ScopedDiagnosticHandler handler(&context, [](Diagnostic &) { return success(); });
    RegionCase region = drawn;
    region.isFunction = false;
    OwningOpRef<ModuleOp> module = buildRegion(context, region, Float64Type::get(&context));
    OwningOpRef<ModuleOp> folded = module ? fold(*module) : nullptr;
    if (!folded || !run(*folded, [](PassManager &manager) { manager.addPass(createMaterializeWeights()); }))
      return std::nullopt;
    auto weights = folded->lookupSymbol<GraphOp>("net.weights");
    if (!weights)
      return std::nullopt;
    ++numRegions;
    ++numFolded;
    auto path = [](Operation *op) {
      return isa<ParameterOp>(op) ? cast<ParameterOp>(op).getPath() : cast<StateOp>(op).getPath();
    };
    auto typeOf = [](Operation *op) { return cast<RankedTensorType>(op->getResult(0).getType()); };
    FailureOr<ReferenceRun> expected = evaluateReference(
        weights, {}, [&](Operation *op) -> FailureOr<ReferenceTensor> { return drawStored(path(op), typeOf(op)); });
    std::vector<std::vector<double>> actual;
    for (Type type : weights.getResultTypes())
      actual.emplace_back(cast<RankedTensorType>(type).getNumElements());
    LogicalResult evaluated = evaluateWeights(
        weights,
        [&](Operation *op) -> FailureOr<WeightSource> {
          return WeightSource(
              [from = drawStored(path(op), typeOf(op)).data](int64_t offset, MutableArrayRef<double> elements) {
                std::copy_n(from.begin() + offset, elements.size(), elements.begin());
              });
        },
        [&](unsigned index, int64_t offset, ArrayRef<double> elements) {
          llvm::copy(elements, actual[index].begin() + offset);
        });
    if (failed(expected) || failed(evaluated))
      return "the weights cannot be evaluated:\n" + print(*folded);
    for (auto [value, numbers] : llvm::zip_equal(expected->results, actual))
      if (numbers.size() != value.data.size() || !(distance(numbers, value.data) <= 1e-13))
        return "the weights differ:\n" + print(*folded);
    return std::nullopt;
  }

  using Check = Failure (FoldBranchesTest::*)(const RegionCase &);

  /// The smallest case found that fails too.
  std::string shrink(Check check, RegionCase region, std::string failure) {
    for (bool smaller = true; smaller;) {
      smaller = false;
      for (const RegionCase &cut : cutRegion(region)) {
        Failure found = (this->*check)(cut);
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

  void checkRegions(Check check, uint64_t seed, int count) {
    std::mt19937_64 random(seed);
    while (numRegions < count) {
      RegionCase region = drawRegion(random);
      if (Failure failure = (this->*check)(region))
        FAIL() << shrink(check, region, *failure);
    }
    // A pass that leaves everything as it is would be right, too.
    EXPECT_GE(numFolded, count / 3);
    RecordProperty("folded", numFolded);
  }

  void checkValues(uint64_t seed, int count) { checkRegions(&FoldBranchesTest::check, seed, count); }
  void checkGradients(uint64_t seed, int count) { checkRegions(&FoldBranchesTest::checkGradient, seed, count); }

  void compareWeights(uint64_t seed, int count) { checkRegions(&FoldBranchesTest::checkWeights, seed, count); }
  void checkFloat32(uint64_t seed, int count) { checkRegions(&FoldBranchesTest::checkCompiled, seed, count); }

  MLIRContext context;
  int numRegions = 0, numFolded = 0;
};

TEST_F(FoldBranchesTest, computesTheSame0) { checkValues(0, 2500); }
TEST_F(FoldBranchesTest, computesTheSame1) { checkValues(1, 2500); }
TEST_F(FoldBranchesTest, computesTheSame2) { checkValues(2, 2500); }
TEST_F(FoldBranchesTest, computesTheSame3) { checkValues(3, 2500); }

TEST_F(FoldBranchesTest, hasTheSameGradient) { checkGradients(4, 1500); }

TEST_F(FoldBranchesTest, hasWeightsOfTheReference) { compareWeights(6, 2000); }

TEST_F(FoldBranchesTest, computesTheSameInFloat32) { checkFloat32(5, 100); }

} // namespace
