//===- RandomGraphTest.cpp - fused graphs against the reference -----------===//
//
// Random graphs of a few dozen ops, with updates of arguments in place: what fusion, layouts and the planner make of
// them gives the reference evaluator's results, on one thread and on several.
//
//===----------------------------------------------------------------------===//

#include "CompiledProgram.h"

#include "espalier/Analysis/ReferenceEvaluator.h"
#include "espalier/Pipelines/InitAll.h"
#include "espalier/Transforms/StepPasses.h"

#include <random>

using namespace mlir;
using namespace espalier;
using namespace espalier::cg;
using namespace espalier::cg::test;

namespace {

/// Builds a graph op by op. All functions are continuous, so that rounding stays small, and results are squashed now
/// and then, so that they do not grow.
class GraphGenerator {
public:
  GraphGenerator(MLIRContext &context, uint64_t seed, Type element)
      : builder(&context), loc(builder.getUnknownLoc()), random(seed), element(element) {}

  OwningOpRef<ModuleOp> build(int numOps) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(module->getBody());
    SmallVector<Type> types;
    for (ArrayRef<int64_t> shape :
         {ArrayRef<int64_t>(imageShape), ArrayRef<int64_t>(imageShape), ArrayRef<int64_t>(filterShape),
          ArrayRef<int64_t>(vectorShape), ArrayRef<int64_t>(matrixShape), ArrayRef<int64_t>(matrixShape)})
      types.push_back(RankedTensorType::get(shape, element));
    graph = GraphOp::create(builder, loc, "step", builder.getFunctionType(types, {}));
    builder.setInsertionPointToEnd(&graph.getBody().front());
    for (Value argument : graph.getArguments())
      pool.push_back(argument);
    for (int i = 0; i < numOps; ++i)
      pool.push_back(addOp());
    finish();
    return module;
  }

  std::vector<ReferenceTensor> drawArguments() {
    std::vector<ReferenceTensor> arguments;
    for (Type type : graph.getArgumentTypes()) {
      ReferenceTensor &tensor = arguments.emplace_back(cast<RankedTensorType>(type));
      for (double &value : tensor.data)
        value = static_cast<float>(std::uniform_real_distribution<double>(-1.0, 1.0)(random));
    }
    return arguments;
  }

  GraphOp graph;

private:
  static constexpr int64_t imageShape[] = {2, 4, 6, 6}, filterShape[] = {4, 4, 3, 3}, vectorShape[] = {4},
                           matrixShape[] = {6, 6};

  int64_t pick(int64_t end) { return std::uniform_int_distribution<int64_t>(0, end - 1)(random); }
  static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
  static ArrayRef<int64_t> shapeOf(Value value) { return typeOf(value).getShape(); }

  /// A value of this shape: recent ones are likelier, old ones possible.
  Value choose(ArrayRef<int64_t> shape) {
    SmallVector<Value> fitting;
    for (Value value : pool)
      if (shapeOf(value) == shape)
        fitting.push_back(value);
    int64_t back = std::min(pick(fitting.size()), pick(fitting.size()));
    return fitting[fitting.size() - 1 - back];
  }
  Value image() { return choose(imageShape); }
  Value vector() { return choose(vectorShape); }
  Value matrix() { return choose(matrixShape); }
  Value scalar(Value like, double value) { return createScalar(builder, loc, like, value); }
  Value spread(Value vector) { return ReshapeOp::create(builder, loc, vector, ArrayRef<int64_t>{4, 1, 1}); }
  Value scaled(Value value, double factor) { return MulOp::create(builder, loc, value, scalar(value, factor)); }
  Value sum(Value value, ArrayRef<int64_t> axes) {
    return ReduceSumOp::create(builder, loc, value, axes, /*keep_dims=*/false);
  }
  Value convolve(Value input) {
    return Conv2dOp::create(builder, loc, input, choose(filterShape), nullptr,
                            builder.getDenseI64ArrayAttr({1, 1, 1, 1}), nullptr, nullptr);
  }

