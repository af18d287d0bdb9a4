//===- RecipeTest.cpp -----------------------------------------------------===//

#include "espalier/Runtime/Train/Recipe.h"

#include "TestSupport.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <set>

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
    decay_norms_and_biases = false
    clip_value = 0
    alpha = 0.8
    centred = true
    accumulate = 4
    step_epochs = 5
    min_learning_rate = 0.001
    power = 2
    loss = "mean_squared_error"
    label_smoothing = 0.1
    one_cycle = {rise = 0.4, start_divisor = 10, end_divisor = 100}
    [ema]
    decay = 0.99
    warmup = true
    [[groups]]
    match = "head.*"
    learning_rate_factor = 10
    [[groups]]
    match = "*.bias"
    weight_decay = 0
    frozen = true
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
  EXPECT_FALSE(recipe->decayNormsAndBiases);
  EXPECT_EQ(recipe->alpha, 0.8);
  EXPECT_TRUE(recipe->centred);
  EXPECT_EQ(recipe->accumulate, 4);
  EXPECT_EQ(recipe->partSize(), 16);
  EXPECT_EQ(recipe->stepEpochs, 5);
  EXPECT_EQ(recipe->minLearningRate, 0.001);
  EXPECT_EQ(recipe->power, 2);
  EXPECT_EQ(recipe->loss, "mean_squared_error");
  EXPECT_EQ(recipe->labelSmoothing, 0.1);
  EXPECT_EQ(recipe->oneCycleRise, 0.4);
  EXPECT_EQ(recipe->oneCycleStartDivisor, 10);
  EXPECT_EQ(recipe->oneCycleEndDivisor, 100);
  EXPECT_EQ(recipe->emaDecay, 0.99);
  EXPECT_TRUE(recipe->emaWarmup);
  ASSERT_EQ(recipe->groups.size(), 2u);
  EXPECT_EQ(recipe->groups[0].match, "head.*");
  EXPECT_EQ(recipe->groups[0].learningRateFactor, 10);
  EXPECT_EQ(recipe->groups[0].weightDecay, std::nullopt);
  EXPECT_FALSE(recipe->groups[0].frozen);
  EXPECT_EQ(recipe->groups[1].weightDecay, 0);
  EXPECT_TRUE(recipe->groups[1].frozen);
}

TEST(RecipeTest, GroupsAreChecked) {
  expectInvalid("groups = 3", "run.toml:1:10: 'groups' expects a list of tables, but got an integer");
  expectInvalid("[groups]\nmatch = 'x'", "run.toml:1:1: 'groups' expects a list of tables, but got a table");
  expectInvalid("groups = ['x']", "run.toml:1:11: 'groups' expects a list of tables, but got a string in it");
  expectInvalid("[[groups]]\nfrozen = true",
                "run.toml:1:1: a group expects 'match', a pattern for paths of parameters");
  expectInvalid("[[groups]]\nmatch = ''",
                "run.toml:2:9: 'groups.match' expects a pattern for paths of parameters, but got ''");
  expectInvalid("[[groups]]\nmatch = 'a:b'",
                "run.toml:2:9: 'groups.match' expects a pattern for paths of parameters, but got 'a:b'");
  expectInvalid("[[groups]]\nmatch = 1", "run.toml:2:9: 'groups.match' expects a string, but got an integer");
  expectInvalid("[[groups]]\nmatch = 'x'\nwieght_decay = 0",
                "run.toml:3:1: unknown key 'groups.wieght_decay'; did you mean 'groups.weight_decay'?");
  expectInvalid("[[groups]]\nmatch = 'x'\nweight_decay = -1",
                "run.toml:3:16: 'groups.weight_decay' expects a number at least 0, but got -1");
  expectInvalid("[[groups]]\nmatch = 'x'\nlearning_rate_factor = 'y'",
                "run.toml:3:24: 'groups.learning_rate_factor' expects a number at least 0, but got a string");
  expectInvalid("[[groups]]\nmatch = 'x'\nfrozen = 1",
                "run.toml:3:10: 'groups.frozen' expects true or false, but got an integer");
}

