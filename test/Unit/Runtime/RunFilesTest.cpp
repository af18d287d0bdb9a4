//===- RunFilesTest.cpp - what a run leaves for people --------------------===//

#include "TestSupport.h"

#include "espalier/Runtime/Core/Digest.h"
#include "espalier/Runtime/Train/EventFile.h"
#include "espalier/Runtime/Train/MatrixChart.h"
#include "espalier/Runtime/Train/RunRecorder.h"
#include "espalier/Runtime/Train/TrainingRun.h"

#include <cmath>
#include <cstring>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

std::vector<EpochRecord> makeHistory(int64_t epochs) {
  std::vector<EpochRecord> history;
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    EpochRecord &record = history.emplace_back();
    record.epoch = epoch;
    record.step = 10 * epoch;
    record.train = {{"loss", 2.0 / static_cast<double>(epoch)}, {"accuracy", 0.5}};
    record.test = {{"loss", 3.0 / static_cast<double>(epoch)}, {"accuracy", epoch == 2 ? 0.75 : 0.5}};
    record.learningRate = 0.1;
    record.seconds = 2;
    record.imagesPerSecond = 100;
    record.peakBytes = 1000;
    record.endTime = 1e9 + static_cast<double>(epoch);
  }
  return history;
}

// The values of RFC 3720, appendix B.4.
TEST(DigestTest, Crc32cOfTheStandard) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

