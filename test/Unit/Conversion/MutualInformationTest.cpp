//===- MutualInformationTest.cpp - against the procedure in NumPy ---------===//
//
// The golden was made by tools/dev/goldens/gradient_scaling.py. The reference evaluation and compiled kernels, for
// images in float32 and in float64 and on any number of threads, are within 1e-12 of it.
//
//===----------------------------------------------------------------------===//

#include "../TestRegistry.h"
#include "CompiledProgram.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Transforms/BranchPasses.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <random>

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;
using namespace espalier::cg::test;
using Json = nlohmann::json;

namespace {

Json readGolden() {
  std::ifstream file(std::string(ESPALIER_SOURCE_DIR) + "/test/Unit/Conversion/goldens/mutual_information.json");
  return Json::parse(file);
}

std::string join(const std::vector<std::string> &parts) { return llvm::join(parts, ", "); }

std::string typeOf(const std::vector<int64_t> &shape, StringRef element) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element.str() + ">";
}

class MutualInformationTest : public testing::Test {
protected:
  MutualInformationTest() : context(makeRegistry(), MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }

  /// `cg.mutual_information` of `images` with zeros around them, as the graph @forward.
  OwningOpRef<ModuleOp> makeGraph(const std::vector<std::vector<int64_t>> &shapes, const Json &options,
                                  StringRef element) {
    std::vector<std::string> arguments, padded, types;
    std::string body;
    for (size_t i = 0; i < shapes.size(); ++i) {
      std::vector<int64_t> pads = options["pads"][i], shape = shapes[i];
      std::string name = std::to_string(i), from = typeOf(shape, element);
      arguments.push_back("%x" + name + ": " + from);
      padded.push_back("%p" + name);
      body += llvm::formatv("  %p{0} = cg.pad %x{0} {{low = array<i64: 0, 0, {1}, {2}>, high = array<i64: 0, 0, {3}, "
                            "{4}>, value = 0.0 : f64} : {5}\n",
                            name, pads[0], pads[1], pads[2], pads[3], from);
      shape[2] += pads[0] + pads[2];
      shape[3] += pads[1] + pads[3];
      types.push_back(typeOf(shape, element));
    }
    std::vector<std::string> dilations;
    for (const Json &dilation : options["dilations"])
      for (int64_t entry : dilation)
        dilations.push_back(std::to_string(entry));
    std::vector<int64_t> window = options["window"];
    std::string result = typeOf({shapes[0][1], window[0], window[1]}, "f64");
    std::string text = llvm::formatv(
        "cg.graph @forward({0}) -> {1} {{\n{2}  %d = cg.mutual_information {3} window [{4}, {5}] dilations [{6}] {7} : "
        "{8}\n  cg.return %d : {1}\n}\n",
        join(arguments), result, body, join(padded), window[0], window[1], join(dilations),
        options["remove_diagonal"] == true ? "remove_diagonal" : "", join(types));
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    return module;
  }

  std::vector<double> evaluate(ModuleOp module, const std::vector<std::vector<double>> &images) {
    auto graph = *module.getOps<GraphOp>().begin();
    std::vector<ReferenceTensor> operands;
    for (auto [type, values] : llvm::zip_equal(graph.getArgumentTypes(), images)) {
      operands.emplace_back(cast<RankedTensorType>(type));
      operands.back().data = values;
    }
    auto run = evaluateReference(
        graph, operands, [](Operation *op) -> FailureOr<ReferenceTensor> { return op->emitError("no storage"); });
    EXPECT_TRUE(succeeded(run));
    return succeeded(run) ? run->results[0].data : std::vector<double>();
  }

  /// The program's result on `threads` threads.
  static std::vector<double> run(const std::shared_ptr<const rt::Executable> &executable, int threads,
                                 const std::vector<std::vector<double>> &images) {
    rt::Program program = *rt::Program::create(executable, "forward", threads);
    for (size_t i = 0; i < images.size(); ++i) {
      rt::PlaceId place = *program.findInput("arg" + std::to_string(i));
      const rt::Place &argument = program.table().places[place];
      rt::HostTensor tensor = *rt::HostTensor::create(argument.dtype, argument.logical);
      visitElements(tensor, [&](auto elements) { std::copy(images[i].begin(), images[i].end(), elements.begin()); });
      EXPECT_TRUE(program.write(place, tensor).ok());
    }
    EXPECT_TRUE(program.run().ok());
    rt::HostTensor result = *program.read(*program.findOutput("output0"));
    rt::Span<double> elements = result.elements<double>();
    return {elements.begin(), elements.end()};
  }

