//===- GradientScalingTest.cpp - one convolution learns as branches do ----===//
//
// A sum of linear branches with constant factors, trained by the passes, against one convolution whose gradient is
// scaled: equal to 1e-12 at every step in float64 where the theorem holds, and far apart where it does not.
//
//===----------------------------------------------------------------------===//

#include "../TestRegistry.h"
#include "BranchedConvolution.h"
#include "TrainedGraph.h"

#include "espalier/Pipelines/InitAll.h"

#include "mlir/IR/DialectRegistry.h"
#include "llvm/Support/FormatVariadic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

using namespace espalier;
using namespace espalier::test;

namespace {

constexpr int numSteps = 60;
constexpr double equal = 1e-12, different = 1e-4;

class GradientScaling : public testing::Test {
protected:
  GradientScaling() : context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED) {
    static std::once_flag once;
    std::call_once(once, registerOwnPasses);
    context.loadAllAvailableDialects();
  }

  struct Options {
    Window window;
    std::string branchedOptimizer, plainOptimizer; ///< with what follows differentiation
    int power = 2;                                 ///< of factors in the matrix
    bool trainFactors = false;
    double learningRate = 1e-3;
  };

  /// Trains both sides on equal batches from equal functions; the largest difference between the collapsed filter of
  /// the branches and the filter of the one convolution at any step.
  double distance(const std::vector<Branch> &branches, const std::vector<double> &scale, const Options &options,
                  Generator &random) {
    const Window &window = options.window;
    TrainedGraph branched(context, branchedGraph(window, branches, options.trainFactors),
                          "cg-differentiate" + groups(branches) + "," + options.branchedOptimizer);
    TrainedGraph plain(context, plainGraph(window, scale), "cg-differentiate," + options.plainOptimizer);
    std::vector<std::vector<double>> filters;
    for (size_t b = 0; b < branches.size(); ++b) {
      auto count = static_cast<size_t>(window.outputs * window.inputs() * branches[b].rows * branches[b].columns);
      filters.push_back(draw(random, count, -0.3, 0.3));
      branched.value("branch" + std::to_string(b)) = filters.back();
      branched.value("factor" + std::to_string(b)) = branches[b].factors;
    }
    plain.value("w") = collapse(window, branches, filters);

    double largest = 0.0;
    for (int step = 0; step < numSteps; ++step) {
      std::vector<std::vector<double>> batch = {draw(random, window.numImageElements(), -1.0, 1.0),
                                                draw(random, window.numResultElements(), -1.0, 1.0)};
      double loss = branched.step(batch, options.learningRate);
      EXPECT_TRUE(std::isfinite(loss));
      largest = std::max(largest, std::fabs(plain.step(batch, options.learningRate) - loss) / loss);
      for (size_t b = 0; b < branches.size(); ++b)
        filters[b] = branched.value("branch" + std::to_string(b));
      std::vector<Branch> current = branches;
      if (options.trainFactors)
        for (size_t b = 0; b < branches.size(); ++b)
          current[b].factors = branched.value("factor" + std::to_string(b));
      std::vector<double> collapsed = collapse(window, current, filters);
      for (size_t i = 0; i < collapsed.size(); ++i)
        largest = std::max(largest, std::fabs(collapsed[i] - plain.value("w")[i]));
    }
    return largest;
  }

  /// SGD on both sides, with the gradient scaled.
  static Options sgd(const Window &window, const std::string &settings) {
    std::string optimizer = "cg-apply-optimizer{kind=sgd " + settings + "}";
    return {window, optimizer, "cg-insert-gradient-scaling{source=fixed}," + optimizer};
  }

  double distance(const Options &options, uint64_t seed = 1) {
    Generator random(seed);
    std::vector<Branch> branches = drawBranches(random, options.window);
    return distance(branches, gradientScale(options.window, branches, options.power), options, random);
  }

private:
  static std::string groups(const std::vector<Branch> &branches) {
    std::string text;
    for (size_t b = 0; b < branches.size(); ++b)
      if (branches[b].rate != 1.0)
        text += llvm::formatv("{0}branch{1}:rate={2}", text.empty() ? "" : ",", b, branches[b].rate).str();
    return text.empty() ? text : ",cg-group-parameters{groups=" + text + "}";
  }

  mlir::MLIRContext context;
};

