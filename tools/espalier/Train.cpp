//===- Train.cpp - espalier train -----------------------------------------===//

#include "BranchGrowth.h"
#include "Branches.h"
#include "Environment.h"
#include "GraphWeights.h"
#include "Interrupt.h"
#include "Network.h"
#include "Options.h"
#include "RecipeFlags.h"
#include "RunCost.h"
#include "Target.h"
#include "TrainingCompiler.h"
#include "TrainingIdentity.h"
#include "Verbs.h"
#include "WeightsFile.h"

#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/CPU/Parallel.h"
#include "espalier/Runtime/Core/Finite.h"
#include "espalier/Runtime/Core/Text.h"
#include "espalier/Runtime/Train/TrainingRun.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <fmt/ranges.h>

#include <filesystem>

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
  bool computes() const override { return true; }
  void declare(CLI::App &flags) override;
  rt::Status run() override;

private:
  rt::Status openInputs();
  /// What the run in the folder computes with: by its newest checkpoint or, before there is one, by run.json.
  rt::Expected<std::optional<rt::RunIdentity>> readStoredIdentity() const;
  rt::Expected<rt::Recipe> readRecipe(const std::optional<rt::RunIdentity> &stored) const;
  /// Opens a part of the data set, by default that of `split`, and says how many samples were left out.
  rt::Expected<rt::Dataset> openPart(const std::string &part, rt::Split split) const;
  rt::Expected<rt::Prefetcher> load(const rt::Dataset &dataset, rt::View::Use use) const;
  rt::Status checkClasses(cg::GraphOp graph) const;
  rt::Status loadNetwork();
  /// The network as it was when the checkpoint was written.
  rt::Status restoreNetwork(cg::GraphOp graph);
  rt::Expected<rt::RunIdentity> identify(cg::GraphOp graph);
  rt::Status loadComputed(rt::Trainer &trainer);
  rt::Status initialise(rt::Trainer &trainer);
  rt::Status resume(rt::Trainer &trainer, const rt::RunIdentity &identity);
  rt::Status openFolder(llvm::StringRef arch);
  rt::Status describeRun(const rt::RunIdentity &identity);
  rt::Status runAndReport(rt::Trainer &trainer, rt::RunIdentity identity, const Interrupt &interrupt);

  // What the command line says.
  NetworkFlags network;
  TargetFlags target;
  RecipeFlags recipeFlags;
  std::string dataFolder, trainPart, testPart, loss, branches, weights, output, runPath;
  std::optional<int64_t> epochs, threads;
  bool json = false, resumes = false, skipMismatched = false, deterministic = false;
  rt::OnWriteError onWriteError = rt::OnWriteError::Stop;

  // What it became.
  rt::Recipe recipe;
  std::optional<rt::Dataset> trainSet, testSet;
  rt::Normalisation normalisation;
  Network net;
  TrainingCompiler compiler{recipe, loss, network, target, console};
  std::string networkDigest; ///< before anything grew
  std::optional<BranchGrowth> growth;
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
  recipeFlags.declare(flags);
  flags.add_option("--data", dataFolder, "Folder of the data set, see docs/data.md")->type_name("FOLDER");
  flags.add_option("--train-part", trainPart, "Part of the data set to train on (default: train)")->type_name("PART");
  flags.add_option("--test-part", testPart, "Part to test on (default: test, else val)")->type_name("PART");
  flags.add_option("--loss", loss,
                   "Loss: an fn of the file or the prelude (default: cross_entropy, or soft_cross_entropy with mixup "
                   "and cutmix); short for --set loss=LOSS");
  flags
      .add_option("--branches", branches,
                  "Block of branches to train convolutions as, see docs/branches.md; short for --set "
                  "branches.block=BLOCK")
      ->type_name("BLOCK");
  flags.add_option("--weights", weights, "Weights to start from (safetensors); short for --set init_from=FILE")
      ->type_name("FILE");
  flags.add_flag("--skip-mismatched", skipMismatched,
                 "Start from weights that do not all fit; short for --set skip_mismatched=true");
  flags.add_option("--epochs", epochs, "Short for --set epochs=EPOCHS");
  flags.add_option("--threads", threads, "Short for --set threads=THREADS");
  flags.add_flag("--deterministic", deterministic, "Short for --set deterministic=true");
  target.declare(flags);
  flags.get_option("--precision")->description("Short for --set precision=PRECISION")->type_name("f32|bf16");
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

