//===- GuardedParse.cpp - MLIR from strangers -----------------------------===//

#include "GuardedParse.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/SourceMgr.h"

#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace espalier;

/// Memory and processor time beyond which input counts as hostile: far above what a file of a gigabyte takes.
static constexpr rlim_t maxChildBytes = rlim_t(16) << 30;
static constexpr rlim_t maxChildSeconds = 60;
/// Later passes, printers and destructors may take more stack for the same nesting than the parser; they have the usual
/// 8 MiB.
static constexpr rlim_t maxChildStackBytes = rlim_t(2) << 20;

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
  limit(RLIMIT_STACK, maxChildStackBytes);
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

rt::Status espalier::tools::parseInChildFirst(llvm::MemoryBufferRef buffer, const DialectRegistry &registry) {
  pid_t child = fork();
  if (child == 0)
    parseAndExit(buffer, registry);
  std::string file = buffer.getBufferIdentifier().str();
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child)
    return rt::environmentError("{}: cannot start a process to parse it in: {}", file, llvm::sys::StrError());
  if (!WIFSIGNALED(status))
    return {};
  return rt::invalidInput("{}: the MLIR parser died on this input ({}); the file is damaged or nests too deeply", file,
                          strsignal(WTERMSIG(status)));
}