TEST(RecipeTest, ReadsGradientScaling) {
  Expected<Recipe> recipe = parseRecipe(R"(
    [gradient_scaling]
    source = "fixed"
    matrix = [[1, 2, 1], [2, 3.5, 2], [1, 2, 1]]
    temperature = 8
    interval = 30
    batches = 20
    warmup = 0
    remove_diagonal = true
  )",
                                        "run.toml");
  ASSERT_TRUE(recipe.ok()) << recipe.status().message();
  EXPECT_EQ(recipe->gradientScaling, GradientScaling::Fixed);
  EXPECT_EQ(recipe->scalingMatrix, (std::vector<std::vector<double>>{{1, 2, 1}, {2, 3.5, 2}, {1, 2, 1}}));
  EXPECT_EQ(recipe->scalingBlock, ScalingBlock::None);
  EXPECT_EQ(recipe->scalingTemperature, 8);
  EXPECT_EQ(recipe->scalingInterval, 30);
  EXPECT_EQ(recipe->scalingBatches, 20);
  EXPECT_EQ(recipe->scalingWarmup, 0);
  EXPECT_TRUE(recipe->scalingRemovesDiagonal);

  Recipe defaults;
  ASSERT_TRUE(overrideRecipe(defaults, {"gradient_scaling.source=mutual-information"}).ok());
  EXPECT_EQ(defaults.gradientScaling, GradientScaling::MutualInformation);
  EXPECT_EQ(defaults.scalingTemperature, 5);
  EXPECT_EQ(defaults.scalingInterval, 5);
  EXPECT_EQ(defaults.scalingBatches, 2);
  EXPECT_EQ(defaults.scalingWarmup, 1);
  EXPECT_FALSE(defaults.scalingRemovesDiagonal);
}

TEST(RecipeTest, GradientScalesAreEstimatedAfterTheWarmup) {
  auto epochs = [](std::vector<std::string> settings) {
    Recipe recipe;
    EXPECT_TRUE(overrideRecipe(recipe, settings).ok());
    std::vector<int64_t> found;
    for (int64_t epoch = 0; epoch < 16; ++epoch)
      if (recipe.estimatesGradientScales(epoch))
        found.push_back(epoch);
    return found;
  };
  std::string source = "gradient_scaling.source=mutual-information";
  EXPECT_EQ(epochs({source}), (std::vector<int64_t>{1, 5, 10, 15}));
  EXPECT_EQ(epochs({source, "gradient_scaling.warmup=0"}), (std::vector<int64_t>{0, 5, 10, 15}));
  EXPECT_EQ(epochs({source, "gradient_scaling.warmup=7", "gradient_scaling.interval=4"}),
            (std::vector<int64_t>{7, 8, 12}));
  EXPECT_EQ(epochs({}), std::vector<int64_t>());
}

TEST(RecipeTest, BranchesGrowBetweenEpochs) {
  auto epochs = [](std::vector<std::string> settings) {
    Recipe recipe;
    EXPECT_TRUE(overrideRecipe(recipe, settings).ok());
    std::vector<int64_t> found;
    for (int64_t epoch = 0; epoch < 10; ++epoch)
      if (recipe.growsBranches(epoch))
        found.push_back(epoch);
    return found;
  };
  EXPECT_EQ(epochs({}), std::vector<int64_t>());
  EXPECT_EQ(epochs({"growth.interval=3"}), (std::vector<int64_t>{3, 6, 9}));
  EXPECT_EQ(epochs({"growth.interval=3", "growth.until=6"}), (std::vector<int64_t>{3, 6}));
}

