//===- RecipeTest.cpp -----------------------------------------------------===//

#include "espalier/Runtime/Train/Recipe.h"

#include "TestSupport.h"

#include <algorithm>

#include <cmath>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

void expectInvalid(const std::string &text, const std::string &message) {
  Expected<Recipe> recipe = parseRecipe(text, "run.toml");
  EXPECT_EQ(recipe.status().code(), StatusCode::InvalidInput);
  EXPECT_EQ(std::string(recipe.status().message()), message);
}

TEST(RecipeTest, ReadsEveryKey) {
  Expected<Recipe> recipe = parseRecipe(R"(
    optimiser = "adamw"
    learning_rate = 1
    momentum = 0.5
    nesterov = true
    weight_decay = 0.01
    clip_norm = 2.5
    betas = [0.8, 0.99]
    epsilon = 1e-6
    epochs = 30
    batch = 64
    seed = 7
    threads = 2
    schedule = "multi-step"
    milestones = [10, 20]
    gamma = 0.2
    warmup_epochs = 3
    mean = [0.5]
    std = [0.25]
  )",
                                        "run.toml");
  ASSERT_TRUE(recipe.ok()) << recipe.status().message();
  EXPECT_EQ(recipe->optimiser, Optimiser::AdamW);
  EXPECT_EQ(recipe->learningRate, 1);
  EXPECT_EQ(recipe->momentum, 0.5);
  EXPECT_TRUE(recipe->nesterov);
  EXPECT_EQ(recipe->weightDecay, 0.01);
  EXPECT_EQ(recipe->clipNorm, 2.5);
  EXPECT_EQ(recipe->betas, (std::array<double, 2>{0.8, 0.99}));
  EXPECT_EQ(recipe->epsilon, 1e-6);
  EXPECT_EQ(recipe->epochs, 30);
  EXPECT_EQ(recipe->batch, 64);
  EXPECT_EQ(recipe->seed, 7);
  EXPECT_EQ(recipe->threads, 2);
  EXPECT_EQ(recipe->schedule, Schedule::MultiStep);
  EXPECT_EQ(recipe->milestones, (std::vector<int64_t>{10, 20}));
  EXPECT_EQ(recipe->gamma, 0.2);
  EXPECT_EQ(recipe->warmupEpochs, 3);
  EXPECT_EQ(recipe->mean, (std::vector<double>{0.5}));
  EXPECT_EQ(recipe->deviation, (std::vector<double>{0.25}));
}

TEST(RecipeTest, AbsentKeysHaveTheDocumentedDefaults) {
  std::string text;
  for (const RecipeKey &key : recipeKeys())
    if (key.name != "milestones" && std::count(key.name.begin(), key.name.end(), '.') < 2)
      text += key.name + " = " + key.defaultValue + "\n";
  Expected<Recipe> written = parseRecipe(text, "defaults.toml"), empty = parseRecipe("", "empty.toml");
  ASSERT_TRUE(written.ok()) << written.status().message();
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(written->learningRate, empty->learningRate);
  EXPECT_EQ(written->schedule, empty->schedule);
  EXPECT_EQ(written->betas, empty->betas);
  EXPECT_EQ(written->mean, empty->mean);
  EXPECT_TRUE(written->augment.empty() && written->evaluate.empty());
  EXPECT_EQ(recipeKeys()[2].range, "at least 0 and below 1");
}

TEST(RecipeTest, UnknownKeysAreLocatedWithASuggestion) {
  expectInvalid("epochs = 3\n\n  learn_rate = 0.1\n",
                "run.toml:3:3: unknown key 'learn_rate'; did you mean 'learning_rate'?");
  expectInvalid("[optimizer]\nname = \"sgd\"\n", "run.toml:1:2: unknown key 'optimizer'; did you mean 'optimiser'?");
  expectInvalid("banana = 1", "run.toml:1:1: unknown key 'banana'");
  // The first one of the file, not of the alphabet.
  expectInvalid("zebra = 1\nape = 1", "run.toml:1:1: unknown key 'zebra'");
}

