//===- Cost.cpp - espalier cost -------------------------------------------===//

#include "Network.h"
#include "Options.h"
#include "Verbs.h"

#include "espalier/Analysis/CostAnalysis.h"
#include "espalier/Pipelines/Step.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileUtilities.h"

#include <fmt/core.h>

using namespace mlir;
using namespace espalier;
using namespace espalier::tools;

namespace {

class Cost final : public Verb {
public:
  const char *name() const override { return "cost"; }
  const char *summary() const override { return "Price a network: MACs, FLOPs, parameters, traffic, memory"; }
  const char *example() const override { return "espalier cost examples/zoo/resnet18.esp --by block --depth 2"; }
  void declare(CLI::App &flags) override {
    net.declare(flags);
    allowWords<CostReport::Detail>(
        flags.add_option("--by", detail, "Rows of the table")->default_str("block"),
        {{"op", CostReport::Detail::Op}, {"block", CostReport::Detail::Block}, {"graph", CostReport::Detail::Graph}});
    flags.add_option("--depth", depth, "Levels of blocks in the table")->type_name("LEVELS")->check(atLeastOne());
    flags.add_flag("--symbolic", symbolic, "Figures as expressions in the sizes without a number");
    flags.add_flag("--train", train, "Price a step of training too: loss, gradients and optimiser");
    flags.add_option("--loss", loss, "Loss of the step: an fn of the file or the prelude")->capture_default_str();
    allowWords<cg::OptimizerKind>(
        flags.add_option("--optimizer", optimizer, "Optimiser of the step; sgd has momentum")->default_str("sgd"),
        {{"sgd", cg::OptimizerKind::SGD}, {"adam", cg::OptimizerKind::Adam}, {"adamw", cg::OptimizerKind::AdamW}});
    flags.add_flag("--json", json, "One JSON document, with a row for every op");
    flags.add_option("-o,--output", output, "Write to a file")->type_name("FILE");
  }
  int run() override;

private:
  /// Completes the bindings: a batch that nothing binds is 1. False when a size is unknown or has no number.
  bool bindSizes(cg::GraphOp graph);
  /// Prices one step that trains `graph`, in its module, which has the graph of the loss.
  FailureOr<CostReport> priceStep(cg::GraphOp graph);
  void write(llvm::raw_ostream &os, const CostReport &report, const CostReport *step) const;

  NetworkFlags net;
  CostReport::Detail detail = CostReport::Detail::Block;
  unsigned depth = 2;
  bool symbolic = false;
  bool train = false;
  std::string loss = "cross_entropy";
  cg::OptimizerKind optimizer = cg::OptimizerKind::SGD;
  bool json = false;
  std::string output = "-";
  SmallVector<std::string> sizes; // NAME=NUMBER
};

bool Cost::bindSizes(cg::GraphOp graph) {
  llvm::SetVector<StringRef> symbols;
  bool anonymous = false;
  for (BlockArgument argument : graph.getArguments()) {
    auto dims = graph.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), cg::GraphOp::getDimsAttrName());
    if (!dims)
      anonymous |= !cast<RankedTensorType>(argument.getType()).hasStaticShape();
    else
      for (StringAttr dim : dims.getAsRange<StringAttr>())
        if (!llvm::isDigit(dim.getValue().front()))
          symbols.insert(dim.getValue());
  }
  std::string known = symbols.empty() ? "none" : llvm::join(symbols, ", ");
  for (const std::string &binding : net.sizes()) {
    auto [symbol, number] = StringRef(binding).split('=');
    if (int64_t value; number.getAsInteger(10, value) || value < 1) {
      fmt::print(stderr, "error: expected a size as NAME=NUMBER with a number of at least 1, but got '{}'\n", binding);
      return false;
    }
    if (!symbols.remove(symbol)) {
      fmt::print(stderr, "error: '{}' has no size '{}'; its sizes are: {}\n", graph.getSymName().str(), symbol.str(),
                 known);
      return false;
    }
    sizes.push_back(binding);
  }
  if (symbolic)
    return true;
  if (symbols.remove("N"))
    sizes.push_back("N=1");
  if (anonymous || !symbols.empty()) {
    fmt::print(stderr, "error: size '{0}' of '{1}' has no number; give it one with --bind, or use --symbolic\n",
               symbols.empty() ? "?" : symbols.front().str(), graph.getSymName().str());
    return false;
  }
  return true;
}