TEST(RecipeTest, BlocksThatGrowAreChecked) {
  TempFolder folder;
  auto read = [&](const std::string &line) { return readRecipe(folder.write("r.toml", "[growth]\n" + line + "\n")); };
  Expected<Recipe> recipe = read("blocks = ['dyrep_row', 'own.esp:block', '/else/where.esp']");
  ASSERT_TRUE(recipe) << recipe.status().message();
  EXPECT_EQ(recipe->growthBlocks,
            (std::vector<std::string>{"dyrep_row", folder.file("own.esp:block"), "/else/where.esp"}));
  expectFailure(read("blocks = []"), StatusCode::InvalidInput,
                "r.toml:2:10: 'growth.blocks' expects at least one name, but got none");
  expectFailure(read("blocks = ['a', 1]"), StatusCode::InvalidInput,
                "r.toml:2:16: 'growth.blocks' expects a string, but got an integer");
  expectFailure(read("blocks = 'dyrep_row'"), StatusCode::InvalidInput,
                "r.toml:2:10: 'growth.blocks' expects a list of strings, but got a string");
  expectFailure(read("blocks = [\"a\\u0000b\"]"), StatusCode::InvalidInput, "a string with a zero byte");
  for (const char *other :
       {"ema.decay = 0.9", "branches.fold = 'online'", "gradient_scaling.source = 'mutual-information'"})
    expectFailure(readRecipe(folder.write("r.toml", fmt::format("growth.interval = 2\n{}\n", other))),
                  StatusCode::InvalidInput, "r.toml:1:19: 'growth.interval' expects 0 with '");
}

TEST(RecipeTest, GradientScalingIsChecked) {
  auto expectInvalidMatrix = [](const std::string &matrix, const std::string &message) {
    expectInvalid("[gradient_scaling]\nmatrix = " + matrix, "run.toml:2:" + message);
  };
  expectInvalidMatrix("1", "10: 'gradient_scaling.matrix' expects a list of rows, but got an integer");
  expectInvalidMatrix("[1, 2]", "11: 'gradient_scaling.matrix' expects rows of numbers, but got an integer");
  expectInvalidMatrix("[[1, 'x']]",
                      "15: 'gradient_scaling.matrix' expects rows of numbers, but got a string in the list");
  expectInvalidMatrix("[[1, 0, 1]]", "11: 'gradient_scaling.matrix' expects numbers above 0, but got 0");
  expectInvalidMatrix("[[1, inf, 1]]", "11: 'gradient_scaling.matrix' expects numbers above 0, but got inf");
  expectInvalidMatrix("[[1, 1]]",
                      "11: 'gradient_scaling.matrix' expects rows of an odd number of columns, at least 3, but got 2");
  expectInvalidMatrix("[[1, 1, 1], [1, 1, 1, 1, 1]]",
                      "22: 'gradient_scaling.matrix' expects rows of one length, but got 3 and 5");
  expectInvalidMatrix("[[1, 1, 1], [1, 1, 1]]",
                      "10: 'gradient_scaling.matrix' expects an odd number of rows, at least 3, but got 2");
  expectInvalid(
      "[gradient_scaling]\ntemprature = 2",
      "run.toml:2:1: unknown key 'gradient_scaling.temprature'; did you mean 'gradient_scaling.temperature'?");
  expectInvalid("[gradient_scaling]\nsource = 'sgs'", "run.toml:2:10: 'gradient_scaling.source' expects one of 'none', "
                                                      "'fixed', 'mutual-information', but got 'sgs'");
  expectInvalid("gradient_scaling.temperature = 0",
                "run.toml:1:32: 'gradient_scaling.temperature' expects a number above 0, but got 0");
  expectInvalid("gradient_scaling.source = 'fixed'",
                "run.toml:1:27: gradient scaling 'fixed' expects one of 'gradient_scaling.block' and "
                "'gradient_scaling.matrix', but got neither");
  expectInvalid("[gradient_scaling]\nsource = 'fixed'\nblock = 'acnet'\nmatrix = [[1,1,1],[1,1,1],[1,1,1]]",
                "run.toml:2:10: gradient scaling 'fixed' expects one of 'gradient_scaling.block' and "
                "'gradient_scaling.matrix', but got both");
  expectInvalid("[gradient_scaling]\nsource = 'mutual-information'\nblock = 'acnet'",
                "run.toml:3:9: gradient scaling 'mutual-information' expects no 'gradient_scaling.block'");
}