rt::Expected<std::optional<rt::RunIdentity>> Train::readStoredIdentity() const {
  if (found)
    return std::optional(found->checkpoint.identity);
  if (!folder)
    return std::optional<rt::RunIdentity>();
  std::string path = folder->file("run.json");
  if (!llvm::sys::fs::exists(path)) // the run was stopped before it could say
    return std::optional<rt::RunIdentity>();
  constexpr uint64_t maxBytes = 1 << 20;
  rt::Expected<std::vector<uint8_t>> bytes = rt::readFile(path, maxBytes);
  if (!bytes)
    return bytes.takeStatus();
  rt::Expected<rt::RunIdentity> identity =
      rt::parseIdentity(std::string_view(reinterpret_cast<const char *>(bytes->data()), bytes->size()));
  if (!identity)
    return identity.takeStatus().in(path);
  return std::optional(*std::move(identity));
}

rt::Expected<rt::Recipe> Train::readRecipe(const std::optional<rt::RunIdentity> &stored) const {
  RecipeFlags all = recipeFlags;
  std::vector<std::string> &settings = all.overrides;
  if (network.batch)
    settings.push_back(fmt::format("batch={}", *network.batch));
  if (epochs)
    settings.push_back(fmt::format("epochs={}", *epochs));
  if (threads)
    settings.push_back(fmt::format("threads={}", *threads));
  if (target.givenPrecision)
    settings.push_back(target.precision() == Precision::BF16 ? "precision=bf16" : "precision=f32");
  if (deterministic)
    settings.push_back("deterministic=true");
  if (!loss.empty())
    settings.push_back("loss=" + loss);
  if (!branches.empty())
    settings.push_back("branches.block=" + branches);
  if (!weights.empty())
    settings.push_back("init_from=" + weights);
  if (skipMismatched)
    settings.push_back("skip_mismatched=true");
  if (!dataFolder.empty())
    settings.push_back("data=" + dataFolder);
  if (!network.file.empty())
    settings.push_back("network=" + network.file);
  if (!all.file.empty() || !stored)
    return all.read();
  rt::Expected<rt::Recipe> before = rt::recipeOf(*stored);
  return before ? all.applyTo(*std::move(before)) : std::move(before);
}

rt::Expected<rt::Dataset> Train::openPart(const std::string &part, rt::Split split) const {
  rt::DatasetOptions options = recipe.datasetOptions();
  rt::Expected<rt::Dataset> dataset =
      part.empty() ? rt::openDataset(recipe.data, split, options) : rt::openDataset(recipe.data, part, options);
  if (dataset)
    warnOfSkipped(console, *dataset);
  return dataset;
}

/// Says of a file or folder that a recipe file names where it does so, if there is none.
static rt::Status checkExists(const rt::Recipe &recipe, std::string_view key, const std::string &path) {
  rt::RecipeLocation location = recipe.locate({key});
  if (location.file.empty() || path.empty() || llvm::sys::fs::exists(path))
    return {};
  return rt::invalidInput("{}'{}' names {}, which does not exist", location.prefix(), key, rt::quote(path));
}

/// A file that cannot be written later must be known before hours of training, not after.
static rt::Status checkWritable(const std::string &path) {
  rt::Expected<rt::AtomicFile> file = rt::AtomicFile::create(path);
  return file ? rt::Status() : file.takeStatus();
}

