//===- Train.cpp - espalier train -----------------------------------------===//

#include "../common/Compile.h"
#include "Network.h"
#include "TrainingProgram.h"
#include "Verbs.h"
#include "WeightsFile.h"

#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Train/Progress.h"
#include "espalier/Runtime/Train/Trainer.h"

#include <nlohmann/json.hpp>

#include <cmath>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Train final : public Verb {
public:
  const char *name() const override { return "train"; }
  const char *summary() const override { return "Train a network on labelled images"; }
  const char *example() const override {
    return "espalier train examples/quickstart/digits.esp --recipe examples/quickstart/digits.toml "
           "--data examples/quickstart/digits -o digits.safetensors";
  }
  void declare(CLI::App &flags) override {
    network.declare(flags);
    flags.add_option("--recipe", recipeFile, "Recipe (TOML), see docs/reference/recipes.md")->type_name("FILE");
    flags.add_option("--set", overrides, "Recipe keys that differ, e.g. --set epochs=3")->type_name("KEY=VALUE");
    flags.add_option("--data", dataFolder, "Folder of the data set: IDX, CIFAR binary, or an image folder")
        ->required()
        ->type_name("FOLDER");
    flags.add_option("--loss", loss, "Loss: an fn of the file or the prelude")->capture_default_str();
    flags.add_option("--weights", weights, "Weights to start from (safetensors)")->type_name("FILE");
    flags.add_option("--epochs", epochs, "Short for --set epochs=EPOCHS");
    flags.add_option("--threads", threads, "Short for --set threads=THREADS");
    flags.add_option("--cpu", cpu, "Processor to make code for")->capture_default_str();
    flags.add_option("-o,--output", output, "Where the weights go (safetensors)")->type_name("FILE");
    flags.add_flag("--json", json, "One JSON object for each epoch on standard output");
    flags.add_flag("--quiet", quiet, "No progress");
  }
  int run() override;

private:
  rt::Expected<rt::Recipe> readRecipe() const;

  NetworkFlags network;
  std::string recipeFile, dataFolder, loss = "cross_entropy", weights, output, cpu = "host";
  std::vector<std::string> overrides;
  std::optional<int64_t> epochs, threads;
  bool json = false, quiet = false;
};
} // namespace

rt::Expected<rt::Recipe> Train::readRecipe() const {
  rt::Recipe recipe;
  if (!recipeFile.empty()) {
    rt::Expected<rt::Recipe> read = rt::readRecipe(recipeFile);
    if (!read)
      return read.takeStatus();
    recipe = std::move(*read);
  }
  std::vector<std::string> all = overrides;
  if (epochs)
    all.push_back(fmt::format("epochs={}", *epochs));
  if (threads)
    all.push_back(fmt::format("threads={}", *threads));
  for (const std::string &entry : all) {
    size_t equals = entry.find('=');
    if (equals == std::string::npos)
      return rt::usageError("--set wants KEY=VALUE, but got '{}'", entry);
    if (rt::Status s = rt::overrideRecipe(recipe, entry.substr(0, equals), entry.substr(equals + 1)); !s.ok())
      return s;
  }
  return recipe;
}

/// A file that cannot be written later must be known before hours of training, not after.
static rt::Status checkWritable(const std::string &path) {
  rt::Expected<rt::AtomicFile> file = rt::AtomicFile::create(path);
  return file ? rt::Status() : file.takeStatus();
}

