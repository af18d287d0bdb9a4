//===- NNOpsTest.cpp - convolutions, pools and norms against definitions --===//
//
// The reference evaluation of each op against its definition, written down a second time as plainly as it goes.
//
//===----------------------------------------------------------------------===//

#include "espalier/Dialect/CG/IR/CGOps.h"

#include "mlir/IR/BuiltinOps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace mlir;
using namespace espalier::cg;

namespace {

using Shape = SmallVector<int64_t>;

class NNOpsTest : public testing::Test {
protected:
  NNOpsTest()
      : builder(&context), loc(builder.getUnknownLoc()), handler(&context, [&](Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
          return success();
        }) {
    context.loadDialect<CGDialect>();
    module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(module->getBody());
  }

  ReferenceTensor random(const Shape &shape) {
    ReferenceTensor tensor(RankedTensorType::get(shape, builder.getF64Type()));
    for (double &element : tensor.data)
      element = std::uniform_real_distribution<double>(-1.0, 1.0)(generator);
    return tensor;
  }

  /// A value of this shape, for ops to take as operand.
  Value value(const ReferenceTensor &tensor) {
    return ParameterOp::create(builder, loc, tensor.type, "p" + std::to_string(numValues++), InitAttrInterface());
  }

  static std::vector<ReferenceTensor> evaluate(Operation *op, ArrayRef<const ReferenceTensor *> operands) {
    std::vector<ReferenceTensor> results;
    for (Type type : op->getResultTypes())
      results.emplace_back(cast<RankedTensorType>(type));
    EXPECT_TRUE(succeeded(cast<ReferenceOpInterface>(op).evaluate(operands, results)));
    return results;
  }

  /// Evaluates every op of the module, given values of the parameters.
  void evaluateAll(llvm::DenseMap<Value, ReferenceTensor> &values) {
    for (Operation &op : *module->getBody()) {
      if (isa<ParameterOp>(op))
        continue;
      SmallVector<const ReferenceTensor *> operands;
      for (Value operand : op.getOperands())
        operands.push_back(&values.find(operand)->second);
      std::vector<ReferenceTensor> results = evaluate(&op, operands);
      for (auto [result, tensor] : llvm::zip_equal(op.getResults(), results))
        values[result] = std::move(tensor);
    }
  }