  Value addOp() {
    switch (pick(24)) {
    case 0:
      return AddOp::create(builder, loc, image(), image());
    case 1:
      return scaled(SubOp::create(builder, loc, image(), image()), 0.5);
    case 2:
      return MulOp::create(builder, loc, image(), spread(vector()));
    case 3:
      return AddOp::create(builder, loc, image(), spread(vector()));
    case 4:
      return ReluOp::create(builder, loc, image());
    case 5:
      return TanhOp::create(builder, loc, image());
    case 6:
      return scaled(convolve(image()), 0.2);
    case 7: { // what a library call takes with it
      Value biased = AddOp::create(builder, loc, convolve(image()), spread(vector()));
      Value residual = pick(2) ? AddOp::create(builder, loc, biased, image()).getResult() : biased;
      return TanhOp::create(builder, loc, pick(2) ? ReluOp::create(builder, loc, residual).getResult() : residual);
    }
    case 8:
      return scaled(sum(image(), {0, 2, 3}), 0.02);
    case 9: // siblings
      return scaled(sum(MulOp::create(builder, loc, image(), image()), {0, 2, 3}), 0.02);
    case 10: {
      auto norm = BatchNormTrainingOp::create(builder, loc, image(), vector(), vector(), builder.getF64FloatAttr(0.1));
      pool.push_back(norm.getMean());
      return TanhOp::create(builder, loc, norm.getResult());
    }
    case 11:
      return MaxPool2dOp::create(builder, loc, image(), builder.getDenseI64ArrayAttr({3, 3}),
                                 builder.getDenseI64ArrayAttr({1, 1}), builder.getDenseI64ArrayAttr({1, 1, 1, 1}),
                                 nullptr);
    case 12:
      return AvgPool2dOp::create(builder, loc, image(), builder.getDenseI64ArrayAttr({3, 3}),
                                 builder.getDenseI64ArrayAttr({1, 1}), builder.getDenseI64ArrayAttr({1, 1, 1, 1}),
                                 nullptr);
    case 13:
      return AddOp::create(builder, loc, vector(), vector());
    case 14:
      return TanhOp::create(builder, loc, MulOp::create(builder, loc, vector(), vector()));
    case 15:
      return scaled(MatmulOp::create(builder, loc, matrix(), matrix(), pick(2) != 0, pick(2) != 0, TypeAttr()), 0.3);
    case 16:
      return TransposeOp::create(builder, loc, matrix(), ArrayRef<int64_t>{1, 0});
    case 17:
      return SoftmaxOp::create(builder, loc, matrix(), builder.getI64IntegerAttr(pick(2)));
    case 18:
      return scaled(sum(image(), {0, 1}), 0.1); // a matrix
    case 19:
      return TanhOp::create(builder, loc, AddOp::create(builder, loc, image(), matrix()));
    case 20: { // parts that change places
      Value from = image();
      auto part = [&](int64_t start, int64_t end) -> Value {
        return SliceOp::create(builder, loc, from, /*axis=*/1, start, end, /*stride=*/1);
      };
      return ConcatOp::create(builder, loc, ValueRange{part(1, 4), part(0, 1)}, /*axis=*/1);
    }
    case 21:
      return TransposeOp::create(builder, loc, image(), ArrayRef<int64_t>{0, 1, 3, 2});
    case 22: { // across a reshape
      Value flat = ReshapeOp::create(builder, loc, image(), ArrayRef<int64_t>{2, 144});
      return ReshapeOp::create(builder, loc, ExpOp::create(builder, loc, scaled(flat, 0.1)), imageShape);
    }
    default: {
      Value filter = choose(filterShape), input = image(), cotangent = image();
      auto pads = builder.getDenseI64ArrayAttr({1, 1, 1, 1});
      if (pick(2))
        return scaled(
            Conv2dInputGradientOp::create(builder, loc, cotangent, filter, input, nullptr, pads, nullptr, nullptr),
            0.2);
      return scaled(
          Conv2dFilterGradientOp::create(builder, loc, input, cotangent, filter, nullptr, pads, nullptr, nullptr),
          0.02);
    }
    }
  }

  /// Returns new values of some arguments, in place, and a few others.
  void finish() {
    SmallVector<Value> results;
    SmallVector<std::optional<int64_t>> tied;
    for (BlockArgument argument : graph.getArguments()) {
      if (pick(2))
        continue;
      // Mostly an update, now and then any value of the type: another argument, one that is returned twice.
      Value update = choose(shapeOf(argument));
      if (pick(3))
        update = SubOp::create(builder, loc, argument, scaled(update, 0.1));
      results.push_back(update);
      tied.push_back(argument.getArgNumber());
    }
    for (int64_t i = 0, end = 1 + pick(3); i < end; ++i) {
      results.push_back(pool[pool.size() - 1 - pick(std::min<int64_t>(pool.size(), 8))]);
      tied.push_back(std::nullopt);
    }
    ReturnOp::create(builder, loc, results);
    graph.setFunctionType(builder.getFunctionType(graph.getArgumentTypes(), TypeRange(ValueRange(results))));
    for (auto [index, argument] : llvm::enumerate(tied))
      if (argument)
        graph.setResultAttr(index, tiedAttrName, builder.getI64IntegerAttr(*argument));
  }

  OpBuilder builder;
  Location loc;
  std::mt19937_64 random;
  Type element;
  SmallVector<Value> pool;
};

class RandomGraphTest : public testing::TestWithParam<int> {};

TEST_P(RandomGraphTest, equalsTheReference) {
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  bool isSingle = GetParam() % 2 == 0;
  Builder types(&context);
  for (int round = 0; round < 10; ++round) {
    uint64_t seed = GetParam() * 1000 + round;
    SCOPED_TRACE("seed " + std::to_string(seed));
    GraphGenerator generator(context, seed, isSingle ? Type(types.getF32Type()) : Type(types.getF64Type()));
    OwningOpRef<ModuleOp> module = generator.build(5 + 3 * round);
    std::string text;
    llvm::raw_string_ostream os(text);
    os << *module;
    SCOPED_TRACE(text);
    std::vector<ReferenceTensor> arguments = generator.drawArguments();
    auto reference = evaluateReference(generator.graph, arguments, [](Operation *op) -> FailureOr<ReferenceTensor> {
      return op->emitError("no storage");
    });
    ASSERT_TRUE(succeeded(reference));
    std::shared_ptr<const rt::Executable> executable = compile(*module);
    ASSERT_TRUE(executable);
    for (int threads : {1, 3}) {
      auto program = rt::Program::create(executable, "step", threads);
      ASSERT_TRUE(bool(program)) << program.status().message();
      for (auto [index, argument] : llvm::enumerate(arguments)) {
        rt::Status status = program->write(*program->findInput("arg" + std::to_string(index)), toHost(argument));
        ASSERT_TRUE(status.ok()) << status.message();
      }
      rt::Status status = program->run();
      ASSERT_TRUE(status.ok()) << status.message();
      for (auto [index, expected] : llvm::enumerate(reference->results)) {
        SCOPED_TRACE("result " + std::to_string(index));
        auto actual = program->read(*program->findOutput("output" + std::to_string(index)));
        ASSERT_TRUE(bool(actual)) << actual.status().message();
        expectClose(*actual, expected, isSingle ? 5e-4 : 1e-10);
        if (testing::Test::HasFatalFailure())
          return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphTest, testing::Range(0, 12));

} // namespace