FailureOr<CostReport> Cost::priceStep(cg::GraphOp graph) {
  TrainingOptions options;
  options.network = graph.getSymName().str();
  options.loss = options.network + "." + loss;
  options.optimizer.kind = optimizer;
  options.optimizer.momentum = 0.9;
  options.sizes.assign(sizes.begin(), sizes.end());
  OwningOpRef<ModuleOp> module(cast<ModuleOp>(graph->getParentOp()->clone()));
  PassManager manager(graph.getContext());
  buildTrainingGraphPipeline(manager, options);
  if (failed(manager.run(*module)))
    return failure();
  return computeCost(cast<FunctionOpInterface>(*module->lookupSymbol<cg::GraphOp>("step")));
}

void Cost::write(llvm::raw_ostream &os, const CostReport &report, const CostReport *step) const {
  if (!json) {
    os << report.graph << (sizes.empty() ? "" : " with " + llvm::join(sizes, ", ")) << "\n\n";
    report.printTable(os, detail, depth);
    if (step) {
      os << "\nOne step of training\n\n";
      step->printTable(os, detail, depth);
    }
    os << "\nMACs are the multiply-accumulates of convolutions and matrix products. FLOPs are twice these, and one "
          "for\n"
          "each arithmetic operation on an element of every other op.\n";
    return;
  }
  llvm::json::OStream document(os, /*IndentSize=*/2);
  document.object([&] {
    document.attribute("arch", report.graph);
    document.attributeObject("bindings", [&] {
      for (StringRef binding : sizes) {
        auto [symbol, number] = binding.split('=');
        int64_t value = 0;
        number.getAsInteger(10, value); // checked in bindSizes
        document.attribute(symbol, value);
      }
    });
    report.writeJson(document, symbolic);
    if (step)
      document.attributeObject("train", [&] { step->writeJson(document, symbolic); });
  });
  os << "\n";
}

int Cost::run() {
  Network network;
  if (failed(network.load(net.file, train ? std::vector<std::string>{loss} : std::vector<std::string>())))
    return InputFault;
  FailureOr<cg::GraphOp> graph = network.choose(net.arch);
  if (failed(graph))
    return InputFault;
  if (!bindSizes(*graph))
    return UsageFault;
  if (!sizes.empty()) {
    cg::BindSizesOptions options;
    options.sizes.assign(sizes.begin(), sizes.end());
    PassManager manager(&network.context());
    manager.addPass(cg::createBindSizes(options));
    if (failed(manager.run(network.module())))
      return InputFault;
  }
  FailureOr<CostReport> report = computeCost(cast<FunctionOpInterface>(graph->getOperation()));
  if (failed(report))
    return InputFault;
  FailureOr<CostReport> step = failure();
  if (train) {
    step = priceStep(*graph);
    if (failed(step))
      return InputFault;
  }
  // A file is written under another name first and takes its name when it is whole.
  llvm::Error error = llvm::writeToOutput(output, [&](llvm::raw_ostream &os) -> llvm::Error {
    write(os, *report, succeeded(step) ? &*step : nullptr);
    os.flush();
    if (output == "-" && llvm::outs().has_error()) {
      std::error_code code = llvm::outs().error();
      llvm::outs().clear_error(); // else the stream ends the process
      return llvm::errorCodeToError(code);
    }
    return llvm::Error::success();
  });
  if (error) {
    fmt::print(stderr, "error: cannot write '{}': {}\n", output, llvm::toString(std::move(error)));
    return EnvironmentFault;
  }
  return Done;
}

} // namespace

std::unique_ptr<Verb> espalier::tools::createCostVerb() { return std::make_unique<Cost>(); }