  /// Compares the VJP of `op`, for random cotangents of the results that `reached` selects, with central differences of
  /// <results, cotangents> in each element of each operand. All operands are parameters in `values`.
  void checkVjp(Operation *op, llvm::DenseMap<Value, ReferenceTensor> values, ArrayRef<bool> reached) {
    SmallVector<Value> cotangents, gradients(op->getNumOperands());
    for (auto [type, isReached] : llvm::zip_equal(op->getResultTypes(), reached)) {
      ReferenceTensor tensor = random(Shape(cast<RankedTensorType>(type).getShape()));
      cotangents.push_back(isReached ? value(tensor) : Value());
      if (isReached)
        values[cotangents.back()] = std::move(tensor);
    }
    SmallVector<bool> needed(op->getNumOperands(), true);
    ASSERT_TRUE(succeeded(cast<DifferentiableOpInterface>(op).buildVjp(builder, cotangents, needed, gradients)));
    auto product = [&] {
      SmallVector<const ReferenceTensor *> operands;
      for (Value operand : op->getOperands())
        operands.push_back(&values.find(operand)->second);
      std::vector<ReferenceTensor> results = evaluate(op, operands);
      double sum = 0.0;
      for (auto [result, cotangent] : llvm::zip_equal(results, cotangents))
        sum += cotangent ? dot(result, values[cotangent]) : 0.0;
      return sum;
    };
    evaluateAll(values);
    for (auto [operand, gradient] : llvm::zip_equal(op->getOperands(), gradients)) {
      ASSERT_TRUE(!gradient || gradient.getType() == operand.getType());
      for (int64_t i = 0; i < values[operand].size(); ++i) {
        double &element = values[operand].data[i], old = element;
        element = old + 1e-5;
        double above = product();
        element = old - 1e-5;
        double below = product();
        element = old;
        EXPECT_NEAR(gradient ? values[gradient].data[i] : 0.0, (above - below) / 2e-5, 1e-7);
      }
    }
    EXPECT_EQ(errors, "");
    module->getBody()->clear();
  }

  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator); }
  DenseI64ArrayAttr ints(ArrayRef<int64_t> values) { return builder.getDenseI64ArrayAttr(values); }

  static double dot(const ReferenceTensor &a, const ReferenceTensor &b) {
    double sum = 0.0;
    for (auto [x, y] : llvm::zip_equal(a.data, b.data))
      sum += x * y;
    return sum;
  }
  static int64_t offset(const ReferenceTensor &tensor, int64_t a, int64_t b, int64_t c, int64_t d) {
    ArrayRef<int64_t> shape = tensor.shape();
    return ((a * shape[1] + b) * shape[2] + c) * shape[3] + d;
  }
  static double at(const ReferenceTensor &tensor, int64_t a, int64_t b, int64_t c, int64_t d) {
    return tensor.data[offset(tensor, a, b, c, d)];
  }
  static void expectNear(const ReferenceTensor &a, const ReferenceTensor &b) {
    ASSERT_EQ(a.type, b.type);
    for (auto [x, y] : llvm::zip_equal(a.data, b.data))
      ASSERT_NEAR(x, y, 1e-12);
  }

  MLIRContext context;
  OpBuilder builder;
  Location loc;
  std::string errors;
  ScopedDiagnosticHandler handler;
  OwningOpRef<ModuleOp> module;
  std::mt19937_64 generator{1};
  unsigned numValues = 0;
};

TEST_F(NNOpsTest, convolutionFollowsItsDefinition) {
  for (int round = 0; round < 60; ++round) {
    int64_t groups = pick(1, 3), channels = groups * pick(1, 3), features = groups * pick(1, 3);
    Shape strides{pick(1, 3), pick(1, 3)}, pads{pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)};
    Shape dilations{pick(1, 2), pick(1, 2)};
    ReferenceTensor x = random({pick(0, 2), channels, pick(5, 9), pick(5, 9)});
    ReferenceTensor w = random({features, channels / groups, pick(1, 3), pick(1, 3)});
    auto conv = Conv2dOp::create(builder, loc, value(x), value(w), ints(strides), ints(pads), ints(dilations),
                                 builder.getI64IntegerAttr(groups));
    ReferenceTensor y = evaluate(conv, {&x, &w})[0], expected(y.type);
    for (int64_t n = 0; n < y.shape()[0]; ++n)
      for (int64_t f = 0; f < features; ++f)
        for (int64_t i = 0; i < y.shape()[2]; ++i)
          for (int64_t j = 0; j < y.shape()[3]; ++j)
            for (int64_t c = 0; c < w.shape()[1]; ++c)
              for (int64_t a = 0; a < w.shape()[2]; ++a)
                for (int64_t b = 0; b < w.shape()[3]; ++b) {
                  int64_t row = i * strides[0] + a * dilations[0] - pads[0];
                  int64_t column = j * strides[1] + b * dilations[1] - pads[1];
                  if (row < 0 || row >= x.shape()[2] || column < 0 || column >= x.shape()[3])
                    continue;
                  int64_t channel = f / (features / groups) * w.shape()[1] + c;
                  expected.data[offset(y, n, f, i, j)] += at(x, n, channel, row, column) * at(w, f, c, a, b);
                }
    expectNear(y, expected);

    // The gradients are the adjoints of the bilinear map: <conv(x, w), g> = <x, dx> = <w, dw>.
    ReferenceTensor g = random(Shape(y.shape()));
    auto ofInput = Conv2dInputGradientOp::create(builder, loc, value(g), value(w), value(x), conv.getStridesAttr(),
                                                 conv.getPadsAttr(), conv.getDilationsAttr(), conv.getGroupsAttr());
    auto ofFilter = Conv2dFilterGradientOp::create(builder, loc, value(x), value(g), value(w), conv.getStridesAttr(),
                                                   conv.getPadsAttr(), conv.getDilationsAttr(), conv.getGroupsAttr());
    EXPECT_NEAR(dot(y, g), dot(x, evaluate(ofInput, {&g, &w, &x})[0]), 1e-10);
    EXPECT_NEAR(dot(y, g), dot(w, evaluate(ofFilter, {&x, &g, &w})[0]), 1e-10);
  }
  EXPECT_EQ(errors, "");
}