  /// Of one image, without padding, by the reference evaluation.
  std::vector<double> dependence(const std::vector<int64_t> &shape, const std::vector<double> &image,
                                 bool removeDiagonal = false) {
    Json options = {
        {"pads", {{0, 0, 0, 0}}}, {"dilations", {{1, 1}}}, {"window", {3, 3}}, {"remove_diagonal", removeDiagonal}};
    OwningOpRef<ModuleOp> module = makeGraph({shape}, options, "f64");
    std::vector<double> expected = evaluate(*module, {image});
    auto executable = compile(*module);
    EXPECT_TRUE(executable);
    expectNear(run(executable, /*threads=*/2, {image}), expected);
    return expected;
  }

  static void expectNear(const std::vector<double> &actual, const std::vector<double> &expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      if (std::isnan(expected[i]))
        EXPECT_TRUE(std::isnan(actual[i])) << "element " << i << " is " << actual[i];
      else
        EXPECT_NEAR(actual[i], expected[i], 1e-12) << "element " << i;
    }
  }

  MLIRContext context;
};

TEST_F(MutualInformationTest, equalsTheProcedureOnFeatureMaps) {
  Json golden = readGolden();
  ASSERT_GE(golden["cases"].size(), 10u);
  for (const Json &options : golden["cases"]) {
    SCOPED_TRACE(options.dump().substr(0, 160));
    std::vector<std::vector<int64_t>> shapes;
    std::vector<std::vector<double>> images;
    bool isExactInF32 = true;
    for (const Json &name : options["images"]) {
      const Json &image = golden["images"][name.get<std::string>()];
      shapes.push_back(image["shape"]);
      images.push_back(image["values"]);
      for (double value : images.back())
        isExactInF32 &= static_cast<double>(static_cast<float>(value)) == value;
    }
    std::vector<double> expected;
    for (const Json &value : options["dependence"])
      expected.push_back(value.is_null() ? std::nan("") : value.get<double>());

    OwningOpRef<ModuleOp> module = makeGraph(shapes, options, "f64");
    ASSERT_TRUE(module);
    expectNear(evaluate(*module, images), expected);
    for (StringRef element : {"f64", "f32"}) {
      if (element == "f32" && !isExactInF32)
        continue;
      module = makeGraph(shapes, options, element);
      auto executable = compile(*module);
      ASSERT_TRUE(executable);
      std::vector<double> single = run(executable, 1, images);
      expectNear(single, expected);
      for (int threads : {2, 3}) {
        std::vector<double> several = run(executable, threads, images);
        EXPECT_EQ(std::memcmp(several.data(), single.data(), single.size() * sizeof(double)), 0) << threads;
      }
    }
  }
}

//===----------------------------------------------------------------------===//
// Whole estimates
//===----------------------------------------------------------------------===//

class GradientScaleTest : public MutualInformationTest {
protected:
  /// A network that convolves images with one filter, and its estimate.
  OwningOpRef<ModuleOp> makeEstimate(const std::vector<std::vector<int64_t>> &shapes, const Json &options,
                                     StringRef element) {
    std::vector<std::string> arguments, results;
    std::vector<int64_t> window = options["window"];
    std::string filter = typeOf({1, shapes[0][1], window[0], window[1]}, element);
    std::string body = llvm::formatv("  %w = cg.parameter \"conv.weight\" : {0}\n", filter), returned;
    for (size_t i = 0; i < shapes.size(); ++i) {
      std::vector<int64_t> pads = options["pads"][i], dilation = options["dilations"][i];
      std::string image = typeOf(shapes[i], element);
      arguments.push_back("%x" + std::to_string(i) + ": " + image);
      body += llvm::formatv(
          "  %y{0} = cg.conv2d %x{0}, %w pads [{1}] dilations [{2}] : {3}, {4}\n"
          "  %s{0} = cg.reduce_sum %y{0} {{axes = array<i64: 0, 1, 2, 3>} : tensor<{5}x1x{6}x{7}x{8}>\n",
          i, llvm::make_range(pads.begin(), pads.end()), llvm::make_range(dilation.begin(), dilation.end()), image,
          filter, shapes[i][0], shapes[i][2] + pads[0] + pads[2] - dilation[0] * (window[0] - 1),
          shapes[i][3] + pads[1] + pads[3] - dilation[1] * (window[1] - 1), element);
      returned += (i ? ", %s" : "%s") + std::to_string(i);
      results.push_back(typeOf({}, element));
    }
    std::string text = llvm::formatv("cg.graph @forward({0}) -> ({1}) {{\n{2}  cg.return {3} : {1}\n}\n",
                                     join(arguments), join(results), body, returned);
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    EstimateGradientScalingOptions estimate;
    estimate.temperature = options["temperature"];
    estimate.removeDiagonal = options["remove_diagonal"];
    PassManager manager(&context);
    manager.addNestedPass<GraphOp>(createEstimateGradientScaling(estimate));
    manager.addPass(createCanonicalizerPass());
    EXPECT_TRUE(module && succeeded(manager.run(*module))) << text;
    return module;
  }