/// Everything that can be wrong without compiling.
rt::Status Train::openInputs() {
  if (rt::Status s = target.check(); !s.ok())
    return s;
  if (target.precision() == Precision::F64)
    return rt::unsupported("training in f64 is not supported; the nearest that is: --precision f32");
  if (!output.empty())
    if (rt::Status s = checkWritable(output); !s.ok())
      return s;
  if (resumes) {
    rt::Expected<rt::RunFolder> opened = rt::RunFolder::open(runPath, rt::RunFolder::Mode::Resume);
    if (!opened)
      return opened.takeStatus();
    folder.emplace(std::move(*opened));
    rt::Expected<std::optional<rt::FoundCheckpoint>> newest = folder->findNewest([&](const rt::Status &damage) {
      writeMessage(fmt::format("warning: {}; it is set aside as *.damaged\n", damage.message()));
    });
    if (!newest)
      return newest.takeStatus();
    found = std::move(*newest);
  } else if (!runPath.empty() && rt::RunFolder::isRun(runPath)) {
    return rt::RunFolder::open(runPath, rt::RunFolder::Mode::New).takeStatus();
  }
  rt::Expected<std::optional<rt::RunIdentity>> stored = readStoredIdentity();
  if (!stored)
    return stored.takeStatus();
  rt::Expected<rt::Recipe> read = readRecipe(*stored);
  if (!read)
    return read.takeStatus();
  recipe = std::move(*read);
  // The file may have several architectures; the run had one.
  if (*stored && network.arch.empty() && network.file.empty())
    network.arch = (*stored)->network;
  if (recipe.network.empty())
    return rt::usageError("no network: name an architecture file, or give the recipe the key 'network'");
  if (recipe.data.empty())
    return rt::usageError("no data set: name a folder with --data, or give the recipe the key 'data'");
  for (auto [key, path] : {std::pair("network", &recipe.network), std::pair("data", &recipe.data)})
    if (rt::Status s = checkExists(recipe, key, *path); !s.ok())
      return s;
  if (!found)
    if (rt::Status s = checkExists(recipe, "init_from", recipe.initFrom); !s.ok())
      return s;

  loss = recipe.loss;
  if (loss.empty())
    loss = rt::mixesSamples(recipe.augment) ? "soft_cross_entropy" : "cross_entropy";
  for (auto [set, part, split] :
       {std::tuple(&trainSet, &trainPart, rt::Split::Train), std::tuple(&testSet, &testPart, rt::Split::Test)}) {
    rt::Expected<rt::Dataset> opened = openPart(*part, split);
    if (!opened)
      return opened.takeStatus();
    set->emplace(std::move(*opened));
  }
  if (trainSet->size() < recipe.batch)
    return rt::invalidInput("{}: the training set has {} samples, fewer than one batch of {}", recipe.data,
                            trainSet->size(), recipe.batch);
  rt::Expected<rt::Normalisation> chosen = chooseNormalisation(recipe, *trainSet);
  if (!chosen)
    return chosen.takeStatus();
  normalisation = std::move(*chosen);
  return {};
}

/// Batches of a data set as the recipe wants them.
rt::Expected<rt::Prefetcher> Train::load(const rt::Dataset &dataset, rt::View::Use use) const {
  bool isTraining = use == rt::View::Use::Training;
  rt::Expected<rt::View> view =
      rt::View::create(dataset, normalisation, isTraining ? recipe.augment : recipe.evaluate, use);
  if (!view)
    return view.takeStatus();
  // What cannot be seen must be known before the first step.
  if (rt::Status s = view->checkSizes(dataset); !s.ok())
    return s;
  rt::Expected<rt::BatchLoader> loader =
      isTraining ? rt::BatchLoader::forTraining(dataset, std::move(*view), recipe.partSize(), uint64_t(recipe.seed))
                 : rt::BatchLoader::forEvaluation(dataset, std::move(*view), recipe.partSize());
  if (!loader)
    return loader.takeStatus();
  return rt::Prefetcher::create(std::move(*loader), static_cast<int>(recipe.dataWorkers));
}

/// A label that the network has no output for is right or wrong nowhere in the loss.
rt::Status Train::checkClasses(cg::GraphOp graph) const {
  auto logits = llvm::cast<mlir::RankedTensorType>(graph.getResultTypes().front());
  if (logits.getRank() != 2 || logits.isDynamicDim(1))
    return {};
  for (const rt::Dataset *set : {&*trainSet, &*testSet})
    if (static_cast<int64_t>(set->classNames().size()) > logits.getDimSize(1))
      return rt::invalidInput("{} has {} classes, but '{}' has {} outputs", recipe.data, set->classNames().size(),
                              graph.getSymName().str(), logits.getDimSize(1));
  return {};
}

rt::Status Train::loadNetwork() {
  ArchitectureOptions options;
  options.losses = {loss, "accuracy"};
  rt::RecipeLocation location = recipe.locate({"loss"});
  std::tie(options.lossFile, options.lossLine, options.lossColumn) =
      std::tie(location.file, location.line, location.column);
  if (recipe.labelSmoothing > 0) {
    if (!llvm::StringRef(recipe.network).ends_with(".esp"))
      return rt::unsupported(
          "{}: 'label_smoothing' expects an architecture file (.esp), whose loss it is a parameter of", recipe.network);
    options.lossNumbers.emplace_back("smoothing", recipe.labelSmoothing);
  }
  if (rt::Status s = net.load(recipe.network, options); !s.ok())
    return s;
  if (!recipe.branchBlock.empty()) {
    cg::ExpandBranchesOptions expansion;
    expansion.block = recipe.branchBlock;
    expansion.initialize = recipe.branchStart == rt::BranchStart::Preserve ? cg::BranchInitialization::Preserve
                                                                           : cg::BranchInitialization::Paper;
    if (rt::Status s = expandBranches(net, std::move(expansion), console); !s.ok())
      return s;
  }
  if (recipe.branchFolding == rt::BranchFolding::None)
    return {};
  bool movesNorms = recipe.branchFolding == rt::BranchFolding::NormsAfter;
  return foldBranchesOnline(net, movesNorms ? cg::BranchNorms::After : cg::BranchNorms::Keep, console);
}

