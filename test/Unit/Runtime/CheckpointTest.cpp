//===- CheckpointTest.cpp -------------------------------------------------===//

#include "TestSupport.h"

#include "espalier/Runtime/Train/CheckpointWriter.h"

#include <cmath>
#include <unistd.h>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

HostTensor makeTensor(std::vector<int64_t> shape, float first) {
  HostTensor tensor = *HostTensor::create(DType::F32, std::move(shape));
  for (float &value : tensor.elements<float>())
    value = first++;
  return tensor;
}

Checkpoint makeCheckpoint(int64_t step = 30) {
  Checkpoint checkpoint;
  checkpoint.tensors.emplace("fc.weight", makeTensor({2, 3}, 1));
  checkpoint.tensors.emplace("fc.weight#momentum", makeTensor({2, 3}, -7));
  checkpoint.position.step = step;
  checkpoint.position.sums = {{"loss", 0.1}, {"accuracy", 1.0 / 3}};
  checkpoint.position.seconds = 1.5;
  EpochRecord record;
  record.epoch = 1;
  record.step = 20;
  record.train = {{"loss", 2.5}};
  record.test = {{"loss", HUGE_VAL}};
  record.learningRate = 0.05;
  record.peakBytes = 1 << 20;
  record.gradientScales = {{"conv.weight", {{0.1, 1.0 / 3}, {1, 2}}}};
  checkpoint.position.history = {record};
  checkpoint.identity.network = "net";
  checkpoint.identity.networkDigest = "aa";
  checkpoint.identity.loss = "cross_entropy";
  checkpoint.identity.recipe = recipeValues(Recipe());
  checkpoint.identity.data = "8 + 2 images";
  checkpoint.identity.dataDigest = "bb";
  checkpoint.identity.processor = "v3";
  checkpoint.identity.artifactDigest = "cc";
  checkpoint.identity.kernels = {"gemm", "brg"};
  checkpoint.identity.threads = 2;
  checkpoint.metadata = {{"espalier.preprocessing", "{}"}};
  return checkpoint;
}

TEST(CheckpointTest, ReadsWhatWasWritten) {
  TempFolder folder;
  std::string path = folder.file("c.safetensors");
  ASSERT_TRUE(writeCheckpoint(path, makeCheckpoint()).ok());
  Expected<Checkpoint> read = readCheckpoint(path);
  ASSERT_TRUE(read) << read.status().message();
  Checkpoint expected = makeCheckpoint();
  EXPECT_EQ(read->position.step, 30);
  EXPECT_EQ(read->position.sums, expected.position.sums);
  ASSERT_EQ(read->position.history.size(), 1u);
  EXPECT_EQ(read->position.history[0].train, expected.position.history[0].train);
  EXPECT_EQ(read->position.history[0].test, expected.position.history[0].test);
  EXPECT_EQ(read->position.history[0].peakBytes, 1 << 20);
  EXPECT_EQ(read->position.history[0].gradientScales, expected.position.history[0].gradientScales);
  EXPECT_EQ(read->identity.kernels, expected.identity.kernels);
  EXPECT_TRUE(findConflicts(read->identity, expected.identity).empty());
  EXPECT_EQ(read->metadata, expected.metadata);
  ASSERT_EQ(read->tensors.size(), 2u);
  for (const auto &[name, tensor] : expected.tensors) {
    const HostTensor &got = read->tensors.at(name);
    EXPECT_EQ(got.shape(), tensor.shape());
    EXPECT_TRUE(std::equal(got.bytes().begin(), got.bytes().end(), tensor.bytes().begin()));
  }
}

// Files of runs whose networks stay as they are say nothing of edits.
TEST(CheckpointTest, EditsOfTheNetworkAreKept) {
  TempFolder folder;
  std::string path = folder.file("c.safetensors");
  Checkpoint checkpoint = makeCheckpoint();
  ASSERT_TRUE(writeCheckpoint(path, checkpoint).ok());
  EXPECT_EQ(contentOf(path).find("edit"), std::string::npos);
  checkpoint.position.edits = {"{\"cut\":\"conv.g1\"}", ""};
  checkpoint.position.editedStep = 20;
  ASSERT_TRUE(writeCheckpoint(path, checkpoint).ok());
  Expected<Checkpoint> read = readCheckpoint(path);
  ASSERT_TRUE(read) << read.status().message();
  EXPECT_EQ(read->position.edits, checkpoint.position.edits);
  EXPECT_EQ(read->position.editedStep, 20);
  checkpoint.position.editedStep = 31;
  ASSERT_TRUE(writeCheckpoint(path, checkpoint).ok());
  expectFailure(readCheckpoint(path), StatusCode::InvalidInput, "position.edited_step is beyond position.step");
}

TEST(CheckpointTest, EqualStatesGiveEqualBytes) {
  TempFolder folder;
  ASSERT_TRUE(writeCheckpoint(folder.file("a"), makeCheckpoint()).ok());
  ASSERT_TRUE(writeCheckpoint(folder.file("b"), makeCheckpoint()).ok());
  EXPECT_EQ(contentOf(folder.file("a")), contentOf(folder.file("b")));
}