// The value of FIPS 180-2, appendix B.1.
TEST(DigestTest, Sha256OfTheStandard) {
  Digest digest;
  std::vector<uint8_t> abc{'a', 'b', 'c'};
  digest.add(Span<const uint8_t>(abc));
  EXPECT_EQ(digest.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(DigestTest, TextsDoNotRunTogether) {
  auto digestOf = [](std::string_view a, std::string_view b) {
    Digest digest;
    digest.add(a);
    digest.add(b);
    return digest.finish();
  };
  EXPECT_NE(digestOf("ab", "c"), digestOf("a", "bc"));
}

/// Takes a file of records apart; fails where a length or a checksum is wrong.
std::vector<std::string> readRecords(std::string_view file) {
  std::vector<std::string> records;
  auto number = [&](auto &value) {
    std::memcpy(&value, file.data(), sizeof(value));
    file.remove_prefix(sizeof(value));
  };
  auto expectCrc = [&](std::string_view data) {
    uint32_t stored = 0;
    number(stored);
    uint32_t rotated = stored - 0xa282ead8u;
    EXPECT_EQ(rotated >> 17 | rotated << 15, crc32c(data));
  };
  while (file.size() >= 16) {
    std::string_view length = file.substr(0, 8);
    uint64_t size = 0;
    number(size);
    expectCrc(length);
    if (size + 4 > file.size()) {
      ADD_FAILURE() << "a record of " << size << " bytes at the end of the file";
      break;
    }
    records.emplace_back(file.substr(0, size));
    file.remove_prefix(size);
    expectCrc(records.back());
  }
  EXPECT_TRUE(file.empty());
  return records;
}

TEST(EventFileTest, RecordsHaveTheFormOfTensorBoard) {
  std::vector<std::string> records = readRecords(eventFileHeader(1.0) + scalarEvent(2.0, 300, {{"loss/test", 0.5}}));
  ASSERT_EQ(records.size(), 2u);
  std::string one("\0\0\0\0\0\0\xf0\x3f", 8), two("\0\0\0\0\0\0\0\x40", 8), half("\0\0\0\x3f", 4);
  EXPECT_EQ(records[0], "\x09" + one + "\x1a\x0d" + "brain.Event:2");
  // step 300 is the varint ac 02; the value has the tag, then the float.
  EXPECT_EQ(records[1],
            "\x09" + two + "\x10\xac\x02" + "\x2a\x12" + "\x0a\x10" + "\x0a\x09" + "loss/test" + "\x15" + half);
}

TEST(MetricsTableTest, ReadsWhatWasWritten) {
  std::vector<EpochRecord> history = makeHistory(3);
  history[1].test["loss"] = NAN;
  std::string text = formatMetrics(history);
  EXPECT_EQ(text.substr(0, text.find('\n')), "epoch,step,learning_rate,train_accuracy,train_loss,test_accuracy,"
                                             "test_loss,seconds,images_per_second,peak_bytes,end_time");
  Expected<std::vector<EpochRecord>> read = parseMetrics(text, "m.csv");
  ASSERT_TRUE(read) << read.status().message();
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ(formatMetrics(*read), text);
  EXPECT_EQ((*read)[2].train, history[2].train);
  EXPECT_TRUE(std::isnan((*read)[1].test["loss"]));
}

TEST(MetricsTableTest, DamageIsNamed) {
  expectFailure(parseMetrics("epoch,step\n1\n", "m.csv"), StatusCode::InvalidInput,
                "m.csv:2: expected 2 cells, but got 1");
  expectFailure(parseMetrics("epoch,step\n1,x\n", "m.csv"), StatusCode::InvalidInput,
                "m.csv:2: expected a number as step, but got 'x'");
  expectFailure(parseMetrics("epoch,colour\n1,2\n", "m.csv"), StatusCode::InvalidInput,
                "m.csv:1: unknown column 'colour'");
  EXPECT_TRUE(parseMetrics("", "m.csv")->empty());
  forEachDamage(formatMetrics(makeHistory(2)), [](const std::string &text) { (void)parseMetrics(text, "m.csv"); });
}

TEST(TrainingRunTest, TheBestEpochIsTheEarliestOfEquals) {
  EXPECT_EQ(findBest({}), nullptr);
  std::vector<EpochRecord> history = makeHistory(4);
  EXPECT_EQ(findBest(history)->epoch, 2);
  history[3].test["accuracy"] = 0.75;
  EXPECT_EQ(findBest(history)->epoch, 2);
  for (EpochRecord &record : history)
    record.test.erase("accuracy");
  EXPECT_EQ(findBest(history)->epoch, 4) << "the lowest loss";
}

TEST(RunRecorderTest, AResumedRunHasNoRowTwice) {
  TempFolder parent;
  RunFolder folder = *RunFolder::open(parent.file("run"), RunFolder::Mode::New);
  std::vector<EpochRecord> history = makeHistory(3);
  std::string events;
  {
    Expected<RunRecorder> recorder = RunRecorder::create(folder, {});
    ASSERT_TRUE(recorder) << recorder.status().message();
    for (size_t epochs = 1; epochs <= 3; ++epochs)
      ASSERT_TRUE(recorder->record({history.begin(), history.begin() + epochs}).ok());
    recorder->log("first");
  }
  auto eventFile = [&] {
    std::vector<std::string> found;
    for (const auto &entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.path().filename().string().rfind("events.out.tfevents.", 0) == 0)
        found.push_back(entry.path());
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? std::string() : contentOf(found[0]);
  };
  EXPECT_EQ(readRecords(eventFile()).size(), 4u);

  // It goes on from a checkpoint of epoch 2.
  history.pop_back();
  Expected<RunRecorder> recorder = RunRecorder::create(folder, history);
  ASSERT_TRUE(recorder);
  EXPECT_EQ(contentOf(folder.file("metrics.csv")), formatMetrics(history));
  EXPECT_EQ(readRecords(eventFile()).size(), 3u);
  history = makeHistory(3);
  ASSERT_TRUE(recorder->record(history).ok());
  ASSERT_TRUE(recorder->finish(history).ok());
  recorder->log("second");
  EXPECT_EQ(contentOf(folder.file("metrics.csv")), formatMetrics(history));
  EXPECT_EQ(readRecords(eventFile()).size(), 4u);
  std::string log = contentOf(folder.file("log.txt"));
  EXPECT_NE(log.find(" first\n"), std::string::npos) << log;
  EXPECT_NE(log.find(" second\n"), std::string::npos) << log;
  EXPECT_NE(contentOf(folder.file("curves.svg")).find("<polyline"), std::string::npos);
}

TEST(RunRecorderTest, ScalesOfGradientsAreThereWhereTheyWereEstimated) {
  TempFolder parent;
  RunFolder folder = *RunFolder::open(parent.file("run"), RunFolder::Mode::New);
  std::vector<EpochRecord> history = makeHistory(3);
  RunRecorder recorder = *RunRecorder::create(folder, history);
  ASSERT_TRUE(recorder.finish(history).ok());
  EXPECT_FALSE(std::filesystem::exists(folder.file("gradient_scaling.csv")));
  EXPECT_FALSE(std::filesystem::exists(folder.file(gradientScalesPicture)));

  history[1].gradientScales = {{"a,\"b\"", {{0.5, 1.5}}}, {"conv.weight", {{0.25, 1}, {2, 0.75}}}};
  ASSERT_TRUE(recorder.record(history).ok());
  ASSERT_TRUE(recorder.finish(history).ok());
  EXPECT_EQ(contentOf(folder.file("gradient_scaling.csv")), "epoch,filter,row,column,scale\n"
                                                            "2,\"a,\"\"b\"\"\",0,0,0.5\n"
                                                            "2,\"a,\"\"b\"\"\",0,1,1.5\n"
                                                            "2,conv.weight,0,0,0.25\n"
                                                            "2,conv.weight,0,1,1\n"
                                                            "2,conv.weight,1,0,2\n"
                                                            "2,conv.weight,1,1,0.75\n");
  std::string picture = contentOf(folder.file(gradientScalesPicture));
  EXPECT_NE(picture.find("conv.weight"), std::string::npos);
  EXPECT_NE(picture.find(">2</text>"), std::string::npos) << "the epoch";
}

size_t count(const std::string &text, const std::string &part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(ChartTest, EveryFinitePointIsInsideThePlot) {
  Chart chart{"title <&>", "x", "y", false, false, {{"a", {{1, 0.25}, {2, NAN}, {3, 0.75}}}, {"b", {{2, 1e9}}}}};
  std::string svg = renderSvg({chart, chart});
  EXPECT_EQ(count(svg, "<g transform="), 2u);
  EXPECT_EQ(count(svg, "<polyline"), 4u);
  EXPECT_EQ(count(svg, "<circle"), 6u) << "three finite points in each of two charts";
  EXPECT_EQ(count(svg, "title &lt;&amp;&gt;"), 2u);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(MatrixChartTest, EveryFiniteElementHasASquare) {
  MatrixSeries first{"first <&>", {}}, second{"second", {{5, {{1}, {NAN}}}}};
  for (int64_t epoch = 1; epoch <= 100; ++epoch)
    first.byEpoch[epoch] = {{0, 1}, {2, 4}};
  std::string svg = renderSvg("title", {first, second});
  EXPECT_EQ(count(svg, "<title>"), 4u * 12 + 3) << "twelve epochs, and the scale of colours";
  EXPECT_NE(svg.find(">1</text>"), std::string::npos);
  EXPECT_NE(svg.find(">100</text>"), std::string::npos);
  EXPECT_EQ(count(svg, "first &lt;&amp;&gt;"), 1u);
  EXPECT_EQ(count(svg, "#0072b2"), 12u + 1) << "the largest is deepest";

  svg = renderSvg("title", {second});
  EXPECT_EQ(count(svg, "<title>"), 1u + 3);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(MatrixChartTest, RowsStandBelowOneAnother) {
  std::string svg = renderSvg("title", {{"a", {{1, {{1, 1.5}, {2, 2.5}, {3, 3.5}}}}}});
  for (const char *y : {"y=\"56.0\"", "y=\"70.0\"", "y=\"84.0\""})
    EXPECT_EQ(count(svg, y), 2u) << y;
}

TEST(MatrixChartTest, ZerosAreWhite) {
  std::string svg = renderSvg("title", {{"a", {{1, {{0, 0}}}}}});
  EXPECT_EQ(count(svg, "#ffffff"), 2u + 1) << "the squares, and 0 in the scale of colours";
  EXPECT_NE(svg.find(">1.00</text>"), std::string::npos);
}

TEST(MatrixChartTest, DegenerateDataIsAnImageToo) {
  for (const std::vector<std::vector<double>> &matrix :
       std::vector<std::vector<std::vector<double>>>{{}, {{}}, {{0}}, {{INFINITY, -1}}}) {
    std::string svg = renderSvg("t", {{"a", {{1, matrix}}}});
    EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  }
  EXPECT_NE(renderSvg("t", std::vector<MatrixSeries>()).find("</svg>"), std::string::npos);
}

TEST(ChartTest, DegenerateDataHasAxesToo) {
  for (std::vector<std::pair<double, double>> points : std::vector<std::vector<std::pair<double, double>>>{
           {}, {{1, 0}}, {{1, 5}, {1, 5}}, {{1, 1e-300}, {2, 1e300}}, {{NAN, INFINITY}}})
    for (bool logarithmic : {false, true}) {
      std::string svg = renderSvg({{"t", "x", "y", logarithmic, false, {{"a", points}}}});
      EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
      EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
      EXPECT_LT(count(svg, "<text"), 40u);
    }
}

} // namespace
