//===- SharedObject.cpp - LLVM dialect to an ELF shared object ------------===//

#include "espalier/CodeGen/SharedObject.h"

#include "lld/Common/Driver.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// lld's archive is not instrumented, but shares inline functions of LLVM's allocators with code that is: memory that
// one poisons the other does not unpoison.
extern "C" const char *__asan_default_options() { return "allow_user_poisoning=0"; }
#endif
#endif

using namespace mlir;
using namespace espalier::codegen;

/// Attributes that every function needs: the processor, and no calls that the code did not ask for.
static void setFunctionAttributes(llvm::Module &module, const llvm::TargetMachine &machine) {
  bool hasWideVectors = machine.getMCSubtargetInfo()->checkFeatures("+avx512f");
  for (llvm::Function &function : module) {
    // The optimizer would turn loops into memset and memcpy, which nobody provides.
    function.addFnAttr("no-builtins");
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    // By default some processors get 256 bits to spare the clock of mixed code; kernels are all vector code.
    if (hasWideVectors)
      function.addFnAttr("prefer-vector-width", "512");
  }
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.LoopInterleaving = tuning.LoopUnrolling = true;
  // Kernels vectorize by their loops; packing scalars takes minutes on unrolled windows.
  tuning.SLPVectorization = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

namespace {
/// An owned file descriptor, and a path that opens it in this process. Nothing of it stays behind, however the process
/// ends.
class Descriptor {
public:
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(Descriptor &&) = delete;
  ~Descriptor() { reset(); }

  int get() const { return fd; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd); }
  void reset() {
    if (fd >= 0)
      close(std::exchange(fd, -1));
  }

private:
  int fd;
};
} // namespace

/// Everything that comes through a pipe until its last writer closes it.
static std::string drain(int fd) {
  std::string content;
  char piece[1 << 16];
  while (ssize_t count = read(fd, piece, sizeof(piece))) {
    if (count > 0)
      content.append(piece, static_cast<size_t>(count));
    else if (errno != EINTR)
      break;
  }
  return content;
}

static std::error_code writeFile(const std::string &path, llvm::StringRef content) {
  std::error_code error;
  llvm::raw_fd_ostream out(path, error, llvm::sys::fs::CD_OpenExisting, llvm::sys::fs::FA_Write,
                           llvm::sys::fs::OF_None);
  if (error)
    return error;
  out << content;
  out.close();
  error = out.error();
  out.clear_error();
  return error;
}

/// Links one object in process.
static FailureOr<std::string> link(Location loc, llvm::StringRef object) {
  // lld writes a regular file under another name, which it then renames; what is none it writes as it is.
  int ends[2] = {-1, -1};
  Descriptor input(memfd_create("espalier", MFD_CLOEXEC));
  if (input.get() < 0 || pipe2(ends, O_CLOEXEC) != 0)
    return emitError(loc) << "cannot create a file in memory: " << llvm::sys::StrError();
  Descriptor reading(ends[0]), writing(ends[1]);
  std::string inputPath = input.path(), outputPath = writing.path();
  if (std::error_code error = writeFile(inputPath, object))
    return emitError(loc) << "cannot write an object to memory: " << error.message();

  const char *arguments[] = {"ld.lld",           "-shared",
                             "--no-undefined",   "--gc-sections",
                             "--strip-debug",    "--hash-style=gnu",
                             "--threads=1",      "-z",
                             "noexecstack",      "-o",
                             outputPath.c_str(), inputPath.c_str()};
  std::string linked, output, errors;
  llvm::raw_string_ostream outputStream(output), errorStream(errors);
  lld::Result result;
  {
    // lld keeps its state in globals.
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    std::thread reader([&] { linked = drain(reading.get()); });
    result = lld::lldMain(arguments, outputStream, errorStream, {{lld::Gnu, &lld::elf::link}});
    writing.reset();
    reader.join();
  }
  if (result.retCode != 0)
    return emitError(loc) << "kernels cannot be linked: " << llvm::StringRef(errors).trim();
  return linked;
}

FailureOr<std::string> espalier::codegen::emitSharedObject(ModuleOp module, const CPUTarget &target) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translateModuleToLLVMIR(module, context, "kernels");
  if (!llvmModule)
    return emitError(module.getLoc()) << "kernels cannot be translated to LLVM IR";
  llvm::TargetMachine &machine = target.getMachine();
  llvmModule->setDataLayout(machine.createDataLayout());
  llvmModule->setTargetTriple(machine.getTargetTriple());
  setFunctionAttributes(*llvmModule, machine);
  optimize(*llvmModule, machine);

  llvm::SmallString<0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager emission;
  if (machine.addPassesToEmitFile(emission, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return emitError(module.getLoc()) << "this LLVM cannot emit x86-64 objects";
  emission.run(*llvmModule);
  return link(module.getLoc(), object);
}