// Whatever is cut off, whichever bit is changed: the file is refused, and named.
TEST(CheckpointTest, EveryDamageIsNoticed) {
  TempFolder folder;
  std::string path = folder.file("c.safetensors");
  ASSERT_TRUE(writeCheckpoint(path, makeCheckpoint()).ok());
  auto expectRefusal = [&](const std::string &damaged) {
    folder.write("d", damaged);
    Expected<Checkpoint> read = readCheckpoint(folder.file("d"));
    ASSERT_FALSE(read);
    EXPECT_NE(read.status().code(), StatusCode::Environment);
    EXPECT_NE(read.status().message().find(folder.file("d")), std::string::npos) << read.status().message();
  };
  std::string content = contentOf(path);
  for (size_t size = 0; size < content.size(); size += 7)
    expectRefusal(content.substr(0, size));
  for (size_t i = 0; i < content.size(); ++i) {
    std::string damaged = content;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << i % 8);
    expectRefusal(damaged);
  }
}

TEST(CheckpointTest, WeightsAreNoCheckpoint) {
  TempFolder folder;
  HostTensor tensor = makeTensor({2}, 0);
  ASSERT_TRUE(writeSafetensors(folder.file("w"), {{"w", &tensor}}).ok());
  expectFailure(readCheckpoint(folder.file("w")), StatusCode::InvalidInput,
                "not a checkpoint: the metadata lacks 'espalier.checkpoint'");
}

TEST(CheckpointTest, ConflictsNameWhatDiffers) {
  RunIdentity then = makeCheckpoint().identity, now = then;
  auto conflictsOf = [&](const Recipe &recipe) {
    now.recipe = recipeValues(recipe);
    return findConflicts(then, now);
  };
  Recipe recipe;
  EXPECT_TRUE(conflictsOf(recipe).empty());
  recipe.learningRate = 0.2;
  EXPECT_EQ(conflictsOf(recipe), std::vector<std::string>{"recipe: learning_rate was 0.1, is 0.2"});
  recipe = Recipe();
  recipe.threads = 3;
  recipe.keep = 1;
  recipe.data = "elsewhere";
  recipe.epochs = 20;
  EXPECT_TRUE(conflictsOf(recipe).empty());
  EXPECT_EQ(findDeviations(then, now), std::vector<std::string>{"the run was to have 10 epochs, now it is to have 20"});
  recipe.epochs = 9;
  EXPECT_EQ(conflictsOf(recipe), std::vector<std::string>{"recipe: epochs was 10, is 9; it may only grow"});

  now = then;
  now.networkDigest = "other";
  EXPECT_EQ(findConflicts(then, now)[0], "network: 'net' has other operations or sizes than it had");
  now = then;
  now.dataDigest = "other";
  EXPECT_EQ(findConflicts(then, now)[0], "data set: as many images as before, but other ones, or other labels");
  now = then;
  now.network = "x";
  now.loss = "y";
  now.data = "z";
  EXPECT_EQ(findConflicts(then, now),
            (std::vector<std::string>{"network: was 'net', is 'x'", "loss: was 'cross_entropy', is 'y'",
                                      "data set: was '8 + 2 images', is 'z'"}));
  now = then;
  now.artifactDigest = "other";
  now.threads = 1;
  EXPECT_TRUE(findConflicts(then, now).empty());
  EXPECT_EQ(findDeviations(then, now), (std::vector<std::string>{"the kernels are not those that the run began with",
                                                                 "the run had 2 threads, now it has 1"}));
}

//===----------------------------------------------------------------------===//
// The folder
//===----------------------------------------------------------------------===//

TEST(RunFolderTest, ARunIsNeverOverwritten) {
  TempFolder parent;
  std::string path = parent.file("runs/a");
  expectFailure(RunFolder::open(path, RunFolder::Mode::Resume), StatusCode::Usage, "holds no run");
  {
    Expected<RunFolder> folder = RunFolder::open(path, RunFolder::Mode::New);
    ASSERT_TRUE(folder) << folder.status().message();
  }
  expectFailure(RunFolder::open(path, RunFolder::Mode::New), StatusCode::Usage, "holds a run");
  EXPECT_TRUE(RunFolder::open(path, RunFolder::Mode::Resume).ok());
  EXPECT_EQ(RunFolder::firstFree(path), path + "-2");
  parent.write("other/thesis.txt", "text");
  expectFailure(RunFolder::open(parent.file("other"), RunFolder::Mode::New), StatusCode::Usage, "is not empty");
}

TEST(RunFolderTest, TheLockKeepsASecondProcessOut) {
  TempFolder parent;
  std::string path = parent.file("a");
  {
    Expected<RunFolder> first = RunFolder::open(path, RunFolder::Mode::New);
    ASSERT_TRUE(first);
    // Locks belong to open files: one process can play both.
    expectFailure(RunFolder::open(path, RunFolder::Mode::Resume), StatusCode::Environment,
                  fmt::format("is in use: another process ({}) trains in it", ::getpid()));
  }
  EXPECT_TRUE(RunFolder::open(path, RunFolder::Mode::Resume).ok());
}

