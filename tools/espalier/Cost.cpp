//===- Cost.cpp - espalier cost -------------------------------------------===//

#include "../common/Compile.h"
#include "Network.h"
#include "Options.h"
#include "Pricing.h"
#include "Target.h"
#include "Verbs.h"

#include "llvm/ADT/StringExtras.h"

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
        {{"sgd", cg::OptimizerKind::SGD},
         {"adam", cg::OptimizerKind::Adam},
         {"adamw", cg::OptimizerKind::AdamW},
         {"rmsprop", cg::OptimizerKind::RMSprop}});
    declarePrecision(flags, precision);
    flags.add_flag("--json", json, "One JSON document, with a row for every op");
    flags.add_option("-o,--output", output, "Write to a file")->type_name("FILE");
  }
  rt::Status run() override;

private:
  void write(llvm::raw_ostream &os, const CostReport &report, const CostReport *step) const;

  NetworkFlags net;
  CostReport::Detail detail = CostReport::Detail::Block;
  unsigned depth = 2;
  bool symbolic = false;
  bool train = false;
  std::string loss = "cross_entropy";
  cg::OptimizerKind optimizer = cg::OptimizerKind::SGD;
  std::optional<Precision> precision;
  bool json = false;
  std::string output;
  SizeBindings sizes;
};

} // namespace

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
    document.attribute("arch", llvm::json::fixUTF8(report.graph));
    document.attributeObject("bindings", [&] {
      for (StringRef binding : sizes) {
        auto [symbol, number] = binding.split('=');
        int64_t value = 0;
        number.getAsInteger(10, value); // NetworkFlags::bindSizes has checked it
        document.attribute(symbol, value);
      }
    });
    report.writeJson(document, symbolic);
    if (step)
      document.attributeObject("train", [&] { step->writeJson(document, symbolic); });
  });
  os << "\n";
}

rt::Status Cost::run() {
  Network network;
  if (rt::Status s = network.load(net.file, train ? std::vector<std::string>{loss} : std::vector<std::string>());
      !s.ok())
    return s;
  rt::Expected<cg::GraphOp> graph = network.choose(net.arch);
  if (!graph)
    return graph.takeStatus();
  rt::Expected<SizeBindings> bound = net.bindSizes(*graph, /*mayStayOpen=*/symbolic);
  if (!bound)
    return bound.takeStatus();
  sizes = *std::move(bound);
  // Before the forward pass is priced, which changes the types of its graph.
  FailureOr<CostReport> step = failure();
  if (train) {
    TrainingOptions options;
    options.network = graph->getSymName().str();
    options.loss = options.network + "." + loss;
    options.optimizer.kind = optimizer;
    options.optimizer.momentum = 0.9;
    options.sizes = sizes;
    options.bindDefaults = !symbolic;
    options.precision = precision.value_or(Precision::F32);
    step = priceStep(network.module(), options);
    if (failed(step))
      return reported();
  }
  FailureOr<CostReport> forward = priceForward(*graph, sizes, precision.value_or(Precision::F32));
  if (failed(forward))
    return reported();
  std::string text;
  llvm::raw_string_ostream os(text);
  write(os, *forward, succeeded(step) ? &*step : nullptr);
  return writeResult(output, text);
}

std::unique_ptr<Verb> espalier::tools::createCostVerb() { return std::make_unique<Cost>(); }