TEST(RecipeTest, TypesAreChecked) {
  expectInvalid("epochs = \"3\"", "run.toml:1:10: 'epochs' expects an integer, but got a string");
  expectInvalid("epochs = 3.0", "run.toml:1:10: 'epochs' expects an integer, but got a number");
  expectInvalid("learning_rate = true", "run.toml:1:17: 'learning_rate' expects a number, but got a boolean");
  expectInvalid("nesterov = 1", "run.toml:1:12: 'nesterov' expects true or false, but got an integer");
  expectInvalid("schedule = []",
                "run.toml:1:12: 'schedule' expects one of 'constant', 'cosine', 'multi-step', but got a list");
  expectInvalid("milestones = 3", "run.toml:1:14: 'milestones' expects a list of integers, but got an integer");
  expectInvalid("milestones = [3, {}]",
                "run.toml:1:18: 'milestones' expects a list of integers, but got a table in it");
  expectInvalid("betas = 0.9", "run.toml:1:9: 'betas' expects two numbers, but got a number");
  expectInvalid("betas = [0.9, 'x']", "run.toml:1:15: 'betas' expects two numbers, but got a string in the list");
  expectInvalid("mean = 'none'", "run.toml:1:8: 'mean' expects 'auto' or a list of numbers, but got a string");
  expectInvalid("seed = 2026-01-01", "run.toml:1:8: 'seed' expects an integer, but got a date or time");
}

TEST(RecipeTest, RangesAreChecked) {
  expectInvalid("epochs = 0", "run.toml:1:10: 'epochs' expects an integer from 1 to 2147483648, but got 0");
  expectInvalid("learning_rate = 0", "run.toml:1:17: 'learning_rate' expects a number above 0, but got 0");
  expectInvalid("learning_rate = nan", "run.toml:1:17: 'learning_rate' expects a number above 0, but got nan");
  expectInvalid("learning_rate = inf", "run.toml:1:17: 'learning_rate' expects a number above 0, but got inf");
  expectInvalid("momentum = 1.0", "run.toml:1:12: 'momentum' expects a number at least 0 and below 1, but got 1");
  expectInvalid("schedule = 'step'",
                "run.toml:1:12: 'schedule' expects one of 'constant', 'cosine', 'multi-step', but got 'step'");
  expectInvalid("milestones = [5, 5]",
                "run.toml:1:18: 'milestones' expects rising integers of at least 1, but got 5 in the list");
  expectInvalid("betas = [0.9]", "run.toml:1:9: 'betas' expects two numbers, but got 1");
  expectInvalid("betas = [0.9, 1]", "run.toml:1:9: 'betas' expects numbers of at least 0 and below 1, but got 1");
  expectInvalid("mean = [0, 0]", "run.toml:1:8: 'mean' expects 1 or 3 channels, but got 2");
  expectInvalid("std = [0]", "run.toml:1:7: 'std' expects numbers above 0, but got 0");
  expectInvalid("mean = [nan]", "run.toml:1:8: 'mean' expects finite numbers, but got nan");
}

TEST(RecipeTest, CombinationsAreChecked) {
  expectInvalid("nesterov = true\nmomentum = 0", "run.toml: 'nesterov' expects a momentum above 0");
  expectInvalid("schedule = 'multi-step'", "run.toml: schedule 'multi-step' expects 'milestones'");
  expectInvalid("epochs = 2\nwarmup_epochs = 3", "run.toml: 'warmup_epochs' expects at most 'epochs' (2), but got 3");
  expectInvalid("mean = [0]", "run.toml: 'mean' and 'std' expect to be given both or computed both");
  expectInvalid("mean = [0]\nstd = [1, 1, 1]",
                "run.toml: 'mean' and 'std' expect the same number of channels, but got 1 and 3");
}