TEST(RecipeTest, AbsentKeysHaveTheDocumentedDefaults) {
  std::string text;
  std::vector<RecipeKey> keys = recipeKeys();
  for (const RecipeKey &key : keys)
    if (key.name != "milestones" && key.name.find('[') == std::string::npos &&
        std::count(key.name.begin(), key.name.end(), '.') < 2)
      text += key.name + " = " + key.defaultValue + "\n";
  Expected<Recipe> written = parseRecipe(text, "defaults.toml"), empty = parseRecipe("", "empty.toml");
  ASSERT_TRUE(written.ok()) << written.status().message();
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(written->learningRate, empty->learningRate);
  EXPECT_EQ(written->schedule, empty->schedule);
  EXPECT_EQ(written->betas, empty->betas);
  EXPECT_EQ(written->mean, empty->mean);
  EXPECT_TRUE(written->augment.empty() && written->evaluate.empty());
  auto momentum = std::find_if(keys.begin(), keys.end(), [](const RecipeKey &key) { return key.name == "momentum"; });
  ASSERT_NE(momentum, keys.end());
  EXPECT_EQ(momentum->range, "at least 0 and below 1");
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
  expectInvalid("schedule = []", "run.toml:1:12: 'schedule' expects one of 'constant', 'cosine', 'multi-step', 'step', "
                                 "'one-cycle', 'polynomial', but got a list");
  expectInvalid("milestones = 3", "run.toml:1:14: 'milestones' expects a list of integers, but got an integer");
  expectInvalid("milestones = [3, {}]",
                "run.toml:1:18: 'milestones' expects a list of integers, but got a table in it");
  expectInvalid("betas = 0.9", "run.toml:1:9: 'betas' expects two numbers, but got a number");
  expectInvalid("betas = [0.9, 'x']", "run.toml:1:15: 'betas' expects two numbers, but got a string in the list");
  expectInvalid("mean = 'none'", "run.toml:1:8: 'mean' expects 'auto' or a list of numbers, but got a string");
  expectInvalid("seed = 2026-01-01", "run.toml:1:8: 'seed' expects an integer, but got a date or time");
}

TEST(RecipeTest, RangesAreChecked) {
  expectInvalid("threads = 1025", "run.toml:1:11: 'threads' expects an integer from 0 to 1024, but got 1025");
  expectInvalid("epochs = 0", "run.toml:1:10: 'epochs' expects an integer from 1 to 2147483648, but got 0");
  expectInvalid("learning_rate = 0", "run.toml:1:17: 'learning_rate' expects a number above 0, but got 0");
  expectInvalid("learning_rate = nan", "run.toml:1:17: 'learning_rate' expects a number above 0, but got nan");
  expectInvalid("learning_rate = inf", "run.toml:1:17: 'learning_rate' expects a number above 0, but got inf");
  expectInvalid("momentum = 1.0", "run.toml:1:12: 'momentum' expects a number at least 0 and below 1, but got 1");
  expectInvalid("schedule = 'exponential'", "run.toml:1:12: 'schedule' expects one of 'constant', 'cosine', "
                                            "'multi-step', 'step', 'one-cycle', 'polynomial', but got 'exponential'");
  expectInvalid("milestones = [5, 5]",
                "run.toml:1:18: 'milestones' expects rising integers of at least 1, but got 5 in the list");
  expectInvalid("ema.decay = 1", "run.toml:1:13: 'ema.decay' expects a number at least 0 and below 1, but got 1");
  expectInvalid("label_smoothing = 2",
                "run.toml:1:19: 'label_smoothing' expects a number at least 0 and at most 1, but got 2");
  expectInvalid("[one_cycle]\nrise = 1",
                "run.toml:2:8: 'one_cycle.rise' expects a number at least 0 and below 1, but got 1");
  expectInvalid("[ema]\ndecya = 0.9", "run.toml:2:1: unknown key 'ema.decya'; did you mean 'ema.decay'?");
  expectInvalid("betas = [0.9]", "run.toml:1:9: 'betas' expects two numbers, but got 1");
  expectInvalid("betas = [0.9, 1]", "run.toml:1:9: 'betas' expects numbers of at least 0 and below 1, but got 1");
  expectInvalid("mean = [0, 0]", "run.toml:1:8: 'mean' expects 1 or 3 channels, but got 2");
  expectInvalid("std = [0]", "run.toml:1:7: 'std' expects numbers above 0, but got 0");
  expectInvalid("mean = [nan]", "run.toml:1:8: 'mean' expects finite numbers, but got nan");
}

