//===- Verify.cpp - espalier verify ---------------------------------------===//

#include "Certificate.h"
#include "GraphWeights.h"
#include "Verbs.h"
#include "WeightsFile.h"

using namespace espalier;
using namespace espalier::tools;

namespace {
class Verify final : public Verb {
public:
  const char *name() const override { return "verify"; }
  const char *summary() const override { return "Check the certificate of a folded network against its files"; }
  const char *example() const override { return "espalier verify folded.mlir.json"; }
  bool computes() const override { return true; }
  void declare(CLI::App &flags) override {
    flags.add_option("CERTIFICATE", file, "What 'espalier fold --verify' wrote (JSON)")->required();
  }
  rt::Status run() override;

private:
  std::string file;
};
} // namespace

rt::Status Verify::run() {
  rt::Expected<Certificate> certificate = Certificate::read(file);
  if (!certificate)
    return certificate.takeStatus();
  struct Side {
    Network network;
    cg::GraphOp graph;
    rt::TensorMap weights;
  };
  auto load = [&](Side &side, const std::string &prefix) -> rt::Status {
    rt::Expected<std::string> path = certificate->findFile(prefix + "network", file);
    if (!path)
      return path.takeStatus();
    if (rt::Status s = side.network.load(*path); !s.ok())
      return s;
    rt::Expected<cg::GraphOp> graph = side.network.choose(certificate->architecture);
    if (!graph)
      return graph.takeStatus();
    side.graph = *graph;
    if (prefix.empty() && !certificate->files.count("weights")) {
      rt::Expected<rt::TensorMap> drawn = drawWeights(side.graph, certificate->seed, WeightDraw::Varied);
      if (!drawn)
        return drawn.takeStatus();
      side.weights = std::move(*drawn);
      return {};
    }
    path = certificate->findFile(prefix + "weights", file);
    if (!path)
      return path.takeStatus();
    rt::Expected<WeightsFile> weights = WeightsFile::read(*path);
    if (!weights)
      return weights.takeStatus();
    side.weights = std::move(weights->tensors);
    return {};
  };
  Side before, after;
  if (rt::Status s = load(before, ""); !s.ok())
    return s;
  if (rt::Status s = load(after, "folded_"); !s.ok())
    return s;
  rt::Expected<std::vector<OutputError>> errors = compareNetworks(
      {before.graph, before.weights}, {after.graph, after.weights}, certificate->sizes, certificate->seed);
  if (!errors)
    return errors.takeStatus();
  if (rt::Status s = checkErrors(*errors, certificate->tolerance); !s.ok())
    return std::move(s).in(file);
  if (rt::Status s = checkRecorded(*errors, certificate->outputs); !s.ok())
    return std::move(s).in(file);
  return writeResult("", describeErrors(*errors));
}

std::unique_ptr<Verb> espalier::tools::createVerifyVerb() { return std::make_unique<Verify>(); }