/// A recipe that means the same in any folder.
static rt::Recipe withAbsolutePaths(rt::Recipe recipe) {
  auto makeAbsolute = [](std::string &path) {
    std::error_code error;
    if (auto absolute = std::filesystem::absolute(path, error); !path.empty() && !error)
      path = absolute.lexically_normal().string();
  };
  for (std::string *path : {&recipe.network, &recipe.data, &recipe.initFrom})
    makeAbsolute(*path);
  auto isFile = [](const std::string &block) { return block.find(".esp") != std::string::npos; };
  if (isFile(recipe.branchBlock))
    makeAbsolute(recipe.branchBlock);
  for (std::string &block : recipe.growthBlocks)
    if (isFile(block))
      makeAbsolute(block);
  return recipe;
}

rt::Status Train::restoreNetwork(cg::GraphOp graph) {
  if (recipe.growthInterval == 0)
    return {};
  growth.emplace(graph, withAbsolutePaths(recipe), compiler);
  if (rt::Status s = growth->checkBlocks(); !s.ok())
    return s;
  return found ? growth->replay(found->checkpoint.position.edits).in(found->path) : rt::Status();
}

rt::Expected<rt::RunIdentity> Train::identify(cg::GraphOp graph) {
  rt::RunIdentity identity;
  identity.network = graph.getSymName().str();
  identity.loss = loss;
  identity.networkDigest = networkDigest;
  identity.recipe = rt::recipeValues(withAbsolutePaths(recipe));
  identity.data = fmt::format("{} + {} {} of {}, {} classes", trainSet->size(), testSet->size(),
                              trainSet->kind() == rt::SampleKind::Image ? "images" : "samples",
                              rt::formatShape(trainSet->shape()), trainSet->classNames().size());
  for (const rt::Dataset *set : {&*trainSet, &*testSet}) {
    rt::Expected<std::string> digest = digestOf(*set);
    if (!digest)
      return digest.takeStatus();
    identity.dataDigest += *digest;
  }
  identity.processor = artifact.processor;
  identity.artifactDigest = artifact.digest;
  identity.threads = recipe.threads ? recipe.threads : rt::availableProcessors();
  return identity;
}

/// What a graph of weights beside the network says that parameters start as.
rt::Status Train::loadComputed(rt::Trainer &trainer) {
  rt::Expected<cg::GraphOp> graph = net.choose(network.arch);
  if (!graph)
    return graph.takeStatus();
  rt::Expected<rt::TensorMap> computed = computeInitialWeights(*graph, static_cast<uint64_t>(recipe.seed));
  if (!computed)
    return computed.takeStatus().in(recipe.network);
  std::vector<std::string> misfits = trainer.compare(*computed).misshapen;
  if (!misfits.empty())
    return rt::invalidInput("{}: computed initial weights do not fit: {}", recipe.network, misfits.front());
  return trainer.load(*computed);
}