TEST(RecipeTest, CombinationsAreChecked) {
  expectInvalid("nesterov = true\nmomentum = 0", "run.toml:1:12: 'nesterov' expects a momentum above 0");
  expectInvalid("schedule = 'multi-step'", "run.toml:1:12: schedule 'multi-step' expects 'milestones'");
  expectInvalid("epochs = 2\nwarmup_epochs = 3",
                "run.toml:2:17: 'warmup_epochs' expects at most 'epochs' (2), but got 3");
  expectInvalid(
      "schedule = 'one-cycle'\nwarmup_epochs = 3",
      "run.toml:2:17: 'warmup_epochs' expects 0 with the schedule 'one-cycle', which has a rise of its own, but "
      "got 3");
  expectInvalid("min_learning_rate = 0.2",
                "run.toml:1:21: 'min_learning_rate' expects at most 'learning_rate' (0.1), but got 0.2");
  expectInvalid("clip_norm = 1\nclip_value = 1",
                "run.toml:2:14: 'clip_norm' and 'clip_value' expect at most one of them above 0");
  expectInvalid("batch = 6\naccumulate = 4", "run.toml:2:14: 'accumulate' expects a divisor of 'batch' (6), but got 4");
  expectInvalid("mean = [0]", "run.toml:1:8: 'mean' and 'std' expect to be given both or computed both");
  expectInvalid("\nstd = [1]", "run.toml:2:7: 'mean' and 'std' expect to be given both or computed both");
  expectInvalid("[loading]\nchannels = 2", "run.toml:2:12: 'loading.channels' expects 0, 1 or 3, but got 2");
  expectInvalid("mean = [0]\nstd = [1, 1, 1]",
                "run.toml:1:8: 'mean' and 'std' expect the same number of channels, but got 1 and 3");
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

TEST(RecipeTest, KnowsWhereTheFileGivesItsKeys) {
  Expected<Recipe> recipe =
      parseRecipe("loss = 'l'\nepochs = 5\n[ema]\ndecay = 0.5\n[[groups]]\nmatch = 'x'\n", "r.toml");
  ASSERT_TRUE(recipe.ok()) << recipe.status().message();
  EXPECT_EQ(recipe->locate({"loss"}).prefix(), "r.toml:1:8: ");
  EXPECT_EQ(recipe->locate({"batch", "ema.decay", "loss"}).prefix(), "r.toml:4:9: ");
  EXPECT_EQ(recipe->groups[0].location.prefix(), "r.toml:6:9: ");
  EXPECT_EQ(recipe->locate({"batch"}).prefix(), "");

  // A flag says something else than the file; together they may be wrong where the file is.
  ASSERT_TRUE(overrideRecipe(*recipe, {"loss=other"}).ok());
  EXPECT_EQ(recipe->locate({"loss"}).prefix(), "");
  expectFailure(overrideRecipe(*recipe, {"warmup_epochs=6"}), StatusCode::Usage, "r.toml:2:10: 'warmup_epochs'");

  Expected<Recipe> nameless = parseRecipe("loss = 'l'\ngroups = [{match = 'x'}]", "");
  ASSERT_TRUE(nameless.ok()) << nameless.status().message();
  EXPECT_EQ(nameless->locate({"loss"}).prefix(), "");
  EXPECT_EQ(nameless->groups[0].location.prefix(), "");
}

TEST(RecipeTest, FlagsOverrideValues) {
  Recipe recipe;
  ASSERT_TRUE(overrideRecipe(recipe, {"epochs=3"}).ok());
  ASSERT_TRUE(overrideRecipe(recipe, {"schedule=cosine"}).ok());
  ASSERT_TRUE(overrideRecipe(recipe, {"optimiser=\"adam\""}).ok());
  ASSERT_TRUE(overrideRecipe(recipe, {"betas=[0.5, 0.5]"}).ok());
  ASSERT_TRUE(overrideRecipe(recipe, {"nesterov=true"}).ok());
  EXPECT_EQ(recipe.epochs, 3);
  EXPECT_EQ(recipe.schedule, Schedule::Cosine);
  EXPECT_EQ(recipe.optimiser, Optimiser::Adam);
  EXPECT_EQ(recipe.betas[0], 0.5);
  EXPECT_TRUE(recipe.nesterov);

  // Pairs of keys are checked together, in whatever order they come.
  ASSERT_TRUE(overrideRecipe(recipe, {"mean=[0.5]", "std=[0.25]"}).ok());
  EXPECT_EQ(recipe.deviation, std::vector<double>{0.25});
  expectFailure(overrideRecipe(recipe, {"std=auto"}), StatusCode::Usage, "both");
  expectFailure(overrideRecipe(recipe, {"epochs=5", "epochs"}), StatusCode::Usage, "a setting wants KEY=VALUE");

  expectFailure(overrideRecipe(recipe, {"epoch=3"}), StatusCode::Usage, "unknown key 'epoch'; did you mean 'epochs'?");
  expectFailure(overrideRecipe(recipe, {"epochs=many"}), StatusCode::Usage,
                "'epochs' expects an integer, but got a string");
  expectFailure(overrideRecipe(recipe, {"warmup_epochs=4"}), StatusCode::Usage, "'warmup_epochs' expects at most");
  expectFailure(overrideRecipe(recipe, {"betas=[1"}), StatusCode::Usage, "");
  EXPECT_EQ(recipe.epochs, 3);
  EXPECT_EQ(recipe.warmupEpochs, 0);
}

TEST(RecipeTest, FormattedRecipesReadBack) {
  Recipe recipe;
  recipe.optimiser = Optimiser::AdamW;
  recipe.schedule = Schedule::MultiStep;
  recipe.learningRate = 0.1 + 0.2; // no short decimal
  recipe.milestones = {3, 7};
  recipe.groups = {{"a\"b.*", 0.1, 0.5, false}, {"*", std::nullopt, 1, true}};
  recipe.mean = std::vector<double>{1.0 / 3};
  recipe.deviation = std::vector<double>{0.25};
  recipe.network = "a \"quoted\" \\ path\n.esp";
  recipe.skipMismatched = true;
  recipe.scalingMatrix = {{1.0 / 3, 1, 1}, {1, 1, 1}, {1, 1, 0.1 + 0.2}};
  recipe.growthBlocks = {"dyrep_row", "a \"quoted\" \\ path\n.esp"};
  std::string text = formatRecipe(recipe);
  Expected<Recipe> read = parseRecipe(text, "r.toml");
  ASSERT_TRUE(read) << read.status().message();
  EXPECT_EQ(recipeValues(*read), recipeValues(recipe));
  EXPECT_EQ(read->learningRate, recipe.learningRate);
  EXPECT_EQ(read->network, recipe.network);
  EXPECT_EQ(read->scalingMatrix, recipe.scalingMatrix);
  EXPECT_EQ(read->growthBlocks, recipe.growthBlocks);
  std::vector<RecipeKey> keys = recipeKeys();
  EXPECT_EQ(static_cast<int64_t>(recipeValues(recipe).size()),
            std::count_if(keys.begin(), keys.end(), [](const RecipeKey &key) {
              // The keys of an augmentation or a group are in its value.
              return std::count(key.name.begin(), key.name.end(), '.') < 2 && key.name.find('[') == std::string::npos;
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
  ASSERT_TRUE(overrideRecipe(*recipe, {"data=it's here"}).ok());
  EXPECT_EQ(recipe->data, "it's here");
  ASSERT_TRUE(overrideRecipe(*recipe, {"lr=0.5"}).ok());
  EXPECT_EQ(recipe->learningRate, 0.5);
}

nlohmann::json readGolden(const std::string &name) {
  std::ifstream file(std::string(ESPALIER_SOURCE_DIR) + "/test/Unit/Runtime/goldens/" + name);
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

TEST(ScheduleTest, LearningRatesAreThoseOfPyTorch) {
  nlohmann::json golden = readGolden("schedules.json");
  ASSERT_TRUE(golden.is_object());
  std::set<Schedule> tested;
  for (const nlohmann::json &item : golden["cases"]) {
    std::string text = fmt::format("epochs = {}\nlearning_rate = {}\n{}", golden["epochs"].get<int64_t>(),
                                   golden["learning_rate"].get<double>(), item["recipe"].get<std::string>());
    Expected<Recipe> recipe = parseRecipe(text, "golden.toml");
    ASSERT_TRUE(recipe) << recipe.status().message();
    tested.insert(recipe->schedule);
    std::vector<double> rates = item["rates"].get<std::vector<double>>();
    int64_t steps = golden["steps"].get<int64_t>();
    ASSERT_EQ(static_cast<int64_t>(rates.size()), recipe->epochs * steps);
    for (size_t step = 0; step < rates.size(); ++step)
      EXPECT_NEAR(recipe->learningRateAt(static_cast<int64_t>(step), steps), rates[step], 1e-12)
          << text << "\nstep " << step;
  }
  EXPECT_EQ(tested.size(), 6u);
}

TEST(ScheduleTest, ShortRunsHaveFiniteRates) {
  for (const char *schedule : {"constant", "cosine", "step", "one-cycle", "polynomial"})
    for (int64_t epochs : {1, 2, 3}) {
      Expected<Recipe> recipe =
          parseRecipe(fmt::format("schedule = '{}'\nepochs = {}", schedule, epochs), "short.toml");
      ASSERT_TRUE(recipe) << recipe.status().message();
      for (int64_t step = 0; step < epochs; ++step) {
        double rate = recipe->learningRateAt(step, 1);
        EXPECT_TRUE(rate >= 0 && rate <= recipe->learningRate) << schedule << " " << epochs << " " << step;
      }
    }
}

/// The recipes that are shipped, and figures of the set-ups that they reproduce.
TEST(ShippedRecipeTest, WeiCifar) {
  Expected<Recipe> recipe = readRecipe(ESPALIER_SOURCE_DIR "/examples/recipes/wei_cifar.toml");
  ASSERT_TRUE(recipe) << recipe.status().message();
  EXPECT_EQ(recipe->optimiser, Optimiser::SGD);
  EXPECT_EQ(recipe->momentum, 0.9);
  EXPECT_FALSE(recipe->nesterov);
  EXPECT_EQ(recipe->weightDecay, 5e-4);
  EXPECT_TRUE(recipe->decayNormsAndBiases);
  EXPECT_EQ(recipe->epochs, 200);
  EXPECT_EQ(recipe->batch, 128);
  EXPECT_EQ(recipe->augment.count("crop") + recipe->augment.count("flip"), 2u);
  EXPECT_EQ(recipe->augment["cutout"][0], 16);
  // 50 000 images give 390 steps an epoch.
  EXPECT_EQ(recipe->learningRateAt(0, 390), 0.1);
  EXPECT_NEAR(recipe->learningRateAt(100 * 390, 390), 0.0500005, 1e-12);
  EXPECT_NEAR(recipe->learningRateAt(200 * 390 - 1, 390), 1e-6, 1e-9);
}

TEST(ShippedRecipeTest, ImageNetResNet50) {
  Expected<Recipe> recipe = readRecipe(ESPALIER_SOURCE_DIR "/examples/recipes/imagenet_resnet50.toml");
  ASSERT_TRUE(recipe) << recipe.status().message();
  EXPECT_EQ(recipe->optimiser, Optimiser::SGD);
  EXPECT_EQ(recipe->epochs, 90);
  EXPECT_EQ(recipe->batch, 256);
  EXPECT_EQ(recipe->partSize(), 64);
  EXPECT_EQ(recipe->weightDecay, 1e-4);
  EXPECT_EQ(recipe->augment["random_resized_crop"][0], 224);
  EXPECT_EQ(recipe->evaluate["resize"][0], 256);
  EXPECT_EQ(recipe->evaluate["centre_crop"][0], 224);
  EXPECT_EQ(recipe->mean, (std::vector<double>{0.485, 0.456, 0.406}));
  // 1 281 167 images give 5004 steps an epoch.
  for (auto [epoch, rate] : {std::pair(0, 0.1), {29, 0.1}, {30, 0.01}, {59, 0.01}, {60, 0.001}, {89, 0.001}})
    for (int64_t step : {0, 5003})
      EXPECT_NEAR(recipe->learningRateAt(epoch * 5004 + step, 5004), rate, 1e-12) << epoch;
}

} // namespace
