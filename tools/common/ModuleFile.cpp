//===- ModuleFile.cpp - input files of the compiler's tools ---------------===//

#include "ModuleFile.h"
#include "GuardedParse.h"

#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;

FailureOr<std::unique_ptr<llvm::MemoryBuffer>> espalier::tools::openModuleFile(llvm::StringRef path,
                                                                               const DialectRegistry &registry) {
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(path, &error);
  if (!buffer) {
    llvm::WithColor::error() << error << "\n";
    return failure();
  }
  if (failed(parseInChildFirst(*buffer, registry)))
    return failure();
  return buffer;
}