int Train::run() {
  if (!output.empty())
    if (rt::Status s = checkWritable(output); !s.ok())
      return report(s);
  rt::Expected<rt::Recipe> recipe = readRecipe();
  if (!recipe)
    return report(recipe.status());
  rt::Expected<rt::Dataset> trainSet = rt::openDataset(dataFolder, rt::Split::Train);
  if (!trainSet)
    return report(trainSet.status());
  rt::Expected<rt::Dataset> testSet = rt::openDataset(dataFolder, rt::Split::Test);
  if (!testSet)
    return report(testSet.status());

  Network net;
  if (failed(net.load(network.file, {loss, "accuracy"})))
    return InputFault;
  mlir::FailureOr<cg::GraphOp> graph = net.choose(network.arch);
  if (failed(graph))
    return InputFault;

  rt::Normalisation normalisation = rt::measureNormalisation(*trainSet);
  if (recipe->mean)
    normalisation.mean = *recipe->mean;
  if (recipe->deviation)
    normalisation.deviation = *recipe->deviation;
  size_t channels = static_cast<size_t>(trainSet->shape().channels);
  if (normalisation.mean.size() != channels || normalisation.deviation.size() != channels)
    return report(rt::invalidInput("the recipe's mean and std have {} and {} numbers, but images have {} channels",
                                   normalisation.mean.size(), normalisation.deviation.size(), channels));

  TrainingOptions options = trainingOptions(*recipe, graph->getSymName(), loss);
  options.sizes = network.bindings;
  if (!quiet)
    fmt::print(stderr, "compiling {} for batches of {}\n", graph->getSymName().str(), recipe->batch);
  int numThreads = static_cast<int>(recipe->threads);
  rt::InitializerTable initializers;
  rt::Expected<rt::Program> step =
      compileTrainingProgram(net.module(), options, recipe->batch, ProgramKind::Step, cpu, numThreads, &initializers);
  if (!step)
    return report(step.status());
  rt::Expected<rt::Program> evaluate =
      compileTrainingProgram(net.module(), options, recipe->batch, ProgramKind::Evaluation, cpu, numThreads);
  if (!evaluate)
    return report(evaluate.status());
  rt::TrainingPrograms programs{std::move(*step), std::move(*evaluate), std::nullopt};
  if (int64_t rest = testSet->size() % recipe->batch) {
    rt::Expected<rt::Program> program =
        compileTrainingProgram(net.module(), options, rest, ProgramKind::Evaluation, cpu, numThreads);
    if (!program)
      return report(program.status());
    programs.evaluateRest = std::move(*program);
  }

  rt::Expected<rt::Trainer> trainer =
      rt::Trainer::create(std::move(programs), *trainSet, *testSet, normalisation, *recipe);
  if (!trainer)
    return report(trainer.status());
  if (rt::Status s = trainer->initialize(initializers); !s.ok())
    return report(s);
  if (!weights.empty()) {
    rt::Expected<WeightsFile> start = WeightsFile::read(weights);
    if (!start)
      return report(start.status());
    if (rt::Status s = trainer->load(start->tensors); !s.ok())
      return report(std::move(s).in(weights));
  }

  int64_t samplesPerEpoch = trainer->stepsPerEpoch() * trainer->batch();
  rt::Progress progress(rt::ProgressOptions::forStderr(quiet), samplesPerEpoch * recipe->epochs);
  rt::Metrics last;
  for (int64_t epoch = 0; epoch < recipe->epochs; ++epoch) {
    progress.start(fmt::format("epoch {}/{}", epoch + 1, recipe->epochs), samplesPerEpoch);
    int64_t done = 0;
    rt::Metrics sums;
    rt::Expected<rt::Metrics> trained = trainer->trainEpoch(epoch, [&](int64_t, const rt::Metrics &metrics) {
      ++done;
      for (const auto &[key, value] : metrics)
        sums[key] += value;
      double steps = static_cast<double>(done);
      progress.update(done * trainer->batch(), sums["loss"] / steps, sums["accuracy"] / steps);
    });
    if (!trained)
      return report(trained.status());
    rt::Expected<rt::Metrics> tested = trainer->evaluate();
    if (!tested)
      return report(tested.status());
    last = *tested;
    progress.finish(fmt::format("test loss {:.4f}, accuracy {:.2f} %", last["loss"], 100 * last["accuracy"]));
    if (json) {
      nlohmann::json line = {{"epoch", epoch + 1}, {"train", *trained}, {"test", *tested}};
      fmt::print("{}\n", line.dump());
      std::fflush(stdout);
    }
  }
  if (!json)
    fmt::print("test accuracy {:.2f} % on {} images\n", 100 * last["accuracy"], testSet->size());
  if (output.empty())
    return Done;
  rt::Expected<rt::TensorMap> tensors = trainer->weights();
  if (!tensors)
    return report(tensors.status());
  WeightsFile file{std::move(*tensors), Preprocessing{trainSet->shape(), normalisation, trainSet->classNames()}};
  if (rt::Status s = file.write(output); !s.ok())
    return report(s);
  if (!json)
    fmt::print("weights in {}\n", output);
  return Done;
}

std::unique_ptr<Verb> espalier::tools::createTrainVerb() { return std::make_unique<Train>(); }