/// The initial values of a new run.
rt::Status Train::initialise(rt::Trainer &trainer) {
  if (rt::Status s = trainer.initialize(artifact.initializers); !s.ok())
    return s;
  if (rt::Status s = loadComputed(trainer); !s.ok())
    return s;
  if (recipe.initFrom.empty())
    return {};
  rt::Expected<WeightsFile> start = WeightsFile::read(recipe.initFrom);
  if (!start)
    return start.takeStatus();
  for (const auto &[name, tensor] : start->tensors)
    if (!rt::allFinite(tensor.dtype(), tensor.bytes()))
      return rt::invalidInput("{}: tensor {} has values that are not finite", recipe.initFrom, rt::quote(name));
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
    std::string base = "runs/" + arch.str(), recipeName = stem(recipeFlags.file);
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
  if (rt::Status s = rt::writeFileAtomically(folder->file("recipe.toml"), rt::formatRecipe(withAbsolutePaths(recipe)));
      !s.ok())
    return s;
  if (rt::Status s = rt::writeFileAtomically(folder->file("environment.json"), describeEnvironment(identity.threads));
      !s.ok())
    return s;
  if (rt::Status s = rt::writeFileAtomically(folder->file("cost.json"), cost.json + "\n"); !s.ok())
    return s;
  if (rt::Status s = rt::writeFileAtomically(folder->file("cost.txt"), cost.table); !s.ok())
    return s;
  // Where the recipe changes the network, the weights of the run are for this one.
  if (growth) {
    growth->folder = &*folder;
    if (rt::Status s = growth->save(position.editedStep); !s.ok())
      return s;
  } else if (!recipe.branchBlock.empty() || recipe.branchFolding != rt::BranchFolding::None) {
    std::string network;
    llvm::raw_string_ostream(network) << net.module() << "\n";
    if (rt::Status s = rt::writeFileAtomically(folder->file("network.mlir"), network); !s.ok())
      return s;
  }
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
  if (growth) {
    growth->note = [&](const std::string &text) {
      recorder->log(text);
      console.note("{}", text);
    };
  }
  Preprocessing preprocessing{compiler.testShape, recipe.evaluate, normalisation, trainSet->classNames()};
  rt::TrainingRunOptions options;
  options.identity = std::move(identity);
  options.metadata = preprocessing.toMetadata();
  options.onWriteError = onWriteError;
  options.provider = growth ? &*growth : nullptr;
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
  double dataWait = 100 * trainer.secondsWaited() / std::max(trainer.secondsTrained(), 1e-9);
  recorder->log(fmt::format("data wait {:.1f} % of the training time", dataWait));
  std::string estimated;
  if (trainer.numEstimated() > 0) {
    estimated = fmt::format("scales of gradients estimated {} times, {:.1f} ms each, {:.2f} % of the training time\n",
                            trainer.numEstimated(),
                            1e3 * trainer.secondsEstimated() / static_cast<double>(trainer.numEstimated()),
                            100 * trainer.secondsEstimated() / std::max(trainer.secondsTrained(), 1e-9));
    recorder->log(llvm::StringRef(estimated).rtrim().str());
  }
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
    std::string text = fmt::format(
        "test accuracy {:.2f} % on {} samples, best {:.2f} % after epoch {}\ndata wait {:.1f} %\n"
        "{}run in {}\n",
        percent(last), testSet->size(), percent(best.test), best.epoch, dataWait, estimated, folder->path());
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
  rt::Expected<rt::Prefetcher> trainLoader = load(*trainSet, rt::View::Use::Training);
  if (!trainLoader)
    return trainLoader.takeStatus().in(recipe.data);
  rt::Expected<rt::Prefetcher> testLoader = load(*testSet, rt::View::Use::Evaluation);
  if (!testLoader)
    return testLoader.takeStatus().in(recipe.data);
  compiler.trainShape = trainLoader->loader().view().shape();
  compiler.testShape = testLoader->loader().view().shape();
  compiler.testSize = testSet->size();
  if (rt::Status s = loadNetwork(); !s.ok())
    return s;
  rt::Expected<cg::GraphOp> graph = net.choose(network.arch);
  if (!graph)
    return graph.takeStatus();
  if (rt::Status s = checkClasses(*graph); !s.ok())
    return s;
  if (rt::Status s = checkGroups(recipe, *graph); !s.ok())
    return s;
  rt::Expected<SizeBindings> sizes = compiler.bindSizes(*graph, 1, compiler.testShape);
  if (!sizes)
    return sizes.takeStatus();
  rt::Expected<RunCost> priced = priceRun(*graph, *sizes, precisionOf(recipe));
  if (!priced)
    return priced.takeStatus();
  cost = std::move(*priced);
  std::string lossName = (graph->getSymName() + "." + loss).str();
  auto lossGraph = net.module().lookupSymbol<cg::GraphOp>(lossName);
  if (!lossGraph)
    return rt::invalidInput("{}: '{}' has no loss beside it, a graph '{}'; for an architecture file, espalier expand "
                            "--loss {} writes one",
                            recipe.network, graph->getSymName().str(), lossName, loss);
  networkDigest = digestOf(*graph, lossGraph);
  if (rt::Status s = restoreNetwork(*graph); !s.ok())
    return s;
  rt::Expected<CompiledTraining> compiled = compiler.compile(*graph);
  if (!compiled)
    return compiled.takeStatus();
  artifact = std::move(compiled->artifact);
  rt::Expected<rt::Trainer> trainer =
      rt::Trainer::create(std::move(compiled->programs), std::move(*trainLoader), std::move(*testLoader), recipe);
  if (!trainer)
    return trainer.takeStatus().in(recipe.data);
  rt::Expected<rt::RunIdentity> identity = identify(*graph);
  if (!identity)
    return identity.takeStatus();
  Interrupt interrupt;
  if (rt::Status s = resumes ? resume(*trainer, *identity) : initialise(*trainer); !s.ok())
    return s;
  if (!resumes)
    if (rt::Status s = openFolder(graph->getSymName()); !s.ok())
      return s;
  return runAndReport(*trainer, std::move(*identity), interrupt);
}

std::unique_ptr<Verb> espalier::tools::createTrainVerb() { return std::make_unique<Train>(); }
