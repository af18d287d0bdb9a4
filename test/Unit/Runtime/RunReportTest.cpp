//===- RunReportTest.cpp --------------------------------------------------===//

#include "TestSupport.h"

#include "espalier/Runtime/Train/RunRecorder.h"
#include "espalier/Runtime/Train/RunReport.h"

#include <cmath>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

class RunReportTest : public testing::Test {
protected:
  /// Writes the folder of a run of one epoch.
  std::string writeRun(const std::string &name, const Recipe &recipe, double accuracy,
                       const std::string &network = "net") {
    RunIdentity identity;
    identity.network = identity.networkDigest = network;
    identity.loss = "cross_entropy";
    identity.recipe = recipeValues(recipe);
    EpochRecord record;
    record.epoch = 1;
    record.test = {{"accuracy", accuracy}, {"loss", 0.5}};
    record.seconds = 3;
    folder.write(name + "/run.json", toJson(identity));
    folder.write(name + "/metrics.csv", formatMetrics({record}));
    folder.write(name + "/cost.json", R"({"totals": {"macs": 2500000, "params": 999}})");
    return folder.file(name);
  }
  std::vector<RunSummary> read(const std::vector<std::string> &paths) {
    std::vector<RunSummary> runs;
    for (const std::string &path : paths) {
      Expected<RunSummary> run = readRun(path);
      EXPECT_TRUE(run) << run.status().message();
      runs.push_back(*std::move(run));
    }
    return runs;
  }

  TempFolder folder;
};

TEST(MeanDeviationTest, IsThatOfASample) {
  MeanDeviation figure = meanAndDeviation({1, 2, 6});
  EXPECT_DOUBLE_EQ(figure.mean, 3);
  EXPECT_DOUBLE_EQ(figure.deviation, std::sqrt(7.0));
  EXPECT_EQ(meanAndDeviation({4}).deviation, 0);
  EXPECT_EQ(meanAndDeviation({}).mean, 0);
}

TEST_F(RunReportTest, SeedsOfOneRecipeShareARow) {
  Recipe recipe;
  recipe.epochs = 1;
  std::vector<std::string> paths;
  for (double rate : {0.1, 0.2})
    for (int64_t seed : {0, 1}) {
      recipe.learningRate = rate;
      recipe.seed = seed;
      recipe.threads = seed; // no reason for a row of its own
      paths.push_back(writeRun(fmt::format("{}-{}", rate, seed), recipe, rate + 0.02 * static_cast<double>(seed)));
    }
  recipe.epochs = 2;
  paths.push_back(writeRun("other", recipe, 0.5, "a|b"));
  std::vector<RunSummary> runs = read(paths);
  std::vector<RunGroup> groups = groupRuns(runs);
  ASSERT_EQ(groups.size(), 3u);
  std::string report = formatReport(groups);
  EXPECT_NE(report.find("\n| net, epochs 1, learning_rate 0.1 | 2 | 1 | 11.00 ± 1.41 | 11.00 ± 1.41 | 0.5000 ± 0.0000 "
                        "| 999 | 2.50 M | 3.0 ± 0.0 |\n"),
            std::string::npos)
      << report;
  EXPECT_NE(report.find("\n| a\\|b, epochs 2, learning_rate 0.2 | 1 | 1 of 2 | 50.00 |"), std::string::npos) << report;

  std::vector<Chart> charts = reportCharts(groups);
  ASSERT_EQ(charts.size(), 3u);
  EXPECT_DOUBLE_EQ(charts[0].series[0].points[0].second, 11);
  EXPECT_DOUBLE_EQ(charts[2].series[0].points[0].first, 2.5);
}

TEST_F(RunReportTest, DamageIsNamed) {
  std::string path = writeRun("run", Recipe(), 0.5);
  folder.write("run/cost.json", "[]");
  expectFailure(readRun(path), StatusCode::InvalidInput, "run/cost.json: expected a cost table with totals");
  folder.write("run/metrics.csv", "epoch\nx\n");
  expectFailure(readRun(path), StatusCode::InvalidInput, "run/metrics.csv:2: expected a number as epoch");
  folder.write("run/run.json", "{\"network\": 3}");
  expectFailure(readRun(path), StatusCode::InvalidInput, "run/run.json: identity.network is not a string");
  folder.write("run/run.json", "no JSON");
  expectFailure(readRun(path), StatusCode::InvalidInput, "run/run.json: identity is not an object");
  expectFailure(readRun(folder.file("none")), StatusCode::InvalidInput, "none/run.json");
}

} // namespace
