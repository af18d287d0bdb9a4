//===- Train.cpp - espalier train -----------------------------------------===//

#include "Network.h"
#include "Target.h"
#include "TrainingProgram.h"
#include "Verbs.h"
#include "WeightsFile.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Train/Progress.h"
#include "espalier/Runtime/Train/Trainer.h"

#include <nlohmann/json.hpp>

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
    flags.get_option("--batch")->description("Short for --set batch=BATCH");
    flags.add_option("--recipe", recipeFile, "Recipe (TOML), see docs/reference/recipes.md")->type_name("FILE");
    flags.add_option("--set", overrides, "Recipe keys that differ, e.g. --set epochs=3")->type_name("KEY=VALUE");
    flags.add_option("--data", dataFolder, "Folder of the data set: IDX, CIFAR binary, or an image folder")
        ->required()
        ->type_name("FOLDER");
    flags.add_option("--loss", loss, "Loss: an fn of the file or the prelude")->capture_default_str();
    flags.add_option("--weights", weights, "Weights to start from (safetensors)")->type_name("FILE");
    flags.add_option("--epochs", epochs, "Short for --set epochs=EPOCHS");
    flags.add_option("--threads", threads, "Short for --set threads=THREADS");
    target.declare(flags);
    flags.add_option("-o,--output", output, "Where the weights go (safetensors)")->type_name("FILE");
    flags.add_flag("--json", json, "One JSON object for each epoch on standard output");
  }
  rt::Status run() override;

private:
  rt::Expected<rt::Recipe> readRecipe() const;

  NetworkFlags network;
  TargetFlags target;
  std::string recipeFile, dataFolder, loss = "cross_entropy", weights, output;
  std::vector<std::string> overrides;
  std::optional<int64_t> epochs, threads;
  bool json = false;
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
  if (network.batch)
    all.push_back(fmt::format("batch={}", *network.batch));
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

rt::Status Train::run() {
  if (rt::Status s = target.check(/*onlyF32=*/true); !s.ok())
    return s;
  if (!output.empty())
    if (rt::Status s = checkWritable(output); !s.ok())
      return s;
  rt::Expected<rt::Recipe> recipe = readRecipe();
  if (!recipe)
    return recipe.takeStatus();
  rt::Expected<rt::Dataset> trainSet = rt::openDataset(dataFolder, rt::Split::Train);
  if (!trainSet)
    return trainSet.takeStatus();
  rt::Expected<rt::Dataset> testSet = rt::openDataset(dataFolder, rt::Split::Test);
  if (!testSet)
    return testSet.takeStatus();

  Network net;
  if (rt::Status s = net.load(network.file, {loss, "accuracy"}); !s.ok())
    return s;
  rt::Expected<cg::GraphOp> graph = net.choose(network.arch);
  if (!graph)
    return graph.takeStatus();

  rt::Normalisation normalisation = rt::measureNormalisation(*trainSet);
  if (recipe->mean)
    normalisation.mean = *recipe->mean;
  if (recipe->deviation)
    normalisation.deviation = *recipe->deviation;
  size_t channels = static_cast<size_t>(trainSet->shape().channels);
  if (normalisation.mean.size() != channels || normalisation.deviation.size() != channels)
    return rt::invalidInput("the recipe's mean and std have {} and {} numbers, but images have {} channels",
                            normalisation.mean.size(), normalisation.deviation.size(), channels);

  TrainingOptions options = trainingOptions(*recipe, graph->getSymName(), loss);
  console.note("compiling {} for batches of {}", graph->getSymName().str(), recipe->batch);
  int numThreads = static_cast<int>(recipe->threads);
  rt::InitializerTable initializers;
  auto compileFor = [&](int64_t batch, ProgramKind kind) -> rt::Expected<rt::Program> {
    NetworkFlags forBatch = network;
    forBatch.batch = batch;
    rt::Expected<SizeBindings> sizes = forBatch.bindSizes(*graph);
    if (!sizes)
      return sizes.takeStatus();
    options.sizes = *std::move(sizes);
    return compileTrainingProgram(net.module(), options, kind, target.cpu, numThreads,
                                  kind == ProgramKind::Step ? &initializers : nullptr);
  };
  rt::Expected<rt::Program> step = compileFor(recipe->batch, ProgramKind::Step);
  if (!step)
    return step.takeStatus();
  rt::Expected<rt::Program> evaluate = compileFor(recipe->batch, ProgramKind::Evaluation);
  if (!evaluate)
    return evaluate.takeStatus();
  rt::TrainingPrograms programs{std::move(*step), std::move(*evaluate), std::nullopt};
  if (int64_t rest = testSet->size() % recipe->batch) {
    rt::Expected<rt::Program> program = compileFor(rest, ProgramKind::Evaluation);
    if (!program)
      return program.takeStatus();
    programs.evaluateRest = std::move(*program);
  }

  rt::Expected<rt::Trainer> trainer =
      rt::Trainer::create(std::move(programs), *trainSet, *testSet, normalisation, *recipe);
  if (!trainer)
    return trainer.takeStatus();
  if (rt::Status s = trainer->initialize(initializers); !s.ok())
    return s;
  if (!weights.empty()) {
    rt::Expected<WeightsFile> start = WeightsFile::read(weights);
    if (!start)
      return start.takeStatus();
    if (rt::Status s = trainer->load(start->tensors); !s.ok())
      return std::move(s).in(weights);
  }

  int64_t samplesPerEpoch = trainer->stepsPerEpoch() * trainer->batch();
  rt::Progress progress(rt::ProgressOptions::forStderr(console.isQuiet()), samplesPerEpoch * recipe->epochs);
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
      return trained.takeStatus();
    rt::Expected<rt::Metrics> tested = trainer->evaluate();
    if (!tested)
      return tested.takeStatus();
    last = *tested;
    progress.finish(fmt::format("test loss {:.4f}, accuracy {:.2f} %", last["loss"], 100 * last["accuracy"]));
    if (json) {
      nlohmann::json line = {{"epoch", epoch + 1}, {"train", *trained}, {"test", *tested}};
      if (rt::Status s = writeResult("", line.dump() + "\n"); !s.ok())
        return s;
    }
  }
  std::string summary = fmt::format("test accuracy {:.2f} % on {} images\n", 100 * last["accuracy"], testSet->size());
  if (!output.empty()) {
    rt::Expected<rt::TensorMap> tensors = trainer->weights();
    if (!tensors)
      return tensors.takeStatus();
    WeightsFile file{std::move(*tensors), Preprocessing{trainSet->shape(), normalisation, trainSet->classNames()}};
    if (rt::Status s = file.write(output); !s.ok())
      return s;
    summary += fmt::format("weights in {}\n", output);
  }
  return json ? rt::Status() : writeResult("", summary);
}

std::unique_ptr<Verb> espalier::tools::createTrainVerb() { return std::make_unique<Train>(); }
