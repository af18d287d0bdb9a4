//===- Train.cpp - espalier train -----------------------------------------===//

#include "Environment.h"
#include "Interrupt.h"
#include "Network.h"
#include "Options.h"
#include "RunCost.h"
#include "Target.h"
#include "TrainingIdentity.h"
#include "TrainingProgram.h"
#include "Verbs.h"
#include "WeightsFile.h"

#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/CPU/Parallel.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/TrainingRun.h"

#include <fmt/ranges.h>

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
  void declare(CLI::App &flags) override;
  rt::Status run() override;

private:
  rt::Status openInputs();
  rt::Expected<rt::Recipe> readRecipe(const rt::Checkpoint *resumed) const;
  rt::Status chooseNormalisation();
  rt::Expected<SizeBindings> bindSizes(cg::GraphOp graph, int64_t batch) const;
  rt::Expected<rt::TrainingPrograms> compile(cg::GraphOp graph);
  rt::RunIdentity identify(cg::GraphOp graph);
  rt::Status initialise(rt::Trainer &trainer);
  rt::Status resume(rt::Trainer &trainer, const rt::RunIdentity &identity);
  rt::Status openFolder(llvm::StringRef arch);
  rt::Status describeRun(const rt::RunIdentity &identity);
  rt::Status runAndReport(rt::Trainer &trainer, rt::RunIdentity identity, const Interrupt &interrupt);

  // What the command line says.
  NetworkFlags network;
  TargetFlags target;
  std::string recipeFile, dataFolder, loss = "cross_entropy", weights, output, runPath;
  std::vector<std::string> overrides;
  std::optional<int64_t> epochs, threads;
  bool json = false, resumes = false, skipMismatched = false;
  rt::OnWriteError onWriteError = rt::OnWriteError::Stop;

  // What it became.
  rt::Recipe recipe;
  std::optional<rt::Dataset> trainSet, testSet;
  rt::Normalisation normalisation;
  Network net;
  TrainingArtifact artifact;
  RunCost cost;
  std::optional<rt::RunFolder> folder;
  std::optional<rt::FoundCheckpoint> found;
  rt::RunPosition position;
};
} // namespace

void Train::declare(CLI::App &flags) {
  network.declare(flags);
  flags.get_option("NET")->required(false);
  flags.get_option("--batch")->description("Short for --set batch=BATCH");
  flags.add_option("--recipe", recipeFile, "Recipe (TOML), see docs/reference/recipes.md")->type_name("FILE");
  flags.add_option("--set", overrides, "Recipe keys that differ, e.g. --set epochs=3")->type_name("KEY=VALUE");
  flags.add_option("--data", dataFolder, "Folder of the data set: IDX, CIFAR binary, or an image folder")
      ->type_name("FOLDER");
  flags.add_option("--loss", loss, "Loss: an fn of the file or the prelude")->capture_default_str();
  flags.add_option("--weights", weights, "Weights to start from (safetensors); short for --set init_from=FILE")
      ->type_name("FILE");
  flags.add_flag("--skip-mismatched", skipMismatched,
                 "Start from weights that do not all fit; short for --set skip_mismatched=true");
  flags.add_option("--epochs", epochs, "Short for --set epochs=EPOCHS");
  flags.add_option("--threads", threads, "Short for --set threads=THREADS");
  target.declare(flags);
  flags.add_option("--run", runPath, "Folder of the run (default: runs/ARCH-RECIPE, with a number if that exists)")
      ->type_name("FOLDER");
  flags.add_flag("--resume", resumes, "Go on from the newest checkpoint in the folder of the run")->needs("--run");
  allowWords<rt::OnWriteError>(
      flags.add_option("--on-write-error", onWriteError, "When a file of the run cannot be written")
          ->default_str("stop"),
      {{"stop", rt::OnWriteError::Stop}, {"continue", rt::OnWriteError::Continue}});
  flags.add_option("-o,--output", output, "Where the weights go (safetensors)")->type_name("FILE");
  flags.add_flag("--json", json, "One JSON object for each epoch on standard output");
}