TEST(RecipeTest, SyntaxErrorsAreLocated) {
  for (const char *text :
       {"epochs = ", "epochs 3", "epochs = 1\nepochs = 2", "seed = 99999999999999999999", "x = \xff"})
    expectFailure(parseRecipe(text, "run.toml"), StatusCode::InvalidInput, "run.toml:");
  expectFailure(parseRecipe("betas = " + std::string(100'000, '['), "run.toml"), StatusCode::InvalidInput,
                "run.toml:1:");
  std::string dotted = "a";
  for (int i = 0; i < 300'000; ++i)
    dotted += ".a";
  expectInvalid("\n" + dotted + " = 1", "run.toml:2:1: more than 1000 dots in one line");
}

TEST(RecipeTest, DamageNeverCrashes) {
  std::string text =
      "optimiser = \"sgd\"\nbetas = [0.9, 0.99]\nmean = [0.1, 0.2, 0.3] # why\n[x]\ny = {z = 1979-05-27}\n";
  forEachDamage(text, [](const std::string &damaged) { (void)parseRecipe(damaged, "run.toml").ok(); });
}

TEST(RecipeTest, FilesAreNamed) {
  TempFolder folder;
  expectFailure(readRecipe(folder.write("run.toml", "epochs = 0")), StatusCode::InvalidInput,
                "run.toml:1:10: 'epochs'");
  expectFailure(readRecipe(folder.file("absent.toml")), StatusCode::InvalidInput, "absent.toml'");
}

TEST(RecipeTest, FlagsOverrideValues) {
  Recipe recipe;
  ASSERT_TRUE(overrideRecipe(recipe, "epochs", "3").ok());
  ASSERT_TRUE(overrideRecipe(recipe, "schedule", "cosine").ok());
  ASSERT_TRUE(overrideRecipe(recipe, "optimiser", "\"adam\"").ok());
  ASSERT_TRUE(overrideRecipe(recipe, "betas", "[0.5, 0.5]").ok());
  ASSERT_TRUE(overrideRecipe(recipe, "nesterov", "true").ok());
  EXPECT_EQ(recipe.epochs, 3);
  EXPECT_EQ(recipe.schedule, Schedule::Cosine);
  EXPECT_EQ(recipe.optimiser, Optimiser::Adam);
  EXPECT_EQ(recipe.betas[0], 0.5);
  EXPECT_TRUE(recipe.nesterov);

  expectFailure(overrideRecipe(recipe, "epoch", "3"), StatusCode::Usage, "unknown key 'epoch'; did you mean 'epochs'?");
  expectFailure(overrideRecipe(recipe, "epochs", "many"), StatusCode::Usage,
                "'epochs' expects an integer, but got a string");
  expectFailure(overrideRecipe(recipe, "warmup_epochs", "4"), StatusCode::Usage, "'warmup_epochs' expects at most");
  expectFailure(overrideRecipe(recipe, "betas", "[1"), StatusCode::Usage, "");
  EXPECT_EQ(recipe.epochs, 3);
  EXPECT_EQ(recipe.warmupEpochs, 0);
}

TEST(RecipeTest, FormattedRecipesReadBack) {
  Recipe recipe;
  recipe.optimiser = Optimiser::AdamW;
  recipe.schedule = Schedule::MultiStep;
  recipe.learningRate = 0.1 + 0.2; // no short decimal
  recipe.milestones = {3, 7};
  recipe.mean = std::vector<double>{1.0 / 3};
  recipe.deviation = std::vector<double>{0.25};
  recipe.network = "a \"quoted\" \\ path\n.esp";
  recipe.skipMismatched = true;
  std::string text = formatRecipe(recipe);
  Expected<Recipe> read = parseRecipe(text, "r.toml");
  ASSERT_TRUE(read) << read.status().message();
  EXPECT_EQ(recipeValues(*read), recipeValues(recipe));
  EXPECT_EQ(read->learningRate, recipe.learningRate);
  EXPECT_EQ(read->network, recipe.network);
  std::vector<RecipeKey> keys = recipeKeys();
  EXPECT_EQ(static_cast<int64_t>(recipeValues(recipe).size()),
            std::count_if(keys.begin(), keys.end(), [](const RecipeKey &key) {
              return std::count(key.name.begin(), key.name.end(), '.') <
                     2; // the keys of an augmentation are in its value
            }));
}

TEST(RecipeTest, PathsCountFromTheFolderOfTheFile) {
  TempFolder folder;
  std::string path = folder.write("r/x.toml", "data = '../digits'\nnetwork = '/net.esp'\n");
  Expected<Recipe> recipe = readRecipe(path);
  ASSERT_TRUE(recipe) << recipe.status().message();
  EXPECT_EQ(recipe->data, folder.file("r/../digits"));
  EXPECT_EQ(recipe->network, "/net.esp");
  EXPECT_EQ(recipe->initFrom, "");
  ASSERT_TRUE(overrideRecipe(*recipe, "data", "it's here").ok());
  EXPECT_EQ(recipe->data, "it's here");
  ASSERT_TRUE(overrideRecipe(*recipe, "lr", "0.5").ok());
  EXPECT_EQ(recipe->learningRate, 0.5);
}

TEST(RecipeTest, LearningRateFollowsTheSchedule) {
  Recipe recipe;
  recipe.learningRate = 0.8;
  recipe.epochs = 4;
  EXPECT_EQ(recipe.learningRateAt(399, 100), 0.8);

  recipe.schedule = Schedule::Cosine;
  EXPECT_EQ(recipe.learningRateAt(0, 100), 0.8);
  EXPECT_DOUBLE_EQ(recipe.learningRateAt(200, 100), 0.4);
  EXPECT_DOUBLE_EQ(recipe.learningRateAt(300, 100), 0.4 * (1 - std::sqrt(0.5)));

  recipe.warmupEpochs = 2;
  EXPECT_DOUBLE_EQ(recipe.learningRateAt(0, 100), 0.8 / 200);
  EXPECT_DOUBLE_EQ(recipe.learningRateAt(199, 100), 0.8);
  EXPECT_DOUBLE_EQ(recipe.learningRateAt(300, 100), 0.4);

  recipe.schedule = Schedule::MultiStep;
  recipe.milestones = {2, 3};
  recipe.warmupEpochs = 0;
  EXPECT_EQ(recipe.learningRateAt(199, 100), 0.8);
  EXPECT_DOUBLE_EQ(recipe.learningRateAt(200, 100), 0.08);
  EXPECT_DOUBLE_EQ(recipe.learningRateAt(399, 100), 0.008);
}

//===----------------------------------------------------------------------===//
// Tables of keys
//===----------------------------------------------------------------------===//

TEST(RecipeTest, AugmentationsAreSwitchedOnByTablesAndWords) {
  Expected<Recipe> recipe = parseRecipe("[augment]\ncrop = {padding = 2}\nflip = true\ncutout = false\n"
                                        "[augment.mixup]\nalpha = 0.5\n[evaluate]\nresize = {size = 40}\n"
                                        "[loading]\nmemory = 0.5\nskip_damaged = true\nlabel_column = \"kind\"\n",
                                        "run.toml");
  ASSERT_TRUE(recipe.ok()) << recipe.status().message();
  AugmentationSettings wanted = {{"crop", {2, 0}}, {"flip", {0.5}}, {"mixup", {0.5, 1}}};
  EXPECT_EQ(recipe->augment, wanted);
  EXPECT_EQ(recipe->evaluate, (AugmentationSettings{{"resize", {40, 0, 0}}}));
  DatasetOptions options = recipe->datasetOptions();
  EXPECT_EQ(options.memoryBudget, uint64_t(1) << 29);
  EXPECT_TRUE(options.skipDamaged);
  EXPECT_EQ(options.labelColumn, "kind");

  // A flag changes one value and leaves the others.
  ASSERT_TRUE(overrideRecipe(*recipe, "augment.crop.size", "24").ok());
  EXPECT_EQ(recipe->augment["crop"], (AugmentationValues{2, 24}));
  ASSERT_TRUE(overrideRecipe(*recipe, "augment.flip", "false").ok());
  ASSERT_TRUE(overrideRecipe(*recipe, "augment.cutout", "true").ok());
  EXPECT_FALSE(recipe->augment.count("flip"));
  EXPECT_EQ(recipe->augment["cutout"], (AugmentationValues{16, 1}));
  ASSERT_TRUE(overrideRecipe(*recipe, "loading.label_column", "class").ok());
  EXPECT_EQ(recipe->labelColumn, "class");
}

TEST(RecipeTest, KeysOfTablesAreChecked) {
  expectInvalid("[augment]\ncrop = {pading = 2}",
                "run.toml:2:9: unknown key 'augment.crop.pading'; did you mean 'augment.crop.padding'?");
  expectInvalid("[augment]\nflipp = true", "run.toml:2:1: unknown key 'augment.flipp'; did you mean 'augment.flip'?");
  expectInvalid("[augment]\ncrop = {padding = 2.5}",
                "run.toml:2:19: 'augment.crop.padding' expects an integer at least 0 and at most 1024, but got 2.5");
  expectInvalid("[augment]\nmixup = {alpha = 0}",
                "run.toml:2:18: 'augment.mixup.alpha' expects a number above 0 and at most 1000, but got 0");
  expectInvalid("[augment]\nmixup = {alpha = nan}",
                "run.toml:2:18: 'augment.mixup.alpha' expects a number above 0 and at most 1000, but got nan");
  expectInvalid("[augment]\nflip = {probability = \"x\"}",
                "run.toml:2:23: 'augment.flip.probability' expects a number at least 0 and "
                "at most 1, but got a string");
  expectInvalid("[augment]\nflip = 3",
                "run.toml:2:8: 'augment.flip' expects true, false or a table, but got an integer");
  expectInvalid("[augment]\nresize = true", "run.toml:2:10: 'resize' expects either size, or height and width");
  expectInvalid("[evaluate]\nflip = true", "run.toml:2:1: unknown key 'evaluate.flip'");
  expectInvalid("augment = 3", "run.toml:1:1: unknown key 'augment'");
  expectInvalid("[loading]\nlabel_column = 3",
                "run.toml:2:16: 'loading.label_column' expects a string, but got an integer");
  expectInvalid("[loading]\nchannels = 2", "run.toml: 'loading.channels' expects 0, 1 or 3, but got 2");
  Recipe recipe;
  expectFailure(overrideRecipe(recipe, "augment.crop.pading", "2"), StatusCode::Usage,
                "unknown key 'augment.crop.pading'; did you mean 'augment.crop.padding'?");
  expectFailure(overrideRecipe(recipe, "augment.nothing", "2"), StatusCode::Usage, "unknown key 'augment.nothing'");
}

} // namespace
