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

class ZooCostTest : public testing::TestWithParam<Entry> {
protected:
  /// Prices the graph `name` of an architecture file with this text, which stands in the zoo's folder.
  FailureOr<CostReport> price(std::unique_ptr<llvm::MemoryBuffer> text, StringRef name) {
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(std::move(text), llvm::SMLoc());
    SourceMgrDiagnosticHandler handler(sources, &context);
    OwningOpRef<ModuleOp> module = parseArchitecture(sources, &context);
    auto graph = module ? module->lookupSymbol<cg::GraphOp>(name) : cg::GraphOp();
    if (!graph)
      return failure();
    return computeCost(cast<FunctionOpInterface>(graph.getOperation()));
  }

  MLIRContext context;
};

TEST_P(ZooCostTest, equalsPublishedFigures) {
  auto text = llvm::MemoryBuffer::getFile(std::string(ESPALIER_ZOO) + "/" + GetParam().net + ".esp");
  ASSERT_TRUE(static_cast<bool>(text));
  FailureOr<CostReport> report = price(std::move(*text), GetParam().net);
  ASSERT_TRUE(succeeded(report));
  EXPECT_EQ(report->getTotals().macs.str(), std::to_string(GetParam().macs) + "*N");
  EXPECT_EQ(report->getTotals().params.str(), std::to_string(GetParam().params));
}

/// Expressions in the batch and the image size, bound to numbers, are the figures of the network of that size.
TEST_F(ZooCostTest, symbolicFiguresBindToNumbers) {
  auto priceResnet = [&](StringRef batch, StringRef height, StringRef width) {
    std::string text = ("import \"lib/resnet.esp\"\narch net(x: f32[" + batch + ", 3, " + height + ", " + width +
                        "]) { x |> resnet(bottleneck, [3, 4, 6, 3]) as \"\" }\n")
                           .str();
    return price(llvm::MemoryBuffer::getMemBufferCopy(text, std::string(ESPALIER_ZOO) + "/net.esp"), "net");
  };
  FailureOr<CostReport> symbolic = priceResnet("N", "H", "W");
  ASSERT_TRUE(succeeded(symbolic));
  for (std::array<int64_t, 3> size : {std::array<int64_t, 3>{1, 224, 224}, {8, 97, 160}}) {
    FailureOr<CostReport> bound =
        priceResnet(std::to_string(size[0]), std::to_string(size[1]), std::to_string(size[2]));
    ASSERT_TRUE(succeeded(bound));
    for (const CostFigures::Field &field : CostFigures::getFields()) {
      DimExpr figure = (symbolic->getTotals().*field.member).substitute([&](StringRef name) {
        return std::optional<DimExpr>(size[name == "N" ? 0 : name == "H" ? 1 : 2]);
      });
      EXPECT_EQ(figure.str(), (bound->getTotals().*field.member).str()) << field.name.str();
    }
  }
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