rt::Expected<rt::Recipe> Train::readRecipe(const rt::Checkpoint *resumed) const {
  rt::Expected<rt::Recipe> result = rt::Recipe();
  if (!recipeFile.empty()) {
    result = rt::readRecipe(recipeFile);
  } else if (resumed) {
    result = rt::recipeOf(resumed->identity);
  }
  if (!result)
    return result;
  std::vector<std::string> all = overrides;
  if (network.batch)
    all.push_back(fmt::format("batch={}", *network.batch));
  if (epochs)
    all.push_back(fmt::format("epochs={}", *epochs));
  if (threads)
    all.push_back(fmt::format("threads={}", *threads));
  if (!weights.empty())
    all.push_back("init_from=" + weights);
  if (skipMismatched)
    all.push_back("skip_mismatched=true");
  if (!dataFolder.empty())
    all.push_back("data=" + dataFolder);
  if (!network.file.empty())
    all.push_back("network=" + network.file);
  for (const std::string &entry : all) {
    size_t equals = entry.find('=');
    if (equals == std::string::npos)
      return rt::usageError("--set wants KEY=VALUE, but got '{}'", entry);
    if (rt::Status s = rt::overrideRecipe(*result, entry.substr(0, equals), entry.substr(equals + 1)); !s.ok())
      return s;
  }
  return result;
}

/// A file that cannot be written later must be known before hours of training, not after.
static rt::Status checkWritable(const std::string &path) {
  rt::Expected<rt::AtomicFile> file = rt::AtomicFile::create(path);
  return file ? rt::Status() : file.takeStatus();
}

/// Everything that can be wrong without compiling.
rt::Status Train::openInputs() {
  if (rt::Status s = target.check(/*onlyF32=*/true); !s.ok())
    return s;
  if (!output.empty())
    if (rt::Status s = checkWritable(output); !s.ok())
      return s;
  if (resumes) {
    rt::Expected<rt::RunFolder> opened = rt::RunFolder::open(runPath, rt::RunFolder::Mode::Resume);
    if (!opened)
      return opened.takeStatus();
    folder.emplace(std::move(*opened));
    rt::Expected<std::optional<rt::FoundCheckpoint>> newest = folder->findNewest([&](const rt::Status &damage) {
      fmt::print(stderr, "warning: {}; it is set aside as *.damaged\n", damage.message());
    });
    if (!newest)
      return newest.takeStatus();
    found = std::move(*newest);
  } else if (!runPath.empty() && rt::RunFolder::isRun(runPath)) {
    return rt::RunFolder::open(runPath, rt::RunFolder::Mode::New).takeStatus();
  }
  rt::Expected<rt::Recipe> read = readRecipe(found ? &found->checkpoint : nullptr);
  if (!read)
    return read.takeStatus();
  recipe = std::move(*read);
  if (recipe.network.empty())
    return rt::usageError("no network: name an architecture file, or give the recipe the key 'network'");
  if (recipe.data.empty())
    return rt::usageError("no data set: name a folder with --data, or give the recipe the key 'data'");

  for (auto [set, split] : {std::pair(&trainSet, rt::Split::Train), std::pair(&testSet, rt::Split::Test)}) {
    rt::Expected<rt::Dataset> opened = rt::openDataset(recipe.data, split);
    if (!opened)
      return opened.takeStatus();
    set->emplace(std::move(*opened));
  }
  return chooseNormalisation();
}

rt::Status Train::chooseNormalisation() {
  normalisation = rt::measureNormalisation(*trainSet);
  if (recipe.mean)
    normalisation.mean = *recipe.mean;
  if (recipe.deviation)
    normalisation.deviation = *recipe.deviation;
  size_t channels = static_cast<size_t>(trainSet->shape().channels);
  if (normalisation.mean.size() != channels || normalisation.deviation.size() != channels)
    return rt::invalidInput("the recipe's mean and std have {} and {} numbers, but images have {} channels",
                            normalisation.mean.size(), normalisation.deviation.size(), channels);
  return {};
}

rt::Expected<SizeBindings> Train::bindSizes(cg::GraphOp graph, int64_t batch) const {
  NetworkFlags forBatch = network;
  forBatch.batch = batch;
  return forBatch.bindSizes(graph);
}

rt::Expected<rt::TrainingPrograms> Train::compile(cg::GraphOp graph) {
  TrainingOptions options = trainingOptions(recipe, graph.getSymName(), loss);
  console.note("compiling {} for batches of {}", graph.getSymName().str(), recipe.batch);
  auto compileFor = [&](int64_t batch, ProgramKind kind) -> rt::Expected<rt::Program> {
    rt::Expected<SizeBindings> sizes = bindSizes(graph, batch);
    if (!sizes)
      return sizes.takeStatus();
    options.sizes = *std::move(sizes);
    return compileTrainingProgram(net.module(), options, kind, target, static_cast<int>(recipe.threads),
                                  kind == ProgramKind::Step ? &artifact : nullptr);
  };
  rt::Expected<rt::Program> step = compileFor(recipe.batch, ProgramKind::Step);
  if (!step)
    return step.takeStatus();
  rt::Expected<rt::Program> evaluate = compileFor(recipe.batch, ProgramKind::Evaluation);
  if (!evaluate)
    return evaluate.takeStatus();
  rt::TrainingPrograms programs{std::move(*step), std::move(*evaluate), std::nullopt};
  if (int64_t rest = testSet->size() % recipe.batch) {
    rt::Expected<rt::Program> program = compileFor(rest, ProgramKind::Evaluation);
    if (!program)
      return program.takeStatus();
    programs.evaluateRest = std::move(*program);
  }
  return programs;
}

