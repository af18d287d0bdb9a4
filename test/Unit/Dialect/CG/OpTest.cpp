//===- OpTest.cpp - laws that every op keeps ------------------------------===//
//
// Enumeration-driven: every op of the dialect has a generator of random legal uses (OpCases.cpp), and every interface
// that an op implements is checked on them.
//
//===----------------------------------------------------------------------===//

#include "OpCases.h"

#include "espalier/Analysis/ReferenceEvaluator.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace mlir;
using namespace espalier::cg;
using namespace espalier::cg::test;

namespace {

constexpr int casesPerOp = 24;

class OpTest : public testing::TestWithParam<std::string> {
protected:
  OpTest()
      : builder(&context), loc(builder.getUnknownLoc()), handler(&context, [&](Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
          return success();
        }) {
    context.loadDialect<CGDialect>();
  }

  void SetUp() override {
    for (int i = 0; i < casesPerOp; ++i) {
      CaseSource source(context, 1000 + i);
      cases.push_back(caseGenerators().at(GetParam())(source));
    }
  }
  void TearDown() override { EXPECT_EQ(errors, ""); }

  /// A graph whose arguments are the case's operands, with the op at the front of its body and no terminator yet.
  struct CaseGraph {
    OwningOpRef<ModuleOp> module;
    GraphOp graph;
    Operation *op = nullptr;
  };
  /// `isUnknown` says which dimensions of the arguments become `?`; those of extent 1 never do, since they may repeat.
  CaseGraph buildGraph(const OpCase &opCase, llvm::function_ref<bool(unsigned, int64_t)> isUnknown) {
    SmallVector<Type> types;
    for (auto [index, operand] : llvm::enumerate(opCase.operands)) {
      Shape shape(operand.shape());
      for (auto [dim, extent] : llvm::enumerate(shape)) {
        std::pair<unsigned, int64_t> place(index, dim);
        if (extent != 1 && !llvm::is_contained(opCase.known, place) && isUnknown(index, dim))
          extent = ShapedType::kDynamic;
      }
      types.push_back(RankedTensorType::get(shape, operand.type.getElementType()));
    }
    CaseGraph result;
    result.module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(result.module->getBody());
    result.graph = GraphOp::create(builder, loc, "case", builder.getFunctionType(types, {}));
    builder.setInsertionPointToEnd(&result.graph.getBody().front());
    SmallVector<Type> results = inferTypes(context, GetParam(), types, opCase.attributes);
    if (results.empty()) {
      ADD_FAILURE() << "type inference failed: " << errors;
      return result;
    }
    OperationState state(loc, "cg." + GetParam());
    state.addOperands(result.graph.getArguments());
    state.addTypes(results);
    state.addAttributes(opCase.attributes);
    result.op = builder.create(state);
    return result;
  }
  CaseGraph buildGraph(const OpCase &opCase) {
    return buildGraph(opCase, [](unsigned, int64_t) { return false; });
  }

  /// Ends the graph with these results and checks it.
  void finish(CaseGraph &graph, ValueRange results) {
    ReturnOp::create(builder, loc, results);
    graph.graph.setFunctionType(builder.getFunctionType(graph.graph.getArgumentTypes(), results.getTypes()));
    ASSERT_TRUE(succeeded(verify(*graph.module))) << errors;
  }

  std::vector<ReferenceTensor> evaluate(GraphOp graph, ArrayRef<ReferenceTensor> arguments) {
    auto run = evaluateReference(
        graph, arguments, [&](Operation *op) -> FailureOr<ReferenceTensor> { return op->emitError("no storage"); });
    if (failed(run)) {
      ADD_FAILURE() << errors;
      return {};
    }
    return std::move(run->results);
  }

  static bool isFloat(Type type) { return isa<FloatType>(cast<RankedTensorType>(type).getElementType()); }

  static std::string describe(Operation *op) {
    std::string text;
    llvm::raw_string_ostream os(text);
    op->print(os);
    return text;
  }

