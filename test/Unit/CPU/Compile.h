//===- Compile.h - Text of the kernels phase to a running program -*- C++ -*-===//

#ifndef ESPALIER_UNIT_CPU_COMPILE_H
#define ESPALIER_UNIT_CPU_COMPILE_H

#include "espalier/CodeGen/Artifact.h"
#include "espalier/CodeGen/Passes.h"
#include "espalier/Dialect/Plan/IR/PlanOps.h"
#include "espalier/Runtime/Program/Program.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <gtest/gtest.h>

namespace espalier::test {

/// Bytes of an artifact, or the diagnostics that prevented it.
struct Compiled {
  std::string bytes;
  std::string diagnostics;
};

inline Compiled compile(llvm::StringRef text, const codegen::ArtifactOptions &options = {}) {
  mlir::DialectRegistry registry;
  codegen::registerCodeGenDependencies(registry);
  registry.insert<plan::PlanDialect>();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  Compiled result;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    result.diagnostics += diagnostic.str() + "\n";
    return mlir::success();
  });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context, "test.mlir");
  if (!module)
    return result;
  mlir::FailureOr<std::string> bytes = codegen::emitArtifact(*module, options);
  if (mlir::succeeded(bytes))
    result.bytes = *bytes;
  return result;
}

inline rt::Span<const uint8_t> bytesOf(const std::string &text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

inline std::string manifestOf(const std::string &artifact) {
  return artifact.substr(32, llvm::support::endian::read64le(&artifact[16]));
}

/// The artifact with another manifest, consistent in sizes and checksum.
inline std::string withManifest(const std::string &artifact, const std::string &manifest) {
  std::string object = artifact.substr(llvm::alignTo(32 + manifestOf(artifact).size(), 64));
  std::string result = artifact.substr(0, 32) + manifest;
  result.resize(llvm::alignTo(result.size(), 64));
  result += object;
  llvm::support::endian::write64le(&result[16], manifest.size());
  llvm::support::endian::write32le(&result[12],
                                   llvm::crc32(llvm::arrayRefFromStringRef(llvm::StringRef(result).drop_front(16))));
  return result;
}

/// A program of freshly compiled text, on one thread unless said otherwise.
inline rt::Program load(llvm::StringRef text, llvm::StringRef name = "main", int threads = 1) {
  Compiled compiled = compile(text);
  EXPECT_EQ(compiled.diagnostics, "");
  auto executable = rt::Executable::load(bytesOf(compiled.bytes));
  if (!executable)
    throw std::runtime_error(std::string(executable.status().message()));
  auto program = rt::Program::create(*executable, std::string_view(name), threads);
  if (!program)
    throw std::runtime_error(std::string(program.status().message()));
  return std::move(*program);
}

template <typename T> rt::HostTensor tensor(std::vector<int64_t> shape, llvm::function_ref<T(int64_t)> value) {
  rt::HostTensor result = *rt::HostTensor::create(rt::DTypeOf<T>::value, std::move(shape));
  for (int64_t i = 0; i < result.numElements(); ++i)
    result.elements<T>()[i] = value(i);
  return result;
}

#define ASSERT_OK(expression)                                                                                          \
  do {                                                                                                                 \
    ::espalier::rt::Status status = (expression);                                                                      \
    ASSERT_TRUE(status.ok()) << status.message();                                                                      \
  } while (false)

} // namespace espalier::test

#endif // ESPALIER_UNIT_CPU_COMPILE_H
