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
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Regex.h"

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
    module = parseArchitecture(sources, &context);
    graph = module ? module->lookupSymbol<cg::GraphOp>(name) : cg::GraphOp();
    if (!graph)
      return failure();
    return computeCost(cast<FunctionOpInterface>(graph.getOperation()));
  }

  /// A figure of the graph that was priced last, with the image size that its file names.
  DimExpr atDefaultSizes(const DimExpr &figure) {
    return figure.substitute([&](StringRef name) -> std::optional<DimExpr> {
      std::optional<int64_t> number = graph.getDefaultSize(name);
      return number ? std::optional<DimExpr>(*number) : std::nullopt;
    });
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  cg::GraphOp graph;
};

TEST_P(ZooCostTest, equalsPublishedFigures) {
  auto text = llvm::MemoryBuffer::getFile(std::string(ESPALIER_ZOO) + "/" + GetParam().net + ".esp");
  ASSERT_TRUE(static_cast<bool>(text));
  FailureOr<CostReport> report = price(std::move(*text), GetParam().net);
  ASSERT_TRUE(succeeded(report));
  EXPECT_EQ(atDefaultSizes(report->getTotals().macs).str(), std::to_string(GetParam().macs) + "*N");
  EXPECT_EQ(report->getTotals().params.str(), std::to_string(GetParam().params));
}

/// Expressions in the batch and the image size, bound to numbers, are the figures of the network of that size.
TEST_P(ZooCostTest, symbolicFiguresBindToNumbers) {
  std::string path = std::string(ESPALIER_ZOO) + "/" + GetParam().net + ".esp";
  auto file = llvm::MemoryBuffer::getFile(path);
  ASSERT_TRUE(static_cast<bool>(file));
  FailureOr<CostReport> symbolic =
      price(llvm::MemoryBuffer::getMemBufferCopy((*file)->getBuffer(), path), GetParam().net);
  ASSERT_TRUE(succeeded(symbolic));
  for (std::array<int64_t, 3> size : {std::array<int64_t, 3>{1, 224, 224}, {8, 97, 160}}) {
    std::string extents = llvm::formatv("f32[{0}, 3, {1}, {2}]", size[0], size[1], size[2]);
    std::string text = llvm::Regex("f32\\[N, 3, H = [0-9]+, W = [0-9]+\\]").sub(extents, (*file)->getBuffer());
    text = llvm::Regex("-> f32\\[N, ").sub(llvm::formatv("-> f32[{0}, ", size[0]).str(), text);
    FailureOr<CostReport> bound = price(llvm::MemoryBuffer::getMemBufferCopy(text, path), GetParam().net);
    ASSERT_TRUE(succeeded(bound)) << text;
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
                    Entry{"cifar_resnet18", 555422720, 11173962}, Entry{"cifar_resnet20", 40813184, 272474},
                    Entry{"cifar_vgg7", 38634752, 289194}, Entry{"cifar100_vgg7", 38646272, 300804},
                    Entry{"cifar100_resnet20", 40818944, 278324}),
    [](const testing::TestParamInfo<Entry> &info) { return std::string(info.param.net); });

} // namespace
