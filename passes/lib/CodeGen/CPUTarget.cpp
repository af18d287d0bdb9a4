//===- CPUTarget.cpp - The processor that code is made for ----------------===//

#include "espalier/CodeGen/CPUTarget.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

using namespace mlir;
using namespace espalier::codegen;

/// Extensions that the code generator uses by itself. The runtime tests the same names with cpuid.
static constexpr llvm::StringLiteral testableExtensions[] = {
    "sse3",       "ssse3",       "sse4.1",     "sse4.2",       "popcnt",
    "lzcnt",      "movbe",       "bmi",        "bmi2",         "avx",
    "avx2",       "fma",         "f16c",       "avxvnni",      "avx512f",
    "avx512cd",   "avx512bw",    "avx512dq",   "avx512vl",     "avx512ifma",
    "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bitalg", "avx512vpopcntdq",
    "avx512bf16", "avx512fp16",  "gfni",       "vaes",         "vpclmulqdq"};

FailureOr<CPUTarget> CPUTarget::get(llvm::StringRef name, Location loc) {
  // Both are idempotent and thread-safe after the first call.
  static const bool initialized = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)initialized;

  CPUTarget result;
  llvm::SubtargetFeatures features;
  result.name = name.str();
  if (name == "host") {
    result.name = llvm::sys::getHostCPUName().str();
    // A virtual machine may hide extensions that the processor of this name has.
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.AddFeature(feature.getKey(), feature.getValue());
  }

  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return emitError(loc) << "this LLVM cannot make code for x86-64: " << message;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget(target->createMCSubtargetInfo(triple, "", ""));
  if (!subtarget->isCPUStringValid(result.name))
    return emitError(loc)
           << "expects cpu to be 'host', an x86-64 level (x86-64-v2, x86-64-v3, x86-64-v4) or a processor "
              "that LLVM knows, but got '"
           << name << "'";
  llvm::TargetOptions options;
  result.machine.reset(target->createTargetMachine(triple, result.name, features.getString(), options,
                                                   llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                   llvm::CodeGenOptLevel::Default));
  for (llvm::StringRef extension : testableExtensions)
    if (result.machine->getMCSubtargetInfo()->checkFeatures(("+" + extension).str()))
      result.extensions.push_back(extension.str());
  return result;
}

bool CPUTarget::hasExtension(llvm::StringRef name) const { return llvm::is_contained(extensions, name); }

int64_t CPUTarget::getVectorBytes() const { return hasExtension("avx512f") ? 64 : hasExtension("avx") ? 32 : 16; }

int64_t CPUTarget::getNumVectorRegisters() const { return hasExtension("avx512f") ? 32 : 16; }

std::string CPUTarget::getMeasurementKey() const { return name + "/" + std::to_string(8 * getVectorBytes()); }
