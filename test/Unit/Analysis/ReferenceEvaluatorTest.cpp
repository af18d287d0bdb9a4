//===- ReferenceEvaluatorTest.cpp - graphs in float64 ---------------------===//

#include "espalier/Analysis/ReferenceEvaluator.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace espalier::cg;

namespace {

class ReferenceEvaluatorTest : public testing::Test {
protected:
  ReferenceEvaluatorTest()
      : handler(&context, [&](Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
          return success();
        }) {
    context.loadDialect<CGDialect>();
  }

  GraphOp parse(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << errors;
    return *module->getOps<GraphOp>().begin();
  }

  ReferenceTensor tensor(ArrayRef<int64_t> shape, std::vector<double> data) {
    ReferenceTensor result(RankedTensorType::get(shape, Float32Type::get(&context)));
    result.data = std::move(data);
    return result;
  }

  /// Every parameter, state and hyper is filled with 10.
  FailureOr<ReferenceRun> run(GraphOp graph, ArrayRef<ReferenceTensor> arguments, ReferenceLimits limits = {}) {
    return evaluateReference(
        graph, arguments,
        [&](Operation *op) -> FailureOr<ReferenceTensor> {
          ReferenceTensor result(cast<RankedTensorType>(op->getResult(0).getType()));
          llvm::fill(result.data, 10.0);
          return result;
        },
        limits);
  }

  MLIRContext context;
  std::string errors;
  ScopedDiagnosticHandler handler;
  OwningOpRef<ModuleOp> module;
};

constexpr StringLiteral net = R"mlir(
  cg.graph @net(%x: tensor<?x2xf32> {cg.dims = ["N", "2"]}, %y: tensor<?x2xf32> {cg.dims = ["N", "2"]})
      -> (tensor<?x2xf32>, tensor<2xf32>) {
    %w = cg.parameter "w" : tensor<2xf32>
    %m = cg.state "m" : tensor<2xf32>
    %h = cg.hyper "rate" : tensor<f32>
    %a = cg.mul %x, %w : tensor<?x2xf32>, tensor<2xf32>
    %b = cg.add %a, %y : tensor<?x2xf32>, tensor<?x2xf32>
    %s = cg.reduce_sum %b {axes = array<i64: 0>} : tensor<?x2xf32>
    %g = cg.parameter_gradient "w", %s : tensor<2xf32>
    %d = cg.mul %g, %h : tensor<2xf32>, tensor<f32>
    cg.parameter_update "w", %d : tensor<2xf32>
    %n = cg.add %m, %s : tensor<2xf32>, tensor<2xf32>
    cg.update "m", %n : tensor<2xf32>
    cg.return %b, %s : tensor<?x2xf32>, tensor<2xf32>
  })mlir";

TEST_F(ReferenceEvaluatorTest, givesResultsAndWrites) {
  auto result = run(parse(net), {tensor({2, 2}, {1, 2, 3, 4}), tensor({2, 2}, {1, 1, 1, 1})});
  ASSERT_TRUE(succeeded(result)) << errors;
  ASSERT_EQ(result->results.size(), 2u);
  EXPECT_EQ(result->results[0].data, (std::vector<double>{11, 21, 31, 41}));
  EXPECT_EQ(result->results[1].data, (std::vector<double>{42, 62}));
  ASSERT_EQ(result->writes.size(), 3u);
  EXPECT_TRUE(isa<ParameterGradientOp>(result->writes[0].op));
  EXPECT_EQ(result->writes[0].value.data, (std::vector<double>{42, 62}));
  EXPECT_TRUE(isa<ParameterUpdateOp>(result->writes[1].op));
  EXPECT_EQ(result->writes[1].value.data, (std::vector<double>{420, 620}));
  EXPECT_TRUE(isa<UpdateOp>(result->writes[2].op));
  EXPECT_EQ(result->writes[2].value.data, (std::vector<double>{52, 72}));
}

TEST_F(ReferenceEvaluatorTest, aSymbolIsOneNumber) {
  EXPECT_TRUE(failed(run(parse(net), {tensor({2, 2}, {1, 2, 3, 4}), tensor({1, 2}, {1, 1})})));
  EXPECT_NE(errors.find("'cg.graph' op expects 'N' to be one number, but got 2 and 1 in argument 1"), std::string::npos)
      << errors;
}

