//===- GradientScalingTest.cpp - what scaling costs, and its place --------===//

#include "TrainingRun.h"

#include <gtest/gtest.h>

using namespace espalier;

namespace {

cg::InsertGradientScalingOptions acnet() {
  cg::InsertGradientScalingOptions options;
  options.source = cg::GradientScaleSource::Fixed;
  options.block = cg::GradientScaleBlock::ACNet;
  return options;
}

/// All bytes that a row reads or writes.
int64_t traffic(const rt::ProgramTable &table, const rt::Row &row) {
  int64_t bytes = 0;
  for (rt::PlaceId place : placesOf(row))
    bytes += table.places[place].byteSize;
  return bytes;
}

struct Setting {
  const char *name;
  Precision precision;
  cg::OptimizerKind optimizer;
  double clipNorm = 0.0;
};

class ScaledSteps : public testing::TestWithParam<Setting> {};

/// The same dispatches in the same order; those that update a scaled filter read the matrix besides, and nothing else.
TEST_P(ScaledSteps, CostNothingButTheMatrices) {
  golden::Golden golden = golden::read("cifar_resnet20");
  integration::LoadedNet net(integration::nets[0]);
  ASSERT_TRUE(net.module);
  TrainingOptions options = net.trainingOptions(golden);
  options.precision = GetParam().precision;
  options.optimizer.kind = GetParam().optimizer;
  options.optimizer.momentum = 0.9;
  options.optimizer.weightDecay = 5e-4;
  if (GetParam().clipNorm > 0.0)
    options.clipNorm = GetParam().clipNorm;
  integration::TrainingRun plain(net, options);
  options.gradientScaling = acnet();
  integration::TrainingRun scaled(net, options);
  ASSERT_TRUE(plain && scaled);

  const rt::ProgramTable &before = plain.table(), &after = scaled.table();
  ASSERT_EQ(after.rows.size(), before.rows.size());
  const int64_t matrixBytes = 9 * (GetParam().precision == Precision::F64 ? 8 : 4);
  size_t numScaled = 0;
  for (size_t i = 0; i < after.rows.size(); ++i) {
    EXPECT_EQ(operationName(after.rows[i]), operationName(before.rows[i])) << "row " << i;
    int64_t added = traffic(after, after.rows[i]) - traffic(before, before.rows[i]);
    EXPECT_EQ(added % matrixBytes, 0) << "row " << i << " reads or writes " << added << " bytes more";
    EXPECT_GE(added, 0);
    numScaled += static_cast<size_t>(added / matrixBytes);
  }
  EXPECT_EQ(numScaled, 19u); // ResNet-20 has as many filters of 3x3
  EXPECT_EQ(after.arenaBytes, before.arenaBytes);
}

constexpr Setting settings[] = {
    {"sgd", Precision::F32, cg::OptimizerKind::SGD},
    {"sgd_bf16", Precision::BF16, cg::OptimizerKind::SGD},
    {"sgd_clipped", Precision::F32, cg::OptimizerKind::SGD, 1.0},
    {"adamw", Precision::F32, cg::OptimizerKind::AdamW},
    {"rmsprop_f64", Precision::F64, cg::OptimizerKind::RMSprop},
};
INSTANTIATE_TEST_SUITE_P(All, ScaledSteps, testing::ValuesIn(settings),
                         [](const auto &info) { return std::string(info.param.name); });

/// A network that says how its filters learn needs no options for it.
TEST(AnnotatedFilters, AreScaledWithoutOptions) {
  golden::Golden golden = golden::read("small_conv.nesterov");
  integration::LoadedNet net(integration::smallConv);
  ASSERT_TRUE(net.module);
  net.module->walk([](cg::ParameterOp parameter) {
    auto type = mlir::RankedTensorType::get({3, 3}, mlir::Float64Type::get(parameter.getContext()));
    if (parameter.getPath() == "conv1.weight")
      parameter->setAttr(cg::gradientScaleAttrName, mlir::DenseElementsAttr::get(type, 2.0));
  });
  integration::TrainingRun run(net, net.trainingOptions(golden));
  ASSERT_TRUE(run);
  std::vector<std::string> slots;
  for (const rt::Place &place : run.table().places)
    if (place.role == rt::Role::Slot)
      slots.push_back(place.name);
  EXPECT_EQ(slots, std::vector<std::string>{"conv1.weight#gradient_scale"});
}

/// Gradients are summed over the parts of a batch and clipped, then scaled; weight decay comes later.
TEST(ScaledGradients, AreClippedBefore) {
  golden::Golden golden = golden::read("small_conv.nesterov");
  integration::LoadedNet net(integration::smallConv);
  ASSERT_TRUE(net.module);
  TrainingOptions options = net.trainingOptions(golden);
  options.clipNorm = 0.01; // far below the norm
  options.optimizer.weightDecay = 0.1;
  options.accumulate = 4;
  options.sizes.front() = "N=2";
  options.returnGradients = true;
  integration::TrainingRun plain(net, options);
  options.gradientScaling = acnet();
  integration::TrainingRun scaled(net, options);
  ASSERT_TRUE(plain && scaled);
  plain.start(golden::initial);
  scaled.start(golden::initial);
  const std::vector<double> matrix = {0.6, 1.2, 0.6, 1.2, 1.8, 1.2, 0.6, 1.2, 0.6};
  scaled.setSlot("conv1.weight", "gradient_scale", matrix);
  scaled.setSlot("conv2.weight", "gradient_scale", matrix);
  plain.step(golden, 0);
  scaled.step(golden, 0);
  for (const std::string &path : plain.parameters()) {
    bool isFilter = path == "conv1.weight" || path == "conv2.weight";
    std::vector<double> expected = plain.gradient(path);
    if (isFilter)
      for (size_t i = 0; i < expected.size(); ++i)
        expected[i] *= matrix[i % matrix.size()];
    EXPECT_LE(integration::relativeError(scaled.gradient(path), expected), 1e-14) << path;
    EXPECT_EQ(integration::relativeError(scaled.gradient(path), plain.gradient(path)) > 0.1, isFilter) << path;
  }
}

} // namespace