TEST_F(NNOpsTest, matmulFollowsItsDefinition) {
  for (int round = 0; round < 60; ++round) {
    bool transposeA = pick(0, 1), transposeB = pick(0, 1), shared = pick(0, 1);
    Shape batch(pick(0, 2), 0), rightBatch;
    for (int64_t &extent : batch)
      extent = pick(1, 3);
    if (!shared)
      rightBatch = batch;
    int64_t m = pick(1, 4), n = pick(1, 4), k = pick(0, 4);
    auto join = [](Shape lead, int64_t rows, int64_t columns, bool transposed) {
      lead.append({transposed ? columns : rows, transposed ? rows : columns});
      return lead;
    };
    ReferenceTensor a = random(join(batch, m, k, transposeA)), b = random(join(rightBatch, k, n, transposeB));
    auto matmul = MatmulOp::create(builder, loc, value(a), value(b), transposeA, transposeB, TypeAttr());
    ReferenceTensor y = evaluate(matmul, {&a, &b})[0], expected(y.type);
    ASSERT_EQ(Shape(y.shape()), join(batch, m, n, false));
    int64_t batches = y.size() / (m * n);
    for (int64_t s = 0; s < batches; ++s)
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
          for (int64_t l = 0; l < k; ++l)
            expected.data[(s * m + i) * n + j] +=
                a.data[s * m * k + (transposeA ? l * m + i : i * k + l)] *
                b.data[(shared ? 0 : s * k * n) + (transposeB ? j * k + l : l * n + j)];
    expectNear(y, expected);
  }
  EXPECT_EQ(errors, "");
}

TEST_F(NNOpsTest, matmulDerivesInAllForms) {
  for (int64_t batchRank : {0, 1, 2})
    for (bool shared : {false, true})
      for (bool transposeA : {false, true})
        for (bool transposeB : {false, true}) {
          Shape left(batchRank, 2), right(shared ? 0 : batchRank, 2);
          left.append({transposeA ? 4 : 3, transposeA ? 3 : 4});
          right.append({transposeB ? 5 : 4, transposeB ? 4 : 5});
          ReferenceTensor a = random(left), b = random(right);
          Value lhs = value(a), rhs = value(b);
          auto matmul = MatmulOp::create(builder, loc, lhs, rhs, transposeA, transposeB, TypeAttr());
          checkVjp(matmul, {{lhs, a}, {rhs, b}}, {true});
        }
}

TEST_F(NNOpsTest, trainingStatisticsDerive) {
  for (unsigned reached = 1; reached < 8; ++reached) {
    ReferenceTensor x = random({2, 3, 2, 2}), s = random({3}), t = random({3});
    Value input = value(x), scale = value(s), shift = value(t);
    auto norm = BatchNormTrainingOp::create(builder, loc, input, scale, shift, builder.getF64FloatAttr(0.1));
    checkVjp(norm, {{input, x}, {scale, s}, {shift, t}}, {bool(reached & 1), bool(reached & 2), bool(reached & 4)});
  }
}

