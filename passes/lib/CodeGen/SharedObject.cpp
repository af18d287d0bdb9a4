//===- SharedObject.cpp - LLVM dialect to an ELF shared object ------------===//

#include "espalier/CodeGen/SharedObject.h"

#include "lld/Common/Driver.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

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

/// A file in the temporary directory that goes away with the object.
static FailureOr<std::unique_ptr<llvm::FileRemover>> createTemporary(Location loc, llvm::StringRef suffix,
                                                                     llvm::SmallString<128> &path) {
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("espalier", suffix, path))
    return emitError(loc) << "cannot create a temporary file: " << error.message();
  return std::make_unique<llvm::FileRemover>(path);
}

/// Links one object in process.
static FailureOr<std::string> link(Location loc, llvm::StringRef object) {
  llvm::SmallString<128> objectPath, sharedPath;
  auto objectFile = createTemporary(loc, "o", objectPath);
  auto sharedFile = createTemporary(loc, "so", sharedPath);
  if (failed(objectFile) || failed(sharedFile))
    return failure();
  {
    std::error_code error;
    llvm::raw_fd_ostream out(objectPath, error);
    if (!error)
      out << object;
    out.close();
    if (!error)
      error = out.error();
    out.clear_error();
    if (error)
      return emitError(loc) << "cannot write '" << objectPath << "': " << error.message();
  }

  const char *arguments[] = {"ld.lld",           "-shared",
                             "--no-undefined",   "--gc-sections",
                             "--strip-debug",    "--hash-style=gnu",
                             "--threads=1",      "-z",
                             "noexecstack",      "-o",
                             sharedPath.c_str(), objectPath.c_str()};
  std::string output, errors;
  llvm::raw_string_ostream outputStream(output), errorStream(errors);
  lld::Result result;
  {
    // lld keeps its state in globals.
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    result = lld::lldMain(arguments, outputStream, errorStream, {{lld::Gnu, &lld::elf::link}});
  }
  if (result.retCode != 0)
    return emitError(loc) << "kernels cannot be linked: " << llvm::StringRef(errors).trim();
  auto buffer = llvm::MemoryBuffer::getFile(sharedPath, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return emitError(loc) << "cannot read '" << sharedPath << "': " << buffer.getError().message();
  return (*buffer)->getBuffer().str();
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