TEST_F(ReferenceEvaluatorTest, argumentsMustFit) {
  EXPECT_TRUE(failed(run(parse(net), {tensor({2, 2}, {1, 2, 3, 4})})));
  EXPECT_TRUE(failed(run(parse(net), {tensor({2, 2}, {1, 2, 3, 4}), tensor({2, 3}, {1, 1, 1, 1, 1, 1})})));
  EXPECT_TRUE(failed(run(parse(net), {tensor({2, 2}, {1, 2, 3, 4}), tensor({2, 2}, {1})}))); // damaged
  EXPECT_NE(errors.find("'cg.graph' op expects 2 arguments, but got 1"), std::string::npos) << errors;
  EXPECT_NE(errors.find("expects argument 1 to be of type 'tensor<?x2xf32>', but got 'tensor<2x3xf32>'"),
            std::string::npos)
      << errors;
}

TEST_F(ReferenceEvaluatorTest, storageMustFit) {
  auto result = evaluateReference(parse(net), {tensor({1, 2}, {1, 2}), tensor({1, 2}, {1, 1})},
                                  [&](Operation *) -> FailureOr<ReferenceTensor> { return tensor({3}, {1, 2, 3}); });
  EXPECT_TRUE(failed(result));
  EXPECT_NE(errors.find("'cg.parameter' op expects a tensor of type 'tensor<2xf32>', but its storage holds"),
            std::string::npos)
      << errors;
}

TEST_F(ReferenceEvaluatorTest, extentsAreCheckedWhenTheyAreKnown) {
  GraphOp graph = parse(R"mlir(
    cg.graph @net(%x: tensor<?xf32>) -> tensor<5xf32> {
      %y = cg.slice %x {axis = 0 : i64, start = 0 : i64, end = 5 : i64, stride = 1 : i64} : tensor<?xf32>
      cg.return %y : tensor<5xf32>
    })mlir");
  EXPECT_TRUE(failed(run(graph, {tensor({3}, {1, 2, 3})})));
  EXPECT_NE(errors.find("'cg.slice' op expects 0 <= start <= end <= 3"), std::string::npos) << errors;
}

TEST_F(ReferenceEvaluatorTest, limitsHoldBeforeAllocation) {
  GraphOp graph = parse(R"mlir(
    cg.graph @net() -> tensor<4294967296xf32> {
      %y = cg.constant dense<1.0> : tensor<4294967296xf32>
      cg.return %y : tensor<4294967296xf32>
    })mlir");
  EXPECT_TRUE(failed(run(graph, {})));
  EXPECT_NE(errors.find("'cg.constant' op expects at most 268435456 elements alive"), std::string::npos) << errors;
}

TEST_F(ReferenceEvaluatorTest, deadValuesAreDropped) {
  // 100 000 values of 100 elements, no three of them alive at one time.
  OpBuilder builder(&context);
  Location loc = builder.getUnknownLoc();
  module = ModuleOp::create(loc);
  builder.setInsertionPointToEnd(module->getBody());
  auto type = RankedTensorType::get({100}, builder.getF32Type());
  auto graph = GraphOp::create(builder, loc, "chain", builder.getFunctionType(type, type));
  builder.setInsertionPointToEnd(&graph.getBody().front());
  Value value = graph.getArgument(0);
  for (int i = 0; i < 100000; ++i)
    value = NegOp::create(builder, loc, value);
  ReturnOp::create(builder, loc, value);
  auto result = run(graph, {tensor({100}, std::vector<double>(100, 2.0))}, {200});
  ASSERT_TRUE(succeeded(result)) << errors;
  EXPECT_EQ(result->results[0].data, std::vector<double>(100, 2.0));
  EXPECT_TRUE(failed(run(graph, {tensor({100}, std::vector<double>(100, 2.0))}, {199})));
}

TEST_F(ReferenceEvaluatorTest, foreignOpsAreErrors) {
  context.allowUnregisteredDialects();
  GraphOp graph = parse(R"mlir(
    cg.graph @net(%x: tensor<2xf32>) -> tensor<2xf32> {
      %y = "other.op"(%x) : (tensor<2xf32>) -> tensor<2xf32>
      cg.return %y : tensor<2xf32>
    })mlir");
  EXPECT_TRUE(failed(run(graph, {tensor({2}, {1, 2})})));
  EXPECT_NE(errors.find("'other.op' op has no reference evaluation"), std::string::npos) << errors;
}

} // namespace