/// Windows as PyTorch counts them (aten/src/ATen/native/Pool.h, described in its documentation of MaxPool2d).
static int64_t countWindows(int64_t extent, int64_t kernel, int64_t stride, int64_t before, int64_t after, bool ceil) {
  int64_t slack = extent + before + after - kernel;
  int64_t count = (slack + (ceil ? stride - 1 : 0)) / stride + 1;
  return ceil && (count - 1) * stride >= extent + before ? count - 1 : count;
}

TEST_F(NNOpsTest, windowsAreCountedAsInPyTorch) {
  for (int64_t kernel = 1; kernel <= 5; ++kernel)
    for (int64_t stride = 1; stride <= 6; ++stride)
      for (int64_t before = 0; before <= kernel / 2; ++before)
        for (int64_t after = 0; after <= kernel / 2; ++after)
          for (bool ceil : {false, true}) {
            WindowAttrs window;
            window.strides = {stride, 1};
            window.pads = {before, 0, after, 0};
            window.ceilMode = ceil;
            DimExpr symbolic = window.positions(0, DimExpr::symbol("H"), kernel);
            for (int64_t extent = std::max<int64_t>(1, kernel - before - after); extent < 15; ++extent) {
              int64_t expected = countWindows(extent, kernel, stride, before, after, ceil);
              EXPECT_TRUE(window.positions(0, extent, kernel).isConstant(expected));
              DimExpr bound = symbolic.substitute([&](StringRef) { return std::optional<DimExpr>(extent); });
              EXPECT_TRUE(bound.isConstant(expected)) << symbolic.str() << " at " << extent;
            }
          }
}

TEST_F(NNOpsTest, poolsFollowTheirDefinition) {
  for (int round = 0; round < 60; ++round) {
    Shape kernel{pick(1, 4), pick(1, 4)}, strides{pick(1, 4), pick(1, 4)};
    Shape pads{pick(0, kernel[0] / 2), pick(0, kernel[1] / 2), pick(0, kernel[0] / 2), pick(0, kernel[1] / 2)};
    bool ceil = pick(0, 1);
    ReferenceTensor x = random({pick(0, 2), pick(1, 2), pick(4, 8), pick(4, 8)});
    Value input = value(x);
    UnitAttr ceilMode = ceil ? builder.getUnitAttr() : UnitAttr();
    auto maxPool = MaxPool2dOp::create(builder, loc, input, ints(kernel), ints(strides), ints(pads), ceilMode);
    auto avgPool = AvgPool2dOp::create(builder, loc, input, ints(kernel), ints(strides), ints(pads), ceilMode);
    ReferenceTensor largest = evaluate(maxPool, {&x})[0], mean = evaluate(avgPool, {&x})[0];
    ReferenceTensor expectedLargest(largest.type), expectedMean(mean.type), g = random(Shape(mean.shape()));
    ReferenceTensor ofLargest(x.type);
    for (int64_t n = 0; n < mean.shape()[0]; ++n)
      for (int64_t c = 0; c < mean.shape()[1]; ++c)
        for (int64_t i = 0; i < mean.shape()[2]; ++i)
          for (int64_t j = 0; j < mean.shape()[3]; ++j) {
            double best = -INFINITY, sum = 0.0;
            int64_t where = 0, count = 0;
            for (int64_t a = 0; a < kernel[0]; ++a)
              for (int64_t b = 0; b < kernel[1]; ++b) {
                int64_t row = i * strides[0] + a - pads[0], column = j * strides[1] + b - pads[1];
                count += row < x.shape()[2] + pads[2] && column < x.shape()[3] + pads[3];
                if (row < 0 || row >= x.shape()[2] || column < 0 || column >= x.shape()[3])
                  continue;
                sum += at(x, n, c, row, column);
                if (at(x, n, c, row, column) > best) {
                  best = at(x, n, c, row, column);
                  where = offset(x, n, c, row, column);
                }
              }
            expectedLargest.data[offset(mean, n, c, i, j)] = best;
            expectedMean.data[offset(mean, n, c, i, j)] = sum / static_cast<double>(count);
            ofLargest.data[where] += at(g, n, c, i, j);
          }
    expectNear(largest, expectedLargest);
    expectNear(mean, expectedMean);
    auto maxGradient =
        MaxPool2dGradientOp::create(builder, loc, value(g), input, ints(kernel), ints(strides), ints(pads), ceilMode);
    auto avgGradient =
        AvgPool2dGradientOp::create(builder, loc, value(g), input, ints(kernel), ints(strides), ints(pads), ceilMode);
    expectNear(evaluate(maxGradient, {&g, &x})[0], ofLargest);
    EXPECT_NEAR(dot(mean, g), dot(x, evaluate(avgGradient, {&g, &x})[0]), 1e-10);
  }
  EXPECT_EQ(errors, "");
}

