//===- Fold.cpp - espalier fold -------------------------------------------===//

#include "../common/Compile.h"
#include "Certificate.h"
#include "FoldedNetwork.h"
#include "GraphWeights.h"
#include "Pricing.h"
#include "Verbs.h"
#include "WeightsFile.h"

#include "espalier/Runtime/Core/File.h"

#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <filesystem>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Fold final : public Verb {
public:
  const char *name() const override { return "fold"; }
  const char *summary() const override { return "Fold branches of convolutions, with their weights"; }
  const char *example() const override {
    return "espalier fold examples/zoo/repvgg_a0.esp --random-weights --verify --bind H=64,W=64 -o folded.mlir "
           "--out-weights folded.safetensors";
  }
  bool computes() const override { return true; }
  void declare(CLI::App &flags) override {
    network.declare(flags);
    CLI::Option *file = flags.add_option("--weights", weights, "Weights (safetensors)")->type_name("FILE");
    flags
        .add_flag("--random-weights", randomWeights,
                  "Draw weights from their initialisers, those of norms as if trained")
        ->excludes(file);
    flags.add_option("--seed", seed, "Seed of random weights and inputs")->capture_default_str();
    flags.add_option("-o,--output", output, "Folded network (.mlir)")->type_name("FILE")->required();
    flags.add_option("--out-weights", outWeights, "Folded weights (safetensors)")->type_name("FILE")->required();
    flags.add_flag("--verify", verify, "Run both networks on random inputs, and write nothing if they differ");
    flags.add_option("--tolerance", tolerance, "Largest relative error of an output that --verify accepts")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 1.0));
    flags.add_option("--certificate", certificate, "Where --verify writes what it found (default: OUTPUT.json)")
        ->type_name("FILE");
  }
  rt::Status run() override;

private:
  rt::Expected<WeightsFile> readWeights(cg::GraphOp graph) const;
  rt::Status checkFlags() const;
  std::string certificatePath() const { return certificate.empty() ? output + ".json" : certificate; }

  NetworkFlags network;
  std::string weights, output, outWeights, certificate;
  bool randomWeights = false, verify = false;
  uint64_t seed = 0;
  double tolerance = 1e-5;
};
} // namespace

rt::Status Fold::checkFlags() const {
  if (weights.empty() && !randomWeights)
    return rt::usageError("give --weights FILE, or --random-weights");
  if (!certificate.empty() && !verify)
    return rt::usageError("--certificate is what --verify writes");
  if (output == "-" || outWeights == "-")
    return rt::usageError("results of 'fold' belong together: they go to files");
  std::vector<std::string> files{network.file, output, outWeights};
  if (!weights.empty())
    files.push_back(weights);
  if (verify)
    files.push_back(certificatePath());
  auto name = [](const std::string &path) {
    std::error_code ignored;
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, ignored), ignored);
  };
  for (size_t i = 0; i < files.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (name(files[i]) == name(files[j]))
        return rt::usageError("{} and {} are one file", files[j], files[i]);
  return {};
}

rt::Expected<WeightsFile> Fold::readWeights(cg::GraphOp graph) const {
  if (!weights.empty())
    return WeightsFile::read(weights);
  rt::Expected<rt::TensorMap> drawn = drawWeights(graph, seed, WeightDraw::Varied);
  if (!drawn)
    return drawn.takeStatus();
  WeightsFile file;
  file.tensors = std::move(*drawn);
  return file;
}

static std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream(text) << module << "\n";
  return text;
}

static rt::Expected<rt::AtomicFile> stage(const std::string &path, const std::string &content) {
  rt::Expected<rt::AtomicFile> file = rt::AtomicFile::create(path);
  if (file)
    if (rt::Status s = file->write(content); !s.ok())
      return s;
  return file;
}