rt::RunIdentity Train::identify(cg::GraphOp graph) {
  rt::RunIdentity identity;
  identity.network = graph.getSymName().str();
  identity.loss = loss;
  auto lossGraph = net.module().lookupSymbol<cg::GraphOp>(identity.network + "." + loss);
  identity.networkDigest = digestOf(graph, lossGraph);
  identity.recipe = rt::recipeValues(recipe);
  const rt::ImageShape &shape = trainSet->shape();
  identity.data = fmt::format("{} + {} images of {}x{}x{}, {} classes", trainSet->size(), testSet->size(),
                              shape.channels, shape.height, shape.width, trainSet->classNames().size());
  identity.dataDigest = digestOf(*trainSet) + digestOf(*testSet);
  identity.processor = artifact.processor;
  identity.artifactDigest = artifact.digest;
  identity.threads = recipe.threads ? recipe.threads : rt::availableProcessors();
  return identity;
}

/// The initial values of a new run.
rt::Status Train::initialise(rt::Trainer &trainer) {
  if (rt::Status s = trainer.initialize(artifact.initializers); !s.ok())
    return s;
  if (recipe.initFrom.empty())
    return {};
  rt::Expected<WeightsFile> start = WeightsFile::read(recipe.initFrom);
  if (!start)
    return start.takeStatus();
  rt::WeightsFit fit = trainer.compare(start->tensors);
  if (!fit.isExact() && !recipe.skipMismatched)
    return rt::invalidInput("{} does not fit the network: {}; --skip-mismatched starts from what fits", recipe.initFrom,
                            fmt::join(fit.describe(), "; "));
  console.note("{} tensors from {}", fit.matching, recipe.initFrom);
  for (const std::string &line : fit.describe())
    console.note("  {}", line);
  if (fit.matching == 0)
    return rt::invalidInput("{} has no tensor that fits the network", recipe.initFrom);
  return trainer.load(start->tensors);
}

/// The values that the checkpoint has, or those of a new run where there is none yet.
rt::Status Train::resume(rt::Trainer &trainer, const rt::RunIdentity &identity) {
  if (!found) {
    console.note("{} has no checkpoint yet: the run begins again", runPath);
    return initialise(trainer);
  }
  const rt::Checkpoint &checkpoint = found->checkpoint;
  std::vector<std::string> conflicts = rt::findConflicts(checkpoint.identity, identity);
  for (std::string &line : trainer.compare(checkpoint.tensors).describe())
    conflicts.push_back("tensors: " + std::move(line));
  if (!conflicts.empty())
    return rt::invalidInput("{} belongs to another run: {}", found->path, fmt::join(conflicts, "; "));
  if (rt::Status s = trainer.load(checkpoint.tensors); !s.ok())
    return s;
  for (const std::string &line : rt::findDeviations(checkpoint.identity, identity))
    console.note("note: {}; the bits will differ from those of a run without a stop", line);
  position = checkpoint.position;
  console.note("resuming after step {} (epoch {}) from {}", position.step, position.history.size() + 1, found->path);
  return {};
}

/// "digits" of "examples/digits.toml".
static std::string stem(llvm::StringRef path) {
  llvm::StringRef name = path.substr(path.rfind('/') + 1);
  return name.substr(0, name.rfind('.')).str();
}

rt::Status Train::openFolder(llvm::StringRef arch) {
  std::string path = runPath;
  if (path.empty()) {
    std::string base = "runs/" + arch.str(), recipeName = stem(recipeFile);
    if (!recipeName.empty() && recipeName != arch)
      base += "-" + recipeName;
    path = rt::RunFolder::firstFree(base);
  }
  rt::Expected<rt::RunFolder> opened = rt::RunFolder::open(path, rt::RunFolder::Mode::New);
  if (!opened)
    return opened.takeStatus();
  folder.emplace(std::move(*opened));
  return {};
}

/// The files that say what the run is.
rt::Status Train::describeRun(const rt::RunIdentity &identity) {
  if (rt::Status s = rt::writeFileAtomically(folder->file("recipe.toml"), rt::formatRecipe(recipe)); !s.ok())
    return s;
  if (rt::Status s = rt::writeFileAtomically(folder->file("environment.json"), describeEnvironment(identity.threads));
      !s.ok())
    return s;
  if (rt::Status s = rt::writeFileAtomically(folder->file("cost.json"), cost.json + "\n"); !s.ok())
    return s;
  if (rt::Status s = rt::writeFileAtomically(folder->file("cost.txt"), cost.table); !s.ok())
    return s;
  return rt::writeFileAtomically(folder->file("run.json"), rt::toJson(identity));
}