TEST_F(NNOpsTest, maxPoolPassesNanOn) {
  ReferenceTensor x(RankedTensorType::get({1, 1, 1, 4}, builder.getF64Type()));
  x.data = {1.0, NAN, 3.0, NAN};
  auto pool =
      MaxPool2dOp::create(builder, loc, value(x), ints({1, 4}), DenseI64ArrayAttr(), DenseI64ArrayAttr(), UnitAttr());
  EXPECT_TRUE(std::isnan(evaluate(pool, {&x})[0].data[0]));
}

TEST_F(NNOpsTest, trainingStatisticsNormaliseTheBatch) {
  ReferenceTensor x = random({3, 2, 4, 5}), scale = random({2}), shift = random({2});
  auto training =
      BatchNormTrainingOp::create(builder, loc, value(x), value(scale), value(shift), builder.getF64FloatAttr(0.0));
  std::vector<ReferenceTensor> results = evaluate(training, {&x, &scale, &shift});
  for (int64_t c = 0; c < 2; ++c) {
    double mean = 0.0, square = 0.0;
    for (int64_t n = 0; n < 3; ++n)
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t j = 0; j < 5; ++j) {
          mean += at(x, n, c, i, j) / 60.0;
          square += at(x, n, c, i, j) * at(x, n, c, i, j) / 60.0;
        }
    double variance = square - mean * mean;
    EXPECT_NEAR(results[1].data[c], mean, 1e-12);
    EXPECT_NEAR(results[2].data[c], variance, 1e-12);
    EXPECT_NEAR(at(results[0], 2, c, 3, 4),
                (at(x, 2, c, 3, 4) - mean) / std::sqrt(variance) * scale.data[c] + shift.data[c], 1e-12);
  }
  auto inference = BatchNormInferenceOp::create(builder, loc, value(x), value(scale), value(shift), value(scale),
                                                value(scale), builder.getF64FloatAttr(0.0));
  expectNear(evaluate(inference, {&x, &scale, &shift, &results[1], &results[2]})[0], results[0]);
}

TEST_F(NNOpsTest, hostileAttributesAreErrors) {
  ReferenceTensor x = random({1, 1, 4, 4}), w = random({1, 1, 3, 3});
  Value image = value(x), filter = value(w);
  DictionaryAttr none = builder.getDictionaryAttr({});
  const int64_t values[] = {INT64_MIN, -1, 0, int64_t(1) << 62, INT64_MAX};
  for (int64_t a : values)
    for (int64_t b : values) {
      SmallVector<Type> types;
      Conv2dOp::Properties conv;
      conv.strides = conv.dilations = ints({a, b});
      conv.pads = ints({b, a, b, a});
      conv.groups = builder.getI64IntegerAttr(a);
      EXPECT_TRUE(failed(Conv2dOp::inferReturnTypes(&context, loc, {image, filter}, none, &conv, {}, types)));
      MaxPool2dOp::Properties pool;
      pool.kernel = ints({a, b});
      pool.pads = ints({b, a, b, a});
      pool.ceil_mode = builder.getUnitAttr();
      EXPECT_TRUE(failed(MaxPool2dOp::inferReturnTypes(&context, loc, image, none, &pool, {}, types)));
    }
}

} // namespace
