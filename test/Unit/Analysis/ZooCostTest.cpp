//===- ZooCostTest.cpp - costs of well-known networks ---------------------===//
//
// MACs for one image and trainable parameters, as published with the networks (torchvision's "GFLOPS" are these MACs)
// or counted by hand from their definition.
//
//===----------------------------------------------------------------------===//

#include "espalier/Analysis/CostAnalysis.h"
#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Frontend/DSL.h"

#include "mlir/IR/BuiltinOps.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace espalier;
using cg::DimExpr;

namespace {

struct Entry {
  const char *net;
  int64_t macs;
  int64_t params;
};

class ZooCostTest : public testing::TestWithParam<Entry> {};

TEST_P(ZooCostTest, equalsPublishedFigures) {
  MLIRContext context;
  llvm::SourceMgr sources;
  std::string path = std::string(ESPALIER_ZOO) + "/" + GetParam().net + ".esp";
  auto buffer = llvm::MemoryBuffer::getFile(path);
  ASSERT_TRUE(static_cast<bool>(buffer)) << path;
  sources.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module = parseArchitecture(sources, &context);
  ASSERT_TRUE(static_cast<bool>(module));
  auto graph = module->lookupSymbol<cg::GraphOp>(GetParam().net);
  ASSERT_TRUE(static_cast<bool>(graph));
  FailureOr<CostReport> report = computeCost(cast<FunctionOpInterface>(graph.getOperation()));
  ASSERT_TRUE(succeeded(report));
  EXPECT_EQ(report->getTotals().macs.str(), std::to_string(GetParam().macs) + "*N");
  EXPECT_EQ(report->getTotals().params.str(), std::to_string(GetParam().params));
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, ZooCostTest,
    testing::Values(Entry{"vgg11", 7609090048, 132863336}, Entry{"vgg11_bn", 7609090048, 132868840},
                    Entry{"vgg16", 15470264320, 138357544}, Entry{"vgg16_bn", 15470264320, 138365992},
                    Entry{"resnet18", 1814073344, 11689512}, Entry{"resnet34", 3663761408, 21797672},
                    Entry{"resnet50", 4089184256, 25557032}, Entry{"mobilenet_v2", 300774272, 3504872},
                    Entry{"repvgg_a0", 1512581120, 9108968}, Entry{"cifar_vgg16", 313201664, 14728266},
                    Entry{"cifar_resnet18", 555422720, 11173962}, Entry{"cifar_resnet20", 40813184, 272474}),
    [](const testing::TestParamInfo<Entry> &info) { return std::string(info.param.net); });

} // namespace