TEST(RunFolderTest, TemporariesOfAKilledProcessGo) {
  TempFolder parent;
  std::string path = parent.file("a");
  ASSERT_TRUE(RunFolder::open(path, RunFolder::Mode::New).ok());
  std::string left = parent.write("a/checkpoint-3.safetensors.4711-0.tmp", "half");
  std::string kept = parent.write("a/notes.tmp", "mine");
  ASSERT_TRUE(RunFolder::open(path, RunFolder::Mode::Resume).ok());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(kept));
}

class OpenRunFolder : public testing::Test {
protected:
  OpenRunFolder() : folder(*RunFolder::open(parent.file("run"), RunFolder::Mode::New)) {}

  void write(int64_t step) { ASSERT_TRUE(writeCheckpoint(folder.checkpointPath(step), makeCheckpoint(step)).ok()); }
  Expected<std::optional<FoundCheckpoint>> findNewest() {
    damage.clear();
    return folder.findNewest([&](const Status &status) { damage.emplace_back(status.message()); });
  }

  TempFolder parent;
  RunFolder folder;
  std::vector<std::string> damage;
};

TEST_F(OpenRunFolder, TheNewestIntactCheckpointIsFound) {
  EXPECT_FALSE(*findNewest());
  for (int64_t step : {9, 10, 100})
    write(step);
  parent.write("run/checkpoint-0200.safetensors", "a name that is not ours");
  EXPECT_EQ((*findNewest())->checkpoint.position.step, 100);
  EXPECT_TRUE(damage.empty());

  std::filesystem::resize_file(folder.checkpointPath(100), 700);
  EXPECT_EQ((*findNewest())->checkpoint.position.step, 10);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_NE(damage[0].find("checkpoint-100.safetensors"), std::string::npos) << damage[0];
  // It is out of the way, so that it does not count as one to keep.
  EXPECT_EQ(folder.checkpointSteps(), (std::vector<int64_t>{9, 10}));
  EXPECT_TRUE(std::filesystem::exists(folder.checkpointPath(100) + ".damaged"));
}

TEST_F(OpenRunFolder, ACheckpointUnderAnotherNameIsSetAside) {
  write(9);
  std::filesystem::copy_file(folder.checkpointPath(9), folder.checkpointPath(100));
  EXPECT_EQ((*findNewest())->path, folder.checkpointPath(9));
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_NE(damage[0].find("checkpoint-100.safetensors: it is of step 9"), std::string::npos) << damage[0];
  EXPECT_EQ(folder.checkpointSteps(), std::vector<int64_t>{9});
}

TEST_F(OpenRunFolder, IsARunWithoutTheFileOfTheLock) {
  parent.write("run/run.json", "{}");
  std::filesystem::remove(folder.file("run.lock"));
  EXPECT_TRUE(RunFolder::isRun(folder.path()));
  EXPECT_TRUE(RunFolder::open(folder.path(), RunFolder::Mode::Resume).ok());
}

TEST_F(OpenRunFolder, TheBestOneIsTheLastResort) {
  write(1);
  ASSERT_TRUE(writeCheckpoint(folder.bestPath(), makeCheckpoint(7)).ok());
  EXPECT_EQ((*findNewest())->checkpoint.position.step, 1);
  std::filesystem::resize_file(folder.checkpointPath(1), 0);
  EXPECT_EQ((*findNewest())->checkpoint.position.step, 7);
  std::filesystem::resize_file(folder.bestPath(), 0);
  expectFailure(findNewest(), StatusCode::InvalidInput, "every checkpoint in");
}

TEST_F(OpenRunFolder, TheWriterKeepsTheNewestAndTheBest) {
  CheckpointWriter writer(folder, /*keep=*/2);
  for (int64_t step = 1; step <= 5; ++step)
    ASSERT_TRUE(writer.write(makeCheckpoint(step), /*isBest=*/step == 2).ok());
  ASSERT_TRUE(writer.wait().ok());
  EXPECT_EQ(folder.checkpointSteps(), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(readCheckpoint(folder.bestPath())->position.step, 2);
}

TEST_F(OpenRunFolder, AFailedWriteIsReportedAndDeletesNothing) {
  CheckpointWriter writer(folder, /*keep=*/1);
  ASSERT_TRUE(writer.write(makeCheckpoint(1), false).ok());
  ASSERT_TRUE(writer.wait().ok());
  // A folder in its place: the file cannot be renamed to that name.
  std::filesystem::create_directories(folder.checkpointPath(2) + "/x");
  ASSERT_TRUE(writer.write(makeCheckpoint(2), false).ok());
  Status failure = writer.wait();
  EXPECT_FALSE(failure.ok());
  EXPECT_NE(failure.message().find("checkpoint-2.safetensors"), std::string::npos);
  EXPECT_TRUE(writer.wait().ok()) << "a failure is reported once";
  EXPECT_TRUE(readCheckpoint(folder.checkpointPath(1)).ok());
}

} // namespace