TEST_F(GradientScaling, EqualsBranchesUnderSGD) {
  for (int64_t stride : {1, 2})
    for (int64_t groups : {1, 2, 4})
      for (int64_t dilation : {1, 2})
        for (const char *nesterov : {"false", "true"})
          for (const char *decay : {"0", "1e-4", "5e-4"}) {
            Window window;
            window.stride = stride;
            window.groups = groups;
            window.dilation = dilation;
            Options options = sgd(window, llvm::formatv("momentum=0.9 nesterov={0} weight-decay={1}", nesterov, decay));
            EXPECT_LE(distance(options), equal) << "stride " << stride << ", groups " << groups << ", dilation "
                                                << dilation << ", nesterov " << nesterov << ", weight decay " << decay;
          }
}

TEST_F(GradientScaling, EqualsBranchesOfALargeWindowWithMorePadding) {
  Window window;
  window.extent = 5;
  window.pad = 1;
  window.channels = 2;
  window.groups = 2;
  EXPECT_LE(distance(sgd(window, "momentum=0.9 weight-decay=5e-4")), equal);
}

/// Without weight decay branches may learn at rates of their own.
TEST_F(GradientScaling, EqualsBranchesOfTheirOwnRates) {
  Generator random(2);
  Window window;
  std::vector<Branch> branches = drawBranches(random, window);
  branches[0].rate = 0.5;
  branches[3].rate = 2.0;
  std::vector<double> scale = gradientScale(window, branches, 2);
  EXPECT_LE(distance(branches, scale, sgd(window, "momentum=0.9"), random), equal);
  EXPECT_GE(distance(branches, scale, sgd(window, "momentum=0.9 weight-decay=0.05"), random), different);
}

/// Every matrix above 0 is that of some branches: a whole window, and a pixel for what is left of each tap.
TEST_F(GradientScaling, HasBranchesForEveryMatrix) {
  Generator random(3);
  Window window;
  std::vector<double> matrix = draw(random, window.numTaps(), 0.2, 2.0), scale;
  double least = *std::min_element(matrix.begin(), matrix.end());
  auto factors = [&](double square) {
    return std::vector<double>(static_cast<size_t>(window.outputs), std::sqrt(square));
  };
  std::vector<Branch> branches = {{0, 0, window.extent, window.extent, factors(least)}};
  for (int64_t tap = 0; tap < window.extent * window.extent; ++tap)
    if (double rest = matrix[static_cast<size_t>(tap)] - least; rest > 0.0)
      branches.push_back({tap / window.extent, tap % window.extent, 1, 1, factors(rest)});
  for (int64_t output = 0; output < window.outputs; ++output)
    scale.insert(scale.end(), matrix.begin(), matrix.end());
  EXPECT_LE(distance(branches, scale, sgd(window, "momentum=0.9 weight-decay=5e-4"), random), equal);
}

/// With `target=update` the matrix multiplies what weight decay adds, too: branches do not learn like that.
TEST_F(GradientScaling, DiffersWithWeightDecayBeforeIt) {
  Options options = sgd({}, "momentum=0.9 weight-decay=0.05");
  options.plainOptimizer.insert(options.plainOptimizer.find('}'), " target=update");
  EXPECT_GE(distance(options), different);
  options = sgd({}, "momentum=0.9");
  options.plainOptimizer.insert(options.plainOptimizer.find('}'), " target=update");
  EXPECT_LE(distance(options), equal);
}

TEST_F(GradientScaling, DiffersFromBranchesWithTrainedFactors) {
  Options options = sgd({}, "momentum=0.9");
  options.trainFactors = true;
  EXPECT_GE(distance(options), different);
}

TEST_F(GradientScaling, DiffersForAnotherMatrix) {
  Options options = sgd({}, "momentum=0.9");
  options.power = 1;
  EXPECT_GE(distance(options), different);
}

/// The size of a gradient means nothing to Adam and RMSprop: the matrix, of factors in their first power, belongs to
/// the update. It is exact where nothing is added to the denominator.
TEST_F(GradientScaling, EqualsBranchesUnderAdaptiveOptimizersOnTheUpdate) {
  for (const char *optimizer :
       {"kind=adam epsilon=0", "kind=adamw epsilon=0 weight-decay=0.05", "kind=rmsprop epsilon=0 momentum=0.9"}) {
    std::string apply = llvm::formatv("cg-apply-optimizer{{{0}}", optimizer);
    Options options{{}, apply, "cg-insert-gradient-scaling{source=fixed target=update}," + apply, /*power=*/1};
    EXPECT_LE(distance(options), equal) << optimizer;
    options.power = 2;
    EXPECT_GE(distance(options), different) << optimizer;
    options.plainOptimizer = "cg-insert-gradient-scaling{source=fixed}," + apply;
    EXPECT_GE(distance(options), different) << optimizer;
  }
}

} // namespace
