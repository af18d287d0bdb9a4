//===- CompiledOpTest.cpp - compiled ops against the reference evaluator --===//
//
// Enumeration-driven: every op that has a case generator is compiled in float32 and in float64 over many generated
// shapes, and its result is compared with the float64 reference evaluation of the same operands.
//
//===----------------------------------------------------------------------===//

#include "../Dialect/CG/OpCases.h"
#include "CompiledProgram.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Pipelines/InitAll.h"

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;
using namespace espalier::cg::test;

namespace {

constexpr int casesPerOp = 16;

/// Difference that is allowed, in units of 1 + the largest element of the expected result. Sums of at most a few
/// hundred terms, in any order, and elementary functions of a few units in the last place stay far below.
double tolerance(bool isSingle) { return isSingle ? 2e-5 : 1e-12; }

class CompiledOpTest : public testing::TestWithParam<std::string> {
protected:
  CompiledOpTest()
      : context(makeRegistry(), MLIRContext::Threading::DISABLED), builder(&context), loc(builder.getUnknownLoc()),
        handler(&context, [&](Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
          return success();
        }) {
    context.loadAllAvailableDialects();
  }

  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registerAllDialects(registry);
    return registry;
  }

  struct Case {
    std::string name, text;
    bool isSingle;
    std::vector<ReferenceTensor> operands, expected;
  };

  /// A graph of the op alone, with operands rounded to f32 if `isSingle`, and what it should give.
  void addCase(ModuleOp module, std::string name, OpCase opCase, bool isSingle) {
    auto convert = [&](Type type) {
      auto tensor = cast<RankedTensorType>(type);
      bool rounds = isSingle && tensor.getElementType().isF64();
      return rounds ? tensor.clone(builder.getF32Type()) : tensor;
    };
    SmallVector<Type> types;
    for (ReferenceTensor &operand : opCase.operands) {
      if (RankedTensorType type = convert(operand.type); type != operand.type) {
        operand.type = type;
        for (double &element : operand.data)
          element = static_cast<float>(element);
      }
      types.push_back(operand.type);
    }
    if (isSingle) // a literal or a type that an attribute names
      for (NamedAttribute attribute : opCase.attributes.getAttrs()) {
        if (auto type = dyn_cast<TypeAttr>(attribute.getValue()); type && type.getValue().isF64())
          opCase.attributes.set(attribute.getName(), TypeAttr::get(builder.getF32Type()));
      }
    SmallVector<Type> results = inferTypes(context, GetParam(), types, opCase.attributes);
    ASSERT_FALSE(results.empty()) << errors;

    builder.setInsertionPointToEnd(module.getBody());
    auto graph = GraphOp::create(builder, loc, name, builder.getFunctionType(types, results));
    builder.setInsertionPointToEnd(&graph.getBody().front());
    OperationState state(loc, "cg." + GetParam());
    state.addOperands(graph.getArguments());
    state.addTypes(results);
    state.addAttributes(opCase.attributes);
    Operation *op = builder.create(state);
    ReturnOp::create(builder, loc, op->getResults());
    auto run = evaluateReference(graph, opCase.operands, [](Operation *op) -> FailureOr<ReferenceTensor> {
      return op->emitError("no storage");
    });
    ASSERT_TRUE(succeeded(run)) << errors;
    auto isF32 = [](Type type) { return cast<RankedTensorType>(type).getElementType().isF32(); };
    isSingle = llvm::any_of(types, isF32) || llvm::any_of(results, isF32);
    std::string text;
    llvm::raw_string_ostream os(text);
    os << *op;
    cases.push_back({std::move(name), text, isSingle, std::move(opCase.operands), std::move(run->results)});
  }

  void check(const std::shared_ptr<const rt::Executable> &executable, const Case &item) {
    SCOPED_TRACE(item.name + ": " + item.text);
    auto program = rt::Program::create(executable, item.name, /*threads=*/1);
    ASSERT_TRUE(bool(program)) << program.status().message();
    for (auto [index, operand] : llvm::enumerate(item.operands)) {
      rt::Status status = program->write(*program->findInput("arg" + std::to_string(index)), toHost(operand));
      ASSERT_TRUE(status.ok()) << status.message();
    }
    rt::Status status = program->run();
    ASSERT_TRUE(status.ok()) << status.message();
    for (auto [index, expected] : llvm::enumerate(item.expected)) {
      auto actual = program->read(*program->findOutput("output" + std::to_string(index)));
      ASSERT_TRUE(bool(actual)) << actual.status().message();
      SCOPED_TRACE("result " + std::to_string(index));
      expectClose(*actual, expected, tolerance(item.isSingle));
    }
  }

  MLIRContext context;
  OpBuilder builder;
  Location loc;
  std::string errors;
  ScopedDiagnosticHandler handler;
  std::vector<Case> cases;
};

TEST_P(CompiledOpTest, equalsTheReference) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  for (int i = 0; i < casesPerOp; ++i)
    for (bool isSingle : {false, true}) {
      CaseSource source(context, 2000 + i);
      std::string name = (isSingle ? "single" : "double") + std::to_string(i);
      addCase(*module, name, caseGenerators().at(GetParam())(source), isSingle);
      ASSERT_FALSE(HasFatalFailure());
    }
  std::shared_ptr<const rt::Executable> executable = compile(*module);
  ASSERT_TRUE(executable) << errors;
  for (const Case &item : cases)
    check(executable, item);
  EXPECT_EQ(errors, "");
}

std::vector<std::string> opNames() {
  std::vector<std::string> names;
  for (const auto &[name, generator] : caseGenerators())
    names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryOp, CompiledOpTest, testing::ValuesIn(opNames()),
                         [](const testing::TestParamInfo<std::string> &info) { return info.param; });

} // namespace
