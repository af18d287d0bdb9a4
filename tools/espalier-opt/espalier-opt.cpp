//===- espalier-opt.cpp - run passes on architecture files and MLIR -------===//

#include "../common/BranchBlocks.h"
#include "../common/Compile.h"
#include "../common/ModuleFile.h"

#include "espalier/Analysis/OpCoverage.h"
#include "espalier/Conversion/CGToPlan/Lowering.h"
#include "espalier/Dialect/CG/IR/CGDialect.h"
#include "espalier/Pipelines/InitAll.h"

#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"

/// Prints the table of coverage; its faults are errors.
static int printCoverage(mlir::MLIRContext &context, llvm::StringRef testsFile) {
  std::vector<espalier::cg::OpCoverageColumn> columns{{"lowering", espalier::cg::hasLoweringModel}};
  if (!testsFile.empty()) {
    auto file = llvm::MemoryBuffer::getFile(testsFile);
    if (!file) {
      llvm::WithColor::error() << testsFile << ": " << file.getError().message() << "\n";
      return 1;
    }
    auto tests = espalier::cg::parseOpTests((*file)->getBuffer());
    if (!tests) {
      llvm::WithColor::error() << testsFile << ": " << llvm::toString(tests.takeError()) << "\n";
      return 1;
    }
    llvm::append_range(columns, *tests);
  }
  espalier::cg::printOpCoverage(llvm::outs(), context, columns);
  std::vector<std::string> faults = espalier::cg::checkOpCoverage(context, columns);
  for (const std::string &fault : faults)
    llvm::WithColor::error() << fault << "\n";
  return faults.empty() ? 0 : 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::DialectRegistry registry;
  espalier::registerAllDialects(registry);
  espalier::tools::registerBranchBlocks(registry);
  espalier::registerAllPasses();

  llvm::cl::opt<bool> printOpCoverage(
      "print-op-coverage", llvm::cl::desc("Print every cg operation against the interfaces of the dialect, and exit"));
  llvm::cl::opt<std::string> opTests(
      "op-tests", llvm::cl::desc("Lines KIND: OP that say which tests exist: columns of --print-op-coverage"),
      llvm::cl::value_desc("file"));
  auto [input, output] = mlir::registerAndParseCLIOptions(
      argc, argv, "Espalier's pass driver: takes .esp, .mlir and MLIR bytecode\n", registry);
  if (printOpCoverage) {
    mlir::MLIRContext context(registry);
    context.loadDialect<espalier::cg::CGDialect>();
    return printCoverage(context, opTests);
  }
  auto buffer = espalier::tools::openModuleFile(input, registry);
  if (!buffer)
    return espalier::tools::report(buffer.status());
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