rt::Status Train::runAndReport(rt::Trainer &trainer, rt::RunIdentity identity, const Interrupt &interrupt) {
  if (rt::Status s = describeRun(identity); !s.ok())
    return s;
  rt::Expected<rt::RunRecorder> recorder = rt::RunRecorder::create(*folder, position.history);
  if (!recorder)
    return recorder.takeStatus();
  recorder->log(fmt::format("{} {}, {}: {} epochs of {} steps", position.step ? "resuming" : "training",
                            identity.network, identity.data, recipe.epochs, trainer.stepsPerEpoch()));
  Preprocessing preprocessing{trainSet->shape(), normalisation, trainSet->classNames()};
  rt::TrainingRunOptions options;
  options.identity = std::move(identity);
  options.metadata = preprocessing.toMetadata();
  options.onWriteError = onWriteError;
  options.progress = rt::ProgressOptions::forStderr(console.isQuiet());
  options.shouldStop = [&] { return interrupt.isRequested(); };
  options.note = [&](std::string_view text) { console.note("{}", text); };
  if (json)
    options.onEpoch = [](const rt::EpochRecord &record) {
      std::string line = rt::toJson(record) + "\n";
      std::fwrite(line.data(), 1, line.size(), stdout);
      std::fflush(stdout);
    };
  rt::Expected<rt::TrainingRunResult> result = rt::runTraining(trainer, recipe, *folder, *recorder, position, options);
  if (!result)
    return result.takeStatus();
  if (result->wasInterrupted)
    return {rt::StatusCode::Interrupted, fmt::format("interrupted; go on with --run {} --resume", folder->path())};

  if (!output.empty()) {
    rt::Expected<rt::TensorMap> tensors = trainer.weights();
    if (!tensors)
      return tensors.takeStatus();
    WeightsFile file{std::move(*tensors), preprocessing};
    if (rt::Status s = file.write(output); !s.ok())
      return s;
  }
  if (!json) {
    const rt::Metrics &last = position.history.back().test;
    const rt::EpochRecord &best = *rt::findBest(position.history);
    auto percent = [](const rt::Metrics &metrics) {
      auto found = metrics.find("accuracy");
      return found == metrics.end() ? 0.0 : 100 * found->second;
    };
    std::string text = fmt::format("test accuracy {:.2f} % on {} images, best {:.2f} % after epoch {}\nrun in {}\n",
                                   percent(last), testSet->size(), percent(best.test), best.epoch, folder->path());
    if (!output.empty())
      text += fmt::format("weights in {}\n", output);
    if (rt::Status s = writeResult("", text); !s.ok())
      return s;
  } else if (std::ferror(stdout)) {
    return rt::environmentError("cannot write to standard output");
  }
  return std::move(result->writeFailure);
}

rt::Status Train::run() {
  // A file that grows beyond a limit and a reader that went away are failures to write, not signals.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  if (rt::Status s = openInputs(); !s.ok())
    return s;
  if (rt::Status s = net.load(recipe.network, {loss, "accuracy"}); !s.ok())
    return s;
  rt::Expected<cg::GraphOp> graph = net.choose(network.arch);
  if (!graph)
    return graph.takeStatus();
  rt::Expected<SizeBindings> sizes = bindSizes(*graph, 1);
  if (!sizes)
    return sizes.takeStatus();
  rt::Expected<RunCost> priced = priceRun(*graph, *sizes);
  if (!priced)
    return priced.takeStatus();
  cost = std::move(*priced);
  rt::Expected<rt::TrainingPrograms> programs = compile(*graph);
  if (!programs)
    return programs.takeStatus();
  rt::Expected<rt::Trainer> trainer =
      rt::Trainer::create(std::move(*programs), *trainSet, *testSet, normalisation, recipe);
  if (!trainer)
    return trainer.takeStatus().in(dataFolder);
  rt::RunIdentity identity = identify(*graph);
  Interrupt interrupt;
  if (rt::Status s = resumes ? resume(*trainer, identity) : initialise(*trainer); !s.ok())
    return s;
  if (!resumes)
    if (rt::Status s = openFolder(graph->getSymName()); !s.ok())
      return s;
  return runAndReport(*trainer, std::move(identity), interrupt);
}

std::unique_ptr<Verb> espalier::tools::createTrainVerb() { return std::make_unique<Train>(); }
