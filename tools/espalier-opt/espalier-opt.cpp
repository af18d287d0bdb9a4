//===- espalier-opt.cpp - run passes on architecture files and MLIR -------===//

#include "../common/ModuleFile.h"

#include "espalier/Pipelines/InitAll.h"

#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::DialectRegistry registry;
  espalier::registerAllDialects(registry);
  espalier::registerAllPasses();

  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "Espalier's pass driver: takes .esp, .mlir and MLIR bytecode\n", registry);
  auto buffer = espalier::tools::openModuleFile(input, registry);
  if (failed(buffer))
    return 1;
  std::string error;
  std::unique_ptr<llvm::ToolOutputFile> file = mlir::openOutputFile(output, &error);
  if (!file) {
    llvm::WithColor::error() << error << "\n";
    return 4;
  }
  auto config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (failed(mlir::MlirOptMain(file->os(), std::move(*buffer), registry, config)))
    return 1;
  file->keep();
  return 0;
}
