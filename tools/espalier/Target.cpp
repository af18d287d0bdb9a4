//===- Target.cpp - the machine that a verb compiles for ------------------===//

#include "Target.h"

#include "Options.h"

#include "espalier/CodeGen/CPUTarget.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"

using namespace espalier;
using namespace espalier::tools;

void espalier::tools::declarePrecision(CLI::App &flags, std::optional<Precision> &precision) {
  allowWords<Precision>(flags
                            .add_option("--precision", precision,
                                        "What is computed in; bf16 is mixed: weights, norms, sums and losses stay f32")
                            ->default_str("f32"),
                        {{"f32", Precision::F32}, {"f64", Precision::F64}, {"bf16", Precision::BF16}});
}

void TargetFlags::declare(CLI::App &flags) {
  flags.add_option("--device", device, "Device to run on")->type_name("cpu|cuda[:n]|emulator")->capture_default_str();
  flags.add_option("--cpu", cpu, "Processor to make code for: host, x86-64-v3, znver4, ...")
      ->type_name("NAME")
      ->capture_default_str();
  declarePrecision(flags, givenPrecision);
  flags
      .add_option("--kernel-table", kernelTable,
                  "Measured times of contractions (see tune), which come before the compiler's own")
      ->type_name("FILE");
}

/// cpu, emulator, cuda, or cuda:NUMBER.
static bool isDevice(llvm::StringRef word) {
  if (word.consume_front("cuda:"))
    return !word.empty() && llvm::all_of(word, llvm::isDigit);
  return word == "cpu" || word == "cuda" || word == "emulator";
}

static rt::Status checkProcessorName(const std::string &cpu) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  std::string message;
  mlir::ScopedDiagnosticHandler capture(&context, [&](mlir::Diagnostic &diagnostic) {
    message = diagnostic.str();
    return mlir::success();
  });
  if (failed(codegen::CPUTarget::get(cpu, mlir::UnknownLoc::get(&context))))
    return rt::usageError("--cpu: {}", message);
  return {};
}

rt::Status TargetFlags::check() const {
  if (!isDevice(device))
    return rt::usageError("--device: expects cpu, cuda, cuda:NUMBER or emulator, but got '{}'", device);
  if (device != "cpu")
    return rt::unsupported("device '{}' is not supported by this build; supported: cpu", device);
  return cpu == "host" ? rt::Status() : checkProcessorName(cpu);
}