  /// The new scale by the reference evaluation, where the old one is `old` everywhere.
  std::vector<double> evaluateScale(ModuleOp module, const std::vector<std::vector<double>> &images, double old) {
    auto graph = *module.getOps<GraphOp>().begin();
    std::vector<ReferenceTensor> operands;
    for (auto [type, values] : llvm::zip_equal(graph.getArgumentTypes(), images)) {
      operands.emplace_back(cast<RankedTensorType>(type));
      operands.back().data = values;
    }
    auto run = evaluateReference(graph, operands, [&](Operation *op) -> FailureOr<ReferenceTensor> {
      ReferenceTensor stored(cast<RankedTensorType>(op->getResult(0).getType()));
      std::fill(stored.data.begin(), stored.data.end(), old);
      return stored;
    });
    EXPECT_TRUE(succeeded(run) && run->writes.size() == 1);
    return succeeded(run) && !run->writes.empty() ? run->writes[0].value.data : std::vector<double>();
  }

  /// The same by the compiled program.
  std::vector<double> runScale(ModuleOp module, const std::vector<std::vector<double>> &images, double old) {
    PassManager manager(&context);
    manager.addNestedPass<GraphOp>(createFunctionalize());
    EXPECT_TRUE(succeeded(manager.run(module)));
    auto executable = compile(module);
    EXPECT_TRUE(executable);
    rt::Program program = *rt::Program::create(executable, "forward", /*threads=*/2);
    auto write = [&](const std::string &name, llvm::function_ref<double(size_t)> element) {
      rt::PlaceId place = *program.findInput(name);
      const rt::Place &argument = program.table().places[place];
      rt::HostTensor tensor = *rt::HostTensor::create(argument.dtype, argument.logical);
      visitElements(tensor, [&](auto elements) {
        for (size_t i = 0; i < elements.size(); ++i)
          elements[i] = static_cast<std::remove_reference_t<decltype(elements[0])>>(element(i));
      });
      EXPECT_TRUE(program.write(place, tensor).ok());
    };
    for (size_t i = 0; i < images.size(); ++i)
      write("arg" + std::to_string(i), [&](size_t at) { return images[i][at]; });
    write("conv.weight#gradient_scale", [&](size_t) { return old; });
    EXPECT_TRUE(program.run().ok());
    rt::HostTensor result = *program.read(*program.findOutput("conv.weight#gradient_scale"));
    std::vector<double> scale;
    visitElements(result, [&](auto elements) { scale.assign(elements.begin(), elements.end()); });
    return scale;
  }
};

TEST_F(GradientScaleTest, equalsTheProcedureOnFeatureMaps) {
  Json golden = readGolden();
  for (const Json &options : golden["cases"]) {
    SCOPED_TRACE(options.dump().substr(0, 160));
    std::vector<std::vector<int64_t>> shapes;
    std::vector<std::vector<double>> images;
    for (const Json &name : options["images"]) {
      shapes.push_back(golden["images"][name.get<std::string>()]["shape"]);
      images.push_back(golden["images"][name.get<std::string>()]["values"]);
    }
    std::vector<double> expected = options["scale"];
    double sum = 0.0;
    for (double value : expected)
      sum += value;
    EXPECT_NEAR(sum, static_cast<double>(expected.size()), 1e-12);
    OwningOpRef<ModuleOp> module = makeEstimate(shapes, options, "f64");
    expectNear(evaluateScale(*module, images, /*old=*/1.0), expected);
    expectNear(runScale(*module, images, /*old=*/1.0), expected);
  }
}

/// "X[n,c,i,j] = max(0, sin(0.35 i + 0.5 j + c) + 0.3 cos(1.1 i - 0.7 j + n))", with the digits that were published.
TEST_F(GradientScaleTest, equalsThePublishedExample) {
  std::vector<double> image;
  for (int n = 0; n < 2; ++n)
    for (int c = 0; c < 2; ++c)
      for (int i = 0; i < 8; ++i)
        for (int j = 0; j < 8; ++j)
          image.push_back(std::max(0.0, std::sin(0.35 * i + 0.5 * j + c) + 0.3 * std::cos(1.1 * i - 0.7 * j + n)));
  auto scale = [&](int64_t window, bool removeDiagonal) {
    int64_t pad = window / 2;
    Json options = {{"pads", {{pad, pad, pad, pad}}},
                    {"dilations", {{1, 1}}},
                    {"window", {window, window}},
                    {"remove_diagonal", removeDiagonal},
                    {"temperature", 5.0}};
    return evaluateScale(*makeEstimate({{2, 2, 8, 8}}, options, "f64"), {image}, 1.0);
  };
  std::vector<double> small = scale(3, false), removed = scale(3, true), large = scale(5, false);
  for (auto [index, value] : llvm::enumerate(std::array{0.723559, 1.121599, 0.784135}))
    EXPECT_NEAR(small[index], value, 5e-7);
  EXPECT_NEAR(small[4], 1.749622, 5e-7);
  EXPECT_NEAR(removed[4], 1.493595, 5e-7);
  EXPECT_NEAR(large[12], 2.385505, 5e-7);
  EXPECT_NEAR(large[0], 0.463923, 5e-7);
}

