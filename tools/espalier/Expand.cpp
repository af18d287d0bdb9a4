//===- Expand.cpp - espalier expand ---------------------------------------===//

#include "Branches.h"
#include "Options.h"
#include "Verbs.h"

#include "llvm/Support/raw_ostream.h"

using namespace espalier;
using namespace espalier::tools;

namespace {
class Expand final : public Verb {
public:
  const char *name() const override { return "expand"; }
  const char *summary() const override { return "Give a network branches to train with"; }
  const char *example() const override {
    return "espalier expand examples/zoo/resnet18.esp --block repvgg -o resnet18-branches.mlir";
  }
  void declare(CLI::App &flags) override {
    flags.add_option("NET", file, "Architecture file (.esp) or MLIR (.mlir, .mlirbc)")->required();
    flags
        .add_option("--block", options.block,
                    "Block that convolutions become: acnet, dbb, mobileone, orepa, repvgg, FILE.esp or "
                    "FILE.esp:BLOCK, see docs/branches.md")
        ->type_name("BLOCK")
        ->required();
    flags.add_option("--paths", paths, "Patterns for the paths of filters to expand (default: all)")
        ->delimiter(',')
        ->type_name("PATTERN");
    allowWords<cg::BranchInitialization>(
        flags.add_option("--initialize", options.initialize, "How parameters start")->default_str("paper"),
        {{"paper", cg::BranchInitialization::Paper}, {"preserve", cg::BranchInitialization::Preserve}});
    flags.add_option("--loss", loss,
                     "Loss to put beside it, so that it can be trained: an fn of the file or the prelude");
    flags.add_option("-o,--output", output, "Result (default: standard output)")->type_name("FILE");
  }
  rt::Status run() override;

private:
  std::string file, loss, output;
  std::vector<std::string> paths;
  cg::ExpandBranchesOptions options;
};
} // namespace

rt::Status Expand::run() {
  Network net;
  std::vector<std::string> losses;
  if (!loss.empty())
    losses = {loss, "accuracy"};
  if (rt::Status s = net.load(file, losses); !s.ok())
    return s;
  options.paths.assign(paths.begin(), paths.end());
  if (rt::Status s = expandBranches(net, options, console); !s.ok())
    return s;
  std::string text;
  llvm::raw_string_ostream os(text);
  net.module().print(os, mlir::OpPrintingFlags().enableDebugInfo());
  return writeResult(output, text + "\n");
}

std::unique_ptr<Verb> espalier::tools::createExpandVerb() { return std::make_unique<Expand>(); }
