//===- ModuleFile.cpp - input files of the compiler's tools ---------------===//

#include "ModuleFile.h"
#include "Compile.h"
#include "GuardedParse.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Text.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace espalier;

static bool isArchitectureFile(llvm::StringRef path) { return path.ends_with(".esp"); }

/// Locations count lines and columns of source files in 32 bits.
static constexpr uint64_t maxFileBytes = uint64_t(1) << 30;

static rt::Expected<std::unique_ptr<llvm::MemoryBuffer>> readFile(llvm::StringRef path) {
  if (path == "-") {
    auto input = llvm::MemoryBuffer::getSTDIN();
    if (!input)
      return rt::environmentError("cannot read standard input: {}", input.getError().message());
    return std::move(*input);
  }
  if (path.ends_with(".onnx"))
    return rt::unsupported("{}: ONNX files are not supported by this build; supported: .esp, .mlir, .mlirbc",
                           path.str());
  if (path.ends_with(".espx"))
    return rt::unsupported("{} is an artifact: run, bench and explain take it; others take the network that it was "
                           "compiled from",
                           path.str());
  rt::Expected<rt::InputFile> file = rt::InputFile::open(path.str());
  if (!file)
    return file.takeStatus();
  if (file->size() > maxFileBytes)
    return rt::invalidInput("cannot read {}: file has {}, the limit is {}", rt::quote(path),
                            rt::formatBytes(file->size()), rt::formatBytes(maxFileBytes));
  if (file->size() == 0)
    return rt::invalidInput("{} is empty", path.str());
  auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(file->size(), path);
  if (!buffer)
    return rt::environmentError("cannot allocate {}", rt::formatBytes(file->size()));
  auto *bytes = reinterpret_cast<uint8_t *>(buffer->getBufferStart());
  if (rt::Status s = file->readAt(0, {bytes, buffer->getBufferSize()}); !s.ok())
    return s;
  return std::unique_ptr<llvm::MemoryBuffer>(std::move(buffer));
}

/// What the bytecode reader says of damage has locations in the file that the module was made from, or in an attribute;
/// its first error becomes one that names the bytecode itself.
static rt::Expected<OwningOpRef<ModuleOp>> parseBytecode(llvm::StringRef path,
                                                         std::unique_ptr<llvm::MemoryBuffer> buffer,
                                                         llvm::SourceMgr &sources, MLIRContext &context) {
  std::string message;
  ScopedDiagnosticHandler capture(&context, [&](Diagnostic &diagnostic) {
    if (message.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
      message = diagnostic.str();
    return success();
  });
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  if (!module)
    return rt::invalidInput("{}: damaged or incompatible bytecode: {}", path.str(), rt::quote(message));
  return module;
}

rt::Expected<OwningOpRef<ModuleOp>> espalier::tools::loadModule(llvm::StringRef path,
                                                                const ArchitectureOptions &options,
                                                                llvm::SourceMgr &sources, MLIRContext &context) {
  rt::Expected<std::unique_ptr<llvm::MemoryBuffer>> buffer = readFile(path);
  if (!buffer)
    return buffer.takeStatus();
  bool isArchitecture = isArchitectureFile(path);
  if (!isArchitecture)
    if (rt::Status s = parseInChildFirst(**buffer, context.getDialectRegistry()); !s.ok())
      return s;
  if (!isArchitecture && isBytecode(**buffer))
    return parseBytecode(path, *std::move(buffer), sources, context);
  sources.AddNewSourceBuffer(*std::move(buffer), llvm::SMLoc());
  OwningOpRef<ModuleOp> module = isArchitecture ? parseArchitecture(sources, &context, options)
                                                : parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  if (!module)
    return reported();
  return module;
}

rt::Expected<std::unique_ptr<llvm::MemoryBuffer>> espalier::tools::openModuleFile(llvm::StringRef path,
                                                                                  const DialectRegistry &registry) {
  if (!isArchitectureFile(path)) {
    rt::Expected<std::unique_ptr<llvm::MemoryBuffer>> buffer = readFile(path);
    if (buffer)
      if (rt::Status s = parseInChildFirst(**buffer, registry); !s.ok())
        return s;
    return buffer;
  }
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  rt::Expected<OwningOpRef<ModuleOp>> module = loadModule(path, {}, sources, context);
  if (!module)
    return module.takeStatus();
  std::string bytecode;
  llvm::raw_string_ostream os(bytecode);
  if (failed(writeBytecodeToFile(**module, os)))
    return reported();
  // Under the path itself, diagnostics would quote lines of the bytecode.
  return llvm::MemoryBuffer::getMemBufferCopy(bytecode, "bytecode of " + path);
}
