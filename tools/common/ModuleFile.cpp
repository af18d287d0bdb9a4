//===- ModuleFile.cpp - input files of the compiler's tools ---------------===//

#include "ModuleFile.h"
#include "GuardedParse.h"

#include "espalier/Frontend/DSL.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace espalier;

static bool isArchitectureFile(llvm::StringRef path) { return path.ends_with(".esp"); }

static std::unique_ptr<llvm::MemoryBuffer> readFile(llvm::StringRef path) {
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(path, &error);
  if (!buffer)
    llvm::WithColor::error() << error << "\n";
  return buffer;
}

OwningOpRef<ModuleOp> espalier::tools::loadModule(llvm::StringRef path, const ArchitectureOptions &options,
                                                  llvm::SourceMgr &sources, MLIRContext &context) {
  std::unique_ptr<llvm::MemoryBuffer> buffer = readFile(path);
  if (!buffer)
    return {};
  bool isArchitecture = isArchitectureFile(path);
  if (!isArchitecture && failed(parseInChildFirst(*buffer, context.getDialectRegistry())))
    return {};
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  return isArchitecture ? parseArchitecture(sources, &context, options)
                        : parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
}

FailureOr<std::unique_ptr<llvm::MemoryBuffer>> espalier::tools::openModuleFile(llvm::StringRef path,
                                                                               const DialectRegistry &registry) {
  if (!isArchitectureFile(path)) {
    std::unique_ptr<llvm::MemoryBuffer> buffer = readFile(path);
    if (!buffer || failed(parseInChildFirst(*buffer, registry)))
      return failure();
    return buffer;
  }
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module = loadModule(path, {}, sources, context);
  if (!module)
    return failure();
  std::string bytecode;
  llvm::raw_string_ostream os(bytecode);
  if (failed(writeBytecodeToFile(*module, os)))
    return failure();
  return llvm::MemoryBuffer::getMemBufferCopy(bytecode, path);
}
