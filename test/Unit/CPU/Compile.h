//===- Compile.h - Text of the kernels phase to a running program -*- C++ -*-===//

#ifndef ESPALIER_UNIT_CPU_COMPILE_H
#define ESPALIER_UNIT_CPU_COMPILE_H

#include "espalier/CodeGen/Artifact.h"
#include "espalier/CodeGen/Passes.h"
#include "espalier/Dialect/Plan/IR/PlanOps.h"
#include "espalier/Runtime/Program/Program.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

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
