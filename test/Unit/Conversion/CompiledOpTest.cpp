//===- CompiledOpTest.cpp - compiled ops against the reference evaluator --===//
//
// Enumeration-driven: every op that has a case generator is compiled in bfloat16, float32 and float64 over many
// generated shapes, and its result is compared with the float64 reference evaluation of the same operands.
//
//===----------------------------------------------------------------------===//

#include "../Dialect/CG/OpCases.h"
#include "../TestRegistry.h"
#include "CompiledProgram.h"

#include "espalier/Analysis/ReferenceEvaluator.h"

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;
using namespace espalier::cg::test;

namespace {

constexpr int casesPerOp = 16;

/// Difference that is allowed, in units of 1 + the largest element of the expected result. Sums of at most a few
/// hundred terms, in any order, and elementary functions of a few units in the last place stay far below. bf16 has 8
/// significant bits, and an op that becomes several kernels rounds between them.
double tolerance(Type element) { return element.isBF16() ? 0x1p-6 : element.isF32() ? 2e-5 : 1e-12; }

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

  struct Case {
    std::string name, text;
    double tolerance;
    std::vector<ReferenceTensor> operands, expected;
  };

  /// A graph of the op alone, with operands of f64 rounded to `element`, and what it should give.
  void addCase(ModuleOp module, std::string name, OpCase opCase, Type element) {
    auto convert = [&](Type type) {
      auto tensor = cast<RankedTensorType>(type);
      return tensor.getElementType().isF64() ? tensor.clone(element) : tensor;
    };
    SmallVector<Type> types;
    for (ReferenceTensor &operand : opCase.operands) {
      if (RankedTensorType type = convert(operand.type); type != operand.type) {
        operand.type = type;
        for (double &value : operand.data)
          value = element.isBF16() ? fromBFloat16(toBFloat16(static_cast<float>(value))) : static_cast<float>(value);
      }
      types.push_back(operand.type);
    }
    for (NamedAttribute attribute : opCase.attributes.getAttrs()) // a literal or a type that an attribute names
      if (auto type = dyn_cast<TypeAttr>(attribute.getValue()); type && type.getValue().isF64())
        opCase.attributes.set(attribute.getName(), TypeAttr::get(element));
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
    double bound = 0.0;
    for (Type type : llvm::concat<const Type>(types, results))
      bound = std::max(bound, tolerance(cast<RankedTensorType>(type).getElementType()));
    std::string text;
    llvm::raw_string_ostream os(text);
    os << *op;
    cases.push_back({std::move(name), text, bound, std::move(opCase.operands), std::move(run->results)});
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
      expectClose(*actual, expected, item.tolerance);
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
    for (Type element : {Type(builder.getF64Type()), Type(builder.getF32Type()), Type(builder.getBF16Type())}) {
      CaseSource source(context, 2000 + i);
      std::string name;
      llvm::raw_string_ostream(name) << element << '_' << i;
      addCase(*module, name, caseGenerators().at(GetParam())(source), element);
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
