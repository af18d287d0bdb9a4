//===- CPUTarget.h - The processor that code is made for --------*- C++ -*-===//

#ifndef ESPALIER_CODEGEN_CPUTARGET_H
#define ESPALIER_CODEGEN_CPUTARGET_H

#include "mlir/IR/Location.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>
#include <string>
#include <vector>

namespace espalier::codegen {

/// An x86-64 Linux processor.
class CPUTarget {
public:
  /// `name` is `host` (the machine at hand) or a processor or level as `-march=` knows it: `x86-64-v3`, `znver4`. An
  /// unknown name is an error at `loc`, which lists the levels.
  static mlir::FailureOr<CPUTarget> get(llvm::StringRef name, mlir::Location loc);

  /// What `host` resolved to, else the name given to `get`.
  const std::string &getName() const { return name; }

  /// Instruction set extensions beyond x86-64 that code for this processor may use, by LLVM's names. A machine without
  /// one of them cannot run the code.
  const std::vector<std::string> &getRequiredExtensions() const { return extensions; }

  bool hasExtension(llvm::StringRef name) const;

  /// \name Vector registers: bytes of one, and their number.
  /// @{
  int64_t getVectorBytes() const;
  int64_t getNumVectorRegisters() const;
  /// @}

  /// What measured times are good for: the name and the bits of a vector, as a virtual machine may hide some.
  std::string getMeasurementKey() const;

  llvm::TargetMachine &getMachine() const { return *machine; }

private:
  CPUTarget() = default;

  std::string name;
  std::vector<std::string> extensions;
  std::unique_ptr<llvm::TargetMachine> machine;
};

} // namespace espalier::codegen

#endif // ESPALIER_CODEGEN_CPUTARGET_H
