//===- Check.cpp - espalier check -----------------------------------------===//

#include "../common/Compile.h"
#include "Network.h"
#include "Verbs.h"

#include <nlohmann/json.hpp>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Check final : public Verb {
public:
  const char *name() const override { return "check"; }
  const char *summary() const override { return "Report every error in architecture files"; }
  const char *example() const override { return "espalier check examples/zoo/resnet18.esp"; }
  void declare(CLI::App &flags) override {
    flags.add_option("FILE", files, "Architecture files (.esp) or MLIR")->required();
    flags.add_flag("--json", json, "One JSON document: for each file whether it is right, and its architectures");
    flags.add_option("-o,--output", output, "Write to a file")->type_name("FILE");
  }
  rt::Status run() override;

private:
  std::vector<std::string> files;
  std::string output;
  bool json = false;
};
} // namespace

rt::Status Check::run() {
  rt::Status first;
  nlohmann::json document = nlohmann::json::array();
  std::string lines;
  for (const std::string &file : files) {
    Network network;
    rt::Status status = network.load(file);
    nlohmann::json architectures = nlohmann::json::array();
    if (status.ok()) {
      for (cg::GraphOp graph : network.module().getOps<cg::GraphOp>())
        if (!graph->hasAttr("cg.fn"))
          architectures.push_back(graph.getSymName().str());
      lines += fmt::format("{}: ok\n", file);
    }
    document.push_back({{"file", file}, {"ok", status.ok()}, {"architectures", architectures}});
    if (status.ok())
      continue;
    report(status);
    if (first.ok())
      first = rt::Status(status.code(), "");
  }
  auto replace = nlohmann::json::error_handler_t::replace;
  if (rt::Status s = writeResult(output, json ? document.dump(2, ' ', false, replace) + "\n" : lines); !s.ok())
    return s;
  return first;
}

std::unique_ptr<Verb> espalier::tools::createCheckVerb() { return std::make_unique<Check>(); }