  MLIRContext context;
  OpBuilder builder;
  Location loc;
  std::string errors;
  ScopedDiagnosticHandler handler;
  std::vector<OpCase> cases;
};

std::string sizeName(int64_t extent) { return "s" + std::to_string(extent); }

std::optional<DimExpr> sizeOf(StringRef name) {
  int64_t extent;
  return name.drop_front().getAsInteger(10, extent) ? std::nullopt : std::optional<DimExpr>(extent);
}

//===----------------------------------------------------------------------===//
// Shapes, cost
//===----------------------------------------------------------------------===//

TEST_P(OpTest, evaluationFillsInferredShapes) {
  for (const OpCase &opCase : cases) {
    CaseGraph graph = buildGraph(opCase);
    finish(graph, graph.op->getResults());
    std::vector<ReferenceTensor> results = evaluate(graph.graph, opCase.operands);
    ASSERT_EQ(results.size(), graph.op->getNumResults());
    for (auto [result, type] : llvm::zip_equal(results, graph.op->getResultTypes())) {
      EXPECT_EQ(result.type, type) << describe(graph.op);
      EXPECT_EQ(result.size(), cast<RankedTensorType>(type).getNumElements()) << describe(graph.op);
    }
  }
}

/// Extents of arguments become symbols, numbers are put in at the end: that must give what numbers give from the start.
TEST_P(OpTest, symbolicShapesAndCostAgreeWithNumbers) {
  std::mt19937_64 coin(7);
  for (const OpCase &opCase : cases) {
    CaseGraph graph = buildGraph(opCase);
    finish(graph, graph.op->getResults());
    ShapeContext symbolic(graph.op->getName().getStringRef(), loc), numeric(graph.op->getName().getStringRef(), loc);
    for (auto [index, operand] : llvm::enumerate(graph.op->getOperands())) {
      TensorShape shape = numeric[operand];
      for (auto [position, dim] : llvm::enumerate(shape.dims)) {
        std::pair<unsigned, int64_t> place(index, position);
        if (!dim.isConstant(1) && !llvm::is_contained(opCase.known, place) && coin() % 2 == 0)
          dim = DimExpr::symbol(sizeName(*dim.getConstant()));
      }
      symbolic.set(operand, std::move(shape));
    }
    SmallVector<TensorShape> results;
    ASSERT_TRUE(succeeded(cast<ShapeOpInterface>(graph.op).inferResultShapes(symbolic, results))) << errors;
    for (auto [value, shape] : llvm::zip_equal(graph.op->getResults(), results)) {
      ASSERT_EQ(shape.rank(), numeric[value].rank()) << describe(graph.op);
      for (auto [dim, number] : llvm::zip_equal(shape.dims, numeric[value].dims))
        EXPECT_EQ(dim.substitute(sizeOf), number) << dim.str() << " in " << describe(graph.op);
      symbolic.set(value, shape);
    }
    auto op = cast<CostOpInterface>(graph.op);
    OpCost expected = op.getCost(numeric), cost = op.getCost(symbolic);
    for (auto [expression, number] :
         {std::pair(cost.macs, expected.macs), std::pair(cost.flops, expected.flops),
          std::pair(cost.bytesRead, expected.bytesRead), std::pair(cost.bytesWritten, expected.bytesWritten)}) {
      ASSERT_TRUE(number.getConstant() && *number.getConstant() >= 0) << number.str() << " in " << describe(graph.op);
      EXPECT_EQ(expression.substitute(sizeOf), number) << expression.str() << " in " << describe(graph.op);
    }
  }
}

/// With `?` in the types, evaluation at static shapes gives the same result.
TEST_P(OpTest, unknownExtentsBecomeKnown) {
  std::mt19937_64 coin(8);
  for (const OpCase &opCase : cases) {
    CaseGraph known = buildGraph(opCase);
    finish(known, known.op->getResults());
    CaseGraph unknown = buildGraph(opCase, [&](unsigned, int64_t) { return coin() % 2 == 0; });
    finish(unknown, unknown.op->getResults());
    std::vector<ReferenceTensor> expected = evaluate(known.graph, opCase.operands);
    std::vector<ReferenceTensor> results = evaluate(unknown.graph, opCase.operands);
    ASSERT_EQ(results.size(), expected.size());
    for (auto [a, b] : llvm::zip_equal(results, expected)) {
      EXPECT_EQ(a.type, b.type) << describe(unknown.op);
      for (auto [x, y] : llvm::zip_equal(a.data, b.data))
        EXPECT_TRUE(x == y || (std::isnan(x) && std::isnan(y))) << describe(unknown.op);
    }
  }
}

//===----------------------------------------------------------------------===//
// Derivative
//===----------------------------------------------------------------------===//

class OpGradientTest : public OpTest {
protected:
  /// Gradients of <cotangents, results> for each operand, from the op's vector-Jacobian product.
  std::vector<ReferenceTensor> evaluateVjp(const OpCase &opCase, ArrayRef<ReferenceTensor> cotangents,
                                           llvm::function_ref<bool(unsigned, int64_t)> isUnknown) {
    CaseGraph graph = buildGraph(opCase, isUnknown);
    std::vector<ReferenceTensor> arguments = opCase.operands;
    SmallVector<Value> incoming;
    SmallVector<Type> types(graph.graph.getArgumentTypes());
    auto cotangent = cotangents.begin();
    for (Value result : graph.op->getResults()) {
      incoming.push_back(isFloat(result.getType()) ? graph.graph.getBody().addArgument(result.getType(), loc)
                                                   : Value());
      if (!incoming.back())
        continue;
      types.push_back(result.getType());
      arguments.push_back(*cotangent++);
    }
    graph.graph.setFunctionType(builder.getFunctionType(types, {}));
    SmallVector<bool> needed;
    for (Type type : graph.op->getOperandTypes())
      needed.push_back(isFloat(type));
    SmallVector<Value> gradients(graph.op->getNumOperands());
    if (failed(cast<DifferentiableOpInterface>(graph.op).buildVjp(builder, incoming, needed, gradients))) {
      ADD_FAILURE() << errors << describe(graph.op);
      return {};
    }
    SmallVector<Value> returned;
    for (Value gradient : gradients)
      if (gradient)
        returned.push_back(gradient);
    finish(graph, returned);
    std::vector<ReferenceTensor> values = evaluate(graph.graph, arguments), result;
    auto value = values.begin();
    for (auto [gradient, operand] : llvm::zip_equal(gradients, opCase.operands))
      result.push_back(gradient && value != values.end() ? std::move(*value++) : ReferenceTensor(operand.type));
    return result;
  }
};

/// For ops whose derivative is that of their values.
class OpDerivativeTest : public OpGradientTest {};

TEST_P(OpDerivativeTest, vjpEqualsCentralDifferences) {
  std::mt19937_64 coin(9);
  int compared = 0;
  for (const OpCase &opCase : cases) {
    CaseGraph forward = buildGraph(opCase);
    finish(forward, forward.op->getResults());
    CaseSource source(context, 77);
    std::vector<ReferenceTensor> cotangents;
    for (Type type : forward.op->getResultTypes())
      if (isFloat(type))
        cotangents.push_back(source.uniform(cast<RankedTensorType>(type).getShape(), -1, 1,
                                            cast<RankedTensorType>(type).getElementType()));
    if (cotangents.empty())
      continue;
    auto objective = [&](ArrayRef<ReferenceTensor> operands) {
      double sum = 0.0;
      auto cotangent = cotangents.begin();
      for (const ReferenceTensor &result : evaluate(forward.graph, operands))
        if (isFloat(result.type)) {
          for (auto [x, y] : llvm::zip_equal(result.data, cotangent->data))
            sum += x * y;
          ++cotangent;
        }
      return sum;
    };
    auto statically = evaluateVjp(opCase, cotangents, [](unsigned, int64_t) { return false; });
    auto dynamically = evaluateVjp(opCase, cotangents, [&](unsigned, int64_t) { return coin() % 2 == 0; });
    ASSERT_EQ(statically.size(), opCase.operands.size());
    ASSERT_EQ(dynamically.size(), opCase.operands.size());
    std::vector<ReferenceTensor> moved = opCase.operands;
    for (auto [index, operand] : llvm::enumerate(opCase.operands)) {
      const ReferenceTensor &gradient = statically[index];
      ASSERT_EQ(gradient.type, operand.type) << "operand " << index << " of " << describe(forward.op);
      ASSERT_EQ(dynamically[index].type, operand.type) << "operand " << index << " of " << describe(forward.op);
      if (!isFloat(operand.type))
        continue;
      for (int64_t i = 0; i < operand.size(); ++i) {
        constexpr double step = 1e-5;
        moved[index].data[i] = operand.data[i] + step;
        double above = objective(moved);
        moved[index].data[i] = operand.data[i] - step;
        double below = objective(moved);
        moved[index].data[i] = operand.data[i];
        double expected = (above - below) / (2 * step);
        double tolerance = 1e-5 * std::max(std::abs(expected), 1e-3);
        ASSERT_NEAR(gradient.data[i], expected, tolerance)
            << "element " << i << " of operand " << index << " of " << describe(forward.op);
        ASSERT_NEAR(dynamically[index].data[i], gradient.data[i], 1e-12) << describe(forward.op);
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, casesPerOp);
}

TEST_P(OpGradientTest, onlyNeededGradientsAreBuilt) {
  for (unsigned wanted = 0; wanted < cases[0].operands.size(); ++wanted) {
    CaseGraph graph = buildGraph(cases[0]);
    SmallVector<Value> incoming;
    for (Type type : graph.op->getResultTypes())
      incoming.push_back(graph.graph.getBody().addArgument(type, loc));
    SmallVector<Value> gradients(graph.op->getNumOperands());
    SmallVector<bool> needed(graph.op->getNumOperands(), false);
    needed[wanted] = isFloat(graph.op->getOperand(wanted).getType());
    ASSERT_TRUE(succeeded(cast<DifferentiableOpInterface>(graph.op).buildVjp(builder, incoming, needed, gradients)));
    for (unsigned i = 0; i < gradients.size(); ++i)
      EXPECT_TRUE(i == wanted || !gradients[i]) << "operand " << i << " of " << describe(graph.op);
  }
}

//===----------------------------------------------------------------------===//
// Linearity
//===----------------------------------------------------------------------===//

class OpLinearityTest : public OpTest {};

TEST_P(OpLinearityTest, claimsHoldAndDenialsAreNeeded) {
  struct Tally {
    int linear = 0, denied = 0;
  };
  std::map<unsigned, Tally> tallies; // of operands whose linearity is denied
  int claims = 0;
  for (const OpCase &opCase : cases) {
    CaseGraph graph = buildGraph(opCase);
    finish(graph, graph.op->getResult(0));
    CaseSource source(context, 78);
    for (unsigned index = 0; index < opCase.operands.size(); ++index) {
      const ReferenceTensor &operand = opCase.operands[index];
      if (!isFloat(operand.type) || !isFloat(graph.op->getResult(0).getType()))
        continue;
      auto result = [&](const ReferenceTensor &argument) {
        std::vector<ReferenceTensor> arguments = opCase.operands;
        arguments[index] = argument;
        return evaluate(graph.graph, arguments)[0];
      };
      double a = source.real(0.5, 2), b = source.real(0.5, 2);
      ReferenceTensor other = source.uniform(operand.shape(), 0.5, 1.5, operand.type.getElementType()), sum = other;
      for (auto [s, x, y] : llvm::zip_equal(sum.data, operand.data, other.data))
        s = a * x + b * y;
      ReferenceTensor ofSum = result(sum), ofFirst = result(operand), ofSecond = result(other);
      bool holds = true;
      for (auto [s, x, y] : llvm::zip_equal(ofSum.data, ofFirst.data, ofSecond.data))
        holds &= std::abs(s - (a * x + b * y)) <= 1e-10 || (std::isnan(s) && std::isnan(a * x + b * y));
      if (cast<LinearOpInterface>(graph.op).isLinearIn(index)) {
        EXPECT_TRUE(holds) << "operand " << index << " of " << describe(graph.op);
        ++claims;
      } else if (ofSum.size() != 0) {
        ++tallies[index].denied;
        tallies[index].linear += holds;
      }
    }
  }
  EXPECT_GT(claims, 0) << "an op that is never linear does not need the interface";
  for (auto &[index, tally] : tallies)
    EXPECT_LT(tally.linear, tally.denied) << "operand " << index << " behaves linearly in all cases, but is denied";
}

//===----------------------------------------------------------------------===//
// Text and bytecode
//===----------------------------------------------------------------------===//

TEST_P(OpTest, textAndBytecodeKeepTheOp) {
  for (const OpCase &opCase : cases) {
    CaseGraph graph = buildGraph(opCase);
    finish(graph, graph.op->getResults());
    std::string text = describe(*graph.module), bytecode;
    OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(parsed) << errors << text;
    EXPECT_EQ(describe(*parsed), text);
    llvm::raw_string_ostream os(bytecode);
    ASSERT_TRUE(succeeded(writeBytecodeToFile(*graph.module, os)));
    OwningOpRef<ModuleOp> read = parseSourceString<ModuleOp>(bytecode, &context);
    ASSERT_TRUE(read) << errors << text;
    EXPECT_EQ(describe(*read), text);
  }
}

/// An operand of a type that the dialect does not know is an error that names the op.
TEST_P(OpTest, foreignOperandsAreErrors) {
  for (unsigned index = 0; index < cases[0].operands.size(); ++index) {
    CaseGraph graph = buildGraph(cases[0]);
    BlockArgument argument = graph.graph.getArgument(index);
    argument.setType(RankedTensorType::get(cases[0].operands[index].shape(), ComplexType::get(builder.getF32Type())));
    EXPECT_TRUE(failed(verify(graph.op))) << "operand " << index << " of " << describe(graph.op);
    EXPECT_EQ(StringRef(errors).find("'cg." + GetParam() + "' op "), 0u) << errors;
    errors.clear();
  }
}

//===----------------------------------------------------------------------===//
// Enumeration
//===----------------------------------------------------------------------===//

std::vector<std::string> opsWithCases(llvm::function_ref<bool(RegisteredOperationName)> keep) {
  MLIRContext context;
  context.loadDialect<CGDialect>();
  std::vector<std::string> names;
  for (const auto &[name, generator] : caseGenerators())
    if (auto op = RegisteredOperationName::lookup("cg." + name, &context); op && keep(*op))
      names.push_back(name);
  return names;
}

std::string testName(const testing::TestParamInfo<std::string> &info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Ops, OpTest, testing::ValuesIn(opsWithCases([](RegisteredOperationName) { return true; })),
                         testName);
INSTANTIATE_TEST_SUITE_P(Ops, OpGradientTest, testing::ValuesIn(opsWithCases([](RegisteredOperationName op) {
                           return op.hasInterface<DifferentiableOpInterface>();
                         })),
                         testName);
INSTANTIATE_TEST_SUITE_P(Ops, OpDerivativeTest, testing::ValuesIn(opsWithCases([](RegisteredOperationName op) {
                           // stopGradientIsZero tests the other.
                           return op.hasInterface<DifferentiableOpInterface>() &&
                                  op.getStringRef() != StopGradientOp::getOperationName();
                         })),
                         testName);
INSTANTIATE_TEST_SUITE_P(Ops, OpLinearityTest, testing::ValuesIn(opsWithCases([](RegisteredOperationName op) {
                           return op.hasInterface<LinearOpInterface>();
                         })),
                         testName);

TEST(OpEnumeration, everyOpHasCasesOrAReason) {
  MLIRContext context;
  context.loadDialect<CGDialect>();
  std::map<std::string, std::string> reasons = opsWithoutCases();
  std::map<std::string, CaseGenerator> generators = caseGenerators();
  for (RegisteredOperationName op : context.getRegisteredOperationsByDialect("cg")) {
    std::string name = op.stripDialect().str();
    bool hasCases = generators.erase(name), hasReason = reasons.erase(name);
    EXPECT_TRUE(hasCases || hasReason) << "cg." << name << " has neither cases nor a reason to have none";
    EXPECT_FALSE(hasCases && hasReason) << "cg." << name << " has cases, and a reason to have none";
  }
  for (const auto &[name, reason] : reasons)
    ADD_FAILURE() << "reason for cg." << name << ", which does not exist";
  for (const auto &[name, generator] : generators)
    ADD_FAILURE() << "cases of cg." << name << ", which does not exist";
}

TEST(OpEnumeration, stopGradientIsZero) {
  MLIRContext context;
  context.loadDialect<CGDialect>();
  OpBuilder builder(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToEnd(module->getBody());
  auto type = RankedTensorType::get({2}, builder.getF64Type());
  Value x = ParameterOp::create(builder, builder.getUnknownLoc(), type, "x", InitAttrInterface());
  auto op = StopGradientOp::create(builder, builder.getUnknownLoc(), x);
  Value gradient;
  EXPECT_TRUE(succeeded(op.buildVjp(builder, x, {true}, gradient)));
  EXPECT_FALSE(gradient);
}

} // namespace