rt::Status Fold::run() {
  if (rt::Status s = checkFlags(); !s.ok())
    return s;
  Network net;
  if (rt::Status s = net.load(network.file); !s.ok())
    return s;
  rt::Expected<cg::GraphOp> graph = net.choose(network.arch);
  if (!graph)
    return graph.takeStatus();
  rt::Expected<SizeBindings> sizes = network.bindSizes(*graph);
  if (!sizes)
    return sizes.takeStatus();
  rt::Expected<WeightsFile> before = readWeights(*graph);
  if (!before)
    return before.takeStatus();
  auto start = std::chrono::steady_clock::now();
  rt::Expected<FoldedNetwork> folded = foldNetwork(*graph, before->tensors);
  if (!folded)
    return weights.empty() ? folded.takeStatus() : folded.takeStatus().in(weights);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  cg::GraphOp foldedGraph = folded->module->lookupSymbol<cg::GraphOp>(graph->getSymName());
  console.detail("folded in {:.0f} ms", 1e3 * seconds);

  // Pricing binds the sizes, which stay open in what is written.
  std::string module = print(*folded->module);
  std::string text;
  mlir::FailureOr<CostReport> cost = priceForward(*graph, *sizes, Precision::F32);
  mlir::FailureOr<CostReport> foldedCost = priceForward(foldedGraph, *sizes, Precision::F32);
  if (failed(cost) || failed(foldedCost))
    return reported();
  const CostFigures &was = cost->getTotals(), &is = foldedCost->getTotals();
  text += fmt::format("MACs        {} -> {}\nparameters  {} -> {}\n", was.macs.str(), is.macs.str(), was.params.str(),
                      is.params.str());
  WeightsFile after;
  after.preprocessing = before->preprocessing;
  after.tensors = std::move(folded->weights);

  Certificate found;
  if (verify) {
    rt::Expected<std::vector<OutputError>> errors =
        compareNetworks({*graph, before->tensors}, {foldedGraph, after.tensors}, *sizes, seed);
    if (!errors)
      return errors.takeStatus();
    text += describeErrors(*errors);
    if (rt::Status s = checkErrors(*errors, tolerance); !s.ok())
      return std::move(s).in("nothing was written");
    found.architecture = graph->getSymName().str();
    found.sizes = *std::move(sizes);
    found.seed = seed;
    found.tolerance = tolerance;
    found.outputs = *std::move(errors);
    found.parameters = std::move(folded->sources);
  }
  // All results are written before the first one appears.
  rt::Expected<rt::AtomicFile> weightsFile = after.stage(outWeights);
  if (!weightsFile)
    return weightsFile.takeStatus();
  rt::Expected<rt::AtomicFile> networkFile = stage(output, module);
  if (!networkFile)
    return networkFile.takeStatus();
  std::vector<rt::AtomicFile *> results{&*weightsFile, &*networkFile};
  std::optional<rt::AtomicFile> certificateFile;
  if (verify) {
    auto record = [&](const char *role, const std::string &path, const std::string &content) {
      return found.addFile(role, path, content, certificatePath());
    };
    if (rt::Status s = record("network", network.file, network.file); !s.ok())
      return s;
    if (!weights.empty())
      if (rt::Status s = record("weights", weights, weights); !s.ok())
        return s;
    if (rt::Status s = record("folded_network", output, networkFile->stagedPath()); !s.ok())
      return s;
    if (rt::Status s = record("folded_weights", outWeights, weightsFile->stagedPath()); !s.ok())
      return s;
    rt::Expected<rt::AtomicFile> file = stage(certificatePath(), found.toJson());
    if (!file)
      return file.takeStatus();
    certificateFile.emplace(std::move(*file));
    results.push_back(&*certificateFile);
  }
  for (rt::AtomicFile *result : results)
    if (rt::Status s = result->commit(); !s.ok())
      return s;
  return writeResult("", text);
}

std::unique_ptr<Verb> espalier::tools::createFoldVerb() { return std::make_unique<Fold>(); }
