//===- GuardedParse.cpp - MLIR from strangers -----------------------------===//

#include "GuardedParse.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"

#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;

/// Memory and processor time beyond which input counts as hostile: far above what a file of a gigabyte takes.
static constexpr rlim_t maxChildBytes = rlim_t(16) << 30;
static constexpr rlim_t maxChildSeconds = 60;

static void limit(int resource, rlim_t value) {
  struct rlimit current;
  if (getrlimit(resource, &current) != 0)
    return;
  current.rlim_cur = std::min(value, current.rlim_max);
  setrlimit(resource, &current);
}

[[noreturn]] static void parseAndExit(llvm::MemoryBufferRef buffer, const DialectRegistry &registry) {
  // A crash here is an answer, not an event: no stack trace, no core file.
  for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGXCPU})
    std::signal(signal, SIG_DFL);
  limit(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__) && !(defined(__has_feature) && __has_feature(address_sanitizer))
  limit(RLIMIT_AS, maxChildBytes);
#endif
  limit(RLIMIT_CPU, maxChildSeconds);
  if (!freopen("/dev/null", "w", stderr))
    _exit(0);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.allowUnregisteredDialects();
  ScopedDiagnosticHandler silent(&context, [](Diagnostic &) { return success(); });
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(buffer, /*RequiresNullTerminator=*/false), llvm::SMLoc());
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  // Leave without tearing the module down: destructors recurse too, and the parent's turn comes next.
  _exit(0);
}

LogicalResult espalier::tools::parseInChildFirst(llvm::MemoryBufferRef buffer, const DialectRegistry &registry) {
  pid_t child = fork();
  if (child == 0)
    parseAndExit(buffer, registry);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    llvm::WithColor::error() << buffer.getBufferIdentifier()
                             << ": cannot start a process to parse it in: " << llvm::sys::StrError() << "\n";
    return failure();
  }
  if (!WIFSIGNALED(status))
    return success();
  llvm::WithColor::error() << buffer.getBufferIdentifier() << ": the MLIR parser died on this input ("
                           << strsignal(WTERMSIG(status)) << "); the file is damaged or nests too deeply\n";
  return failure();
}
