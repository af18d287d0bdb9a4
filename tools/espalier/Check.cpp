//===- Check.cpp - espalier check -----------------------------------------===//

#include "Network.h"
#include "Verbs.h"

#include <fmt/core.h>

using namespace espalier::tools;

namespace {
class Check final : public Verb {
public:
  const char *name() const override { return "check"; }
  const char *summary() const override { return "Report every error in architecture files"; }
  const char *example() const override { return "espalier check examples/zoo/resnet18.esp"; }
  void declare(CLI::App &flags) override {
    flags.add_option("FILE", files, "Architecture files (.esp) or MLIR")->required();
  }
  int run() override {
    int code = Done;
    for (const std::string &file : files) {
      Network network;
      if (failed(network.load(file)))
        code = InputFault;
      else
        fmt::print("{}: ok\n", file);
    }
    return code;
  }

private:
  std::vector<std::string> files;
};
} // namespace

std::unique_ptr<Verb> espalier::tools::createCheckVerb() { return std::make_unique<Check>(); }
