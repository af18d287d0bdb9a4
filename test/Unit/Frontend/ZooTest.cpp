//===- ZooTest.cpp - The networks of examples/zoo -------------------------===//

#include "Parse.h"
#include "llvm/ADT/StringExtras.h"
#include <gtest/gtest.h>
#include <set>

using namespace espalier;
using namespace espalier::test;

namespace {
struct Net {
  const char *name;
  /// For one image, by torchvision's definition of the network; convolutions and matrix products alone.
  int64_t macs;
  /// Trainable elements.
  int64_t parameters;
};

/// torchvision's first.
constexpr size_t numTorchvision = 8;
constexpr Net nets[] = {
    {"vgg11", 7609090048, 132863336},        {"vgg11_bn", 7609090048, 132868840},
    {"vgg16", 15470264320, 138357544},       {"vgg16_bn", 15470264320, 138365992},
    {"resnet18", 1814073344, 11689512},      {"resnet34", 3663761408, 21797672},
    {"resnet50", 4089184256, 25557032},      {"mobilenet_v2", 300774272, 3504872},
    {"repvgg_a0", 1512581120, 9108968},      {"cifar_vgg16", 313201664, 14728266},
    {"cifar_resnet18", 555422720, 11173962}, {"cifar_resnet20", 40813184, 272474},
    {"cifar_vgg7", 38634752, 289194},        {"cifar100_vgg7", 38646272, 300804},
    {"cifar100_resnet20", 40818944, 278324},
};

class Zoo : public testing::TestWithParam<Net> {
protected:
  void SetUp() override {
    std::string path = std::string(ESPALIER_SOURCE_DIR "/examples/zoo/") + GetParam().name + ".esp";
    parsed = parse(readFile(path), path);
    ASSERT_TRUE(bool(parsed.module)) << parsed.firstError();
    graph = parsed.graph(GetParam().name);
    ASSERT_TRUE(bool(graph));
  }

  Parsed parsed;
  cg::GraphOp graph;
};
class TorchvisionZoo : public Zoo {};

std::string extents(mlir::Value value) {
  return llvm::join(llvm::map_range(llvm::cast<mlir::RankedTensorType>(value.getType()).getShape(),
                                    [](int64_t extent) { return std::to_string(extent); }),
                    "x");
}
} // namespace

TEST_P(Zoo, CostsWhatTheOriginalCosts) {
  int64_t parameters = 0;
  cg::DimExpr macs;
  cg::ShapeContext shapes = graph.getShapeContext();
  for (mlir::Operation &op : graph.getBody().front().without_terminator()) {
    if (auto parameter = llvm::dyn_cast<cg::ParameterOp>(op))
      parameters += llvm::cast<mlir::RankedTensorType>(parameter.getType()).getNumElements();
    if (auto shaped = llvm::dyn_cast<cg::ShapeOpInterface>(op)) {
      llvm::SmallVector<cg::TensorShape> results;
      ASSERT_TRUE(mlir::succeeded(shaped.inferResultShapes(shapes, results)));
      for (auto [value, shape] : llvm::zip_equal(op.getResults(), results))
        shapes.set(value, shape);
    }
    macs += llvm::cast<cg::CostOpInterface>(op).getCost(shapes).macs;
  }
  EXPECT_EQ(parameters, GetParam().parameters);
  cg::DimExpr atDefaultSizes = macs.substitute([&](llvm::StringRef size) -> std::optional<cg::DimExpr> {
    std::optional<int64_t> number = graph.getDefaultSize(size);
    return number ? std::optional<cg::DimExpr>(*number) : std::nullopt;
  });
  EXPECT_EQ(atDefaultSizes.str(), (cg::DimExpr::symbol("N") * GetParam().macs).str());
}

TEST_P(TorchvisionZoo, NamesParametersAsTheOriginal) {
  std::set<std::string> expected, actual;
  std::string golden = readFile(ESPALIER_SOURCE_DIR "/test/Frontend/Inputs/torchvision-parameters.txt");
  for (llvm::StringRef line : llvm::split(golden, '\n'))
    if (line.consume_front(std::string(GetParam().name) + " "))
      expected.insert(line.str());
  ASSERT_FALSE(expected.empty());
  for (auto parameter : graph.getOps<cg::ParameterOp>())
    actual.insert((parameter.getPath() + " " + extents(parameter)).str());
  for (auto state : graph.getOps<cg::StateOp>())
    actual.insert((state.getPath() + " " + extents(state)).str());
  EXPECT_EQ(actual, expected);
}

static std::string netName(const testing::TestParamInfo<Net> &info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Nets, Zoo, testing::ValuesIn(nets), netName);
INSTANTIATE_TEST_SUITE_P(Nets, TorchvisionZoo, testing::ValuesIn(nets, nets + numTorchvision), netName);