TEST_F(GradientScaleTest, keepsTheOldScaleWithoutANumber) {
  Json options = {{"pads", {{0, 0, 0, 0}}},
                  {"dilations", {{1, 1}}},
                  {"window", {3, 3}},
                  {"remove_diagonal", false},
                  {"temperature", 5.0}};
  for (StringRef element : {"f64", "f32"}) {
    OwningOpRef<ModuleOp> module = makeEstimate({{1, 2, 8, 8}}, options, element);
    std::vector<std::vector<double>> flat = {std::vector<double>(128, 3.0)};
    std::vector<double> kept = evaluateScale(*module, flat, /*old=*/0.75);
    EXPECT_EQ(kept, std::vector<double>(9, 0.75));
    EXPECT_EQ(runScale(*module, flat, /*old=*/0.75), kept);
    // One channel with a number is enough.
    module = makeEstimate({{1, 2, 8, 8}}, options, element);
    for (size_t i = 0; i < 64; ++i)
      flat[0][i] = static_cast<double>(i * i % 7);
    EXPECT_GT(runScale(*module, flat, /*old=*/0.75)[4], 1.0);
  }
}

//===----------------------------------------------------------------------===//
// Properties
//===----------------------------------------------------------------------===//

constexpr int64_t extent = 48;
constexpr size_t count = 4 * extent * extent;

std::vector<double> noise() {
  std::mt19937 generator(7);
  std::vector<double> image(count);
  for (double &value : image)
    value = static_cast<double>(generator()) * 0x1p-32;
  return image;
}

TEST_F(MutualInformationTest, noiseDependsOnNothing) {
  std::vector<double> found = dependence({4, 1, extent, extent}, noise());
  EXPECT_EQ(found[4], 1.0);
  for (int i : {0, 1, 2, 3, 5, 6, 7, 8}) {
    // What a finite sample seems to share: (bins - 1)^2 / (2 pairs ln 2) bits, of a joint entropy of about 2
    // log2(bins).
    double bins = 15, bits = (bins - 1) * (bins - 1) / (2 * 4 * 47 * 47 * std::log(2.0)) / (2 * std::log2(bins));
    EXPECT_GT(found[i], 0.5 * bits);
    EXPECT_LT(found[i], 2 * bits);
  }
}

TEST_F(MutualInformationTest, isSymmetric) {
  std::vector<double> image = noise();
  for (size_t i = 1; i < count; ++i)
    image[i] = (image[i] + image[i - 1]) / 2;
  std::vector<double> found = dependence({4, 1, extent, extent}, image);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(found[i], found[8 - i]);
  EXPECT_GT(found[5], 2 * found[7]);
}

TEST_F(MutualInformationTest, equalRowsTellAllOfEachOther) {
  std::vector<double> image = noise();
  for (size_t i = 0; i < count; ++i)
    image[i] = image[i % extent];
  std::vector<double> found = dependence({4, 1, extent, extent}, image);
  EXPECT_NEAR(found[1], 1.0, 1e-12);
  EXPECT_NEAR(found[7], 1.0, 1e-12);
  EXPECT_LT(found[5], 0.9);
}

TEST_F(MutualInformationTest, oneValueTellsNothing) {
  std::vector<double> flat(count, 0.25), zero(count, 0.0);
  EXPECT_TRUE(std::isnan(dependence({4, 1, extent, extent}, flat)[0]));
  EXPECT_EQ(dependence({4, 1, extent, extent}, flat, /*removeDiagonal=*/true)[0], 0.0); // all of it is the diagonal
  EXPECT_EQ(dependence({4, 1, extent, extent}, zero, /*removeDiagonal=*/true)[0], 0.0); // no pair counts
}

TEST_F(MutualInformationTest, valuesThatAreNotFiniteGiveNoNumber) {
  for (double wrong : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    for (bool removeDiagonal : {false, true}) {
      std::vector<double> image = noise();
      image.resize(2 * extent * extent);
      image[extent * extent + extent * extent / 2] = wrong; // in the second of two channels
      std::vector<double> found = dependence({1, 2, extent, extent}, image, removeDiagonal);
      EXPECT_TRUE(std::isfinite(found[1]));
      EXPECT_TRUE(std::isnan(found[10]));
      EXPECT_EQ(found[13], 1.0);
    }
}

} // namespace
